"""What the numbers were measured on: processor, cores, the kernels of each BLAS, versions."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import torch
from threadpoolctl import threadpool_info

PACKAGES = ("numpy", "scipy", "torch")


def machine() -> dict[str, str]:
    """Words about the machine, by topic."""
    settings = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("OPENBLAS_")]
    blas = [f"{Path(library['filepath']).parent.name.partition('.')[0]}: {library['internal_api']} {library['version']}, "
            f"kernel {library.get('architecture', 'unknown')}" for library in threadpool_info() if library["user_api"] == "blas"]
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "BLAS": "; ".join([*sorted(set(blas)), f"torch: {torch_blas()}"]),
        "versions": ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)]),
        "OpenBLAS settings": ", ".join(settings) or "none",
    }


def processor() -> str:
    """The processor's name, and the widest vectors it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(reversed([[part.strip() for part in line.split(":", 1)] for line in lines if ":" in line]))
    flags = facts.get("flags", "").split()
    widest = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX")) if flag in flags), "")
    return " ".join(filter(None, (facts.get("model name", platform.machine()), f"({widest})" if widest else "")))


def torch_blas() -> str:
    """Which BLAS PyTorch was built with, and the vectors its own kernels use."""
    built_with = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    return f"{built_with[1] if built_with else 'unknown'}, kernels of its own {torch.backends.cpu.get_cpu_capability()}"
