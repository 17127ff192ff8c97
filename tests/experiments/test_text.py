"""The text: no paragraph in both splits, and packing that loses nothing but the end."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from provable_ptq.experiments.networks.text import documentation_text, evenly_spaced, pack, split_paragraphs

PARAGRAPHS = st.lists(st.text("ab \n", max_size=4), max_size=40)


@given(PARAGRAPHS)
def test_a_paragraph_counts_once_and_is_in_one_split(paragraphs):
    text = split_paragraphs(paragraphs)
    both = (*text.calibration, *text.held_out)
    assert set(both) == {" ".join(paragraph.split()) for paragraph in paragraphs} - {""}
    assert len(set(both)) == len(both)
    assert len(text.held_out) == len(both) // 3


def test_the_hash_is_of_the_words_in_their_order():
    assert split_paragraphs(["a", "b"]).sha256 == split_paragraphs(["a ", "b", "a"]).sha256 == hashlib.sha256(b"a\n\nb").hexdigest()
    assert len({split_paragraphs(text).sha256 for text in (["a", "b"], ["b", "a"], ["a"], ["a b"])}) == 4


def test_documentation_is_long_enough_for_the_default_sizes():
    text = documentation_text()
    words = {split: sum(len(paragraph.split()) for paragraph in getattr(text, split)) for split in ("calibration", "held_out")}
    assert words["calibration"] > 8192
    assert words["held_out"] > 4096
    assert text is documentation_text(), "read once"


@given(st.lists(st.lists(st.integers(3, 9), max_size=6), max_size=20), st.integers(3, 9))
def test_packing_keeps_every_token_in_order_but_a_rest_that_fills_no_sequence(paragraphs, length):
    stream = [token for paragraph in paragraphs for token in paragraph]
    sequences = pack(paragraphs, length, first=1, last=2)
    kept = sequences[:, 1:-1].ravel().tolist()
    assert kept == stream[: len(kept)]
    assert 0 <= len(stream) - len(kept) < length - 2
    assert (sequences[:, 0] == 1).all()
    assert (sequences[:, -1] == 2).all()


@pytest.mark.parametrize(("total", "count"), [(7, 7), (100, 3), (5, 1), (550, 64)])
def test_evenly_spaced_numbers_are_distinct_and_cover_the_range(total, count):
    chosen = evenly_spaced(total, count)
    assert len(set(chosen)) == count
    assert chosen[0] == 0
    gaps = np.diff([*chosen, total])
    assert gaps.max() - gaps.min() <= 1
