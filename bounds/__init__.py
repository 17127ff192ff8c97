"""What is proven, and does it hold here? The registry of claims, and checks of it on problems."""

from .check import check
from .checking.claim import Claim, Evaluation, Kind, Origin, claim, claims, load_claims
from .checking.problem import Problem
from .checking.verdict import Outcome, Verdict

__all__ = ["Claim", "Evaluation", "Kind", "Origin", "Outcome", "Problem", "Verdict", "check", "claim", "claims", "load_claims"]
