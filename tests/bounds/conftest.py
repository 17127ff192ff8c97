"""A registry in which a test may plant claims."""

from __future__ import annotations

import importlib
from dataclasses import fields

import pytest
from provable_ptq.bounds import Claim, claim, claims


@pytest.fixture
def plant(monkeypatch):
    """Register `evaluate` as a claim like the one with this id, under an id of its own; forgotten after the test."""
    registry = importlib.import_module("provable_ptq.bounds.checking.registry")
    registry.claims()
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))

    def register(like, evaluate, **changes):
        kept = {part.name for part in fields(Claim)} - {"id", "evaluate", "chapter"}
        copied = {name: getattr(claims()[like], name) for name in kept}
        return claim(**copied | {"id": f"planted: {like}"} | changes)(evaluate).id

    return register
