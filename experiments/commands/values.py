"""Values as JSON documents hold them."""

from __future__ import annotations

import math


def finite(number: float) -> float | str:
    """JSON has no infinity: it is spelt out."""
    return number if math.isfinite(number) else str(number)
