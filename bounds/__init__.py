"""What is proven, and does it hold here? The registry of claims, and checks of it on problems."""

from .check import check
from .checking.claim import Claim, Evaluation, Kind, Origin
from .checking.loading import load_claims
from .checking.problem import Problem
from .checking.registry import claim, claims
from .checking.verdict import Outcome, Verdict

__all__ = ["Claim", "Evaluation", "Kind", "Origin", "Outcome", "Problem", "Verdict", "check", "claim", "claims", "load_claims"]
