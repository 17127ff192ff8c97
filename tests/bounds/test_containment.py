"""Code of the user's own cannot end the program as if all were well."""

import os
import subprocess
import sys

import pytest
from provable_ptq.bounds.checking.containment import EndedError, contained


@pytest.mark.parametrize(("end", "said"), [
    (lambda: sys.exit(), r"it called sys\.exit\(\)"), (lambda: sys.exit(0), r"it called sys\.exit\(0\)"),
    (lambda: sys.exit("no luck"), r"it called sys\.exit\('no luck'\)"), (lambda: os._exit(0), r"it called os\._exit\(0\)"),
    (lambda: exec("from os import _exit\n_exit(3)"), r"it called os\._exit\(3\)"),
])  # fmt: skip
def test_ends_are_errors(end, said):
    with pytest.raises(EndedError, match=f"^{said}$"), contained():
        end()


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), contained():
        _ = 1 / 0


def test_what_is_inside_of_it_is_contained_after_an_inner_one_ended():
    def end_twice():
        with pytest.raises(EndedError), contained():
            os._exit(1)
        os._exit(2)

    with pytest.raises(EndedError, match=r"os\._exit\(2\)"), contained():
        end_twice()


OUTSIDE = """
import os, threading
from provable_ptq.bounds.checking.containment import contained
with contained():
    pass
{}
os._exit(5)
"""


@pytest.mark.parametrize(("more", "status"), [
    ("", 5), ("with contained():\n    threading.Thread(target=os._exit, args=(7,)).start()\n    threading.Event().wait(60)", 7),
])
def test_outside_and_in_other_threads_a_process_can_end(more, status):
    """Worker processes end themselves from a thread when their parent is gone."""
    assert subprocess.run([sys.executable, "-c", OUTSIDE.format(more)]).returncode == status
