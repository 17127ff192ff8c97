"""Seeds hashed from named axes, so that everything that shares an axis sees the same data."""

from __future__ import annotations

import hashlib
import json

from ..algorithms.arguments import reject


def seed_of(**axes: object) -> int:
    """A 63-bit seed from named axes; independent of their order, of the process and of the machine.

    >>> seed_of(study=1, calibration="ar1") == seed_of(calibration="ar1", study=1)
    True
    """
    try:
        text = json.dumps(axes, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        raise reject("seed", axes, "axes of numbers and text") from None
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1
