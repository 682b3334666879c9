"""What benches of the graph share: processor time, percentiles, and how time grows with size."""

import os
import time
from collections.abc import Callable, Mapping

import numpy as np

MILLION = os.environ.get("BENCH_MILLION") == "1"
SIZES = (1_000, 10_000, 100_000, 1_000_000) if MILLION else (1_000, 10_000, 100_000)


def spent(work: Callable[[], object]) -> float:
    """Seconds of processor time."""
    started = time.process_time()
    work()
    return time.process_time() - started


def percentiles(times: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    return float(np.percentile(times, 50)), float(np.percentile(times, 99))


def short(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:,.1f} µs"
    return f"{seconds * 1e3:,.1f} ms" if seconds < 1 else f"{seconds:,.2f} s"


def print_growth(by_name: Mapping[str, Mapping[int, float]]) -> None:
    """A row per measure: its time at each size, and the exponent of a power law through them."""
    for name, times in by_name.items():
        if len(times) < 2:
            continue
        slope = np.polyfit(np.log(list(times)), np.log(list(times.values())), 1)[0]
        listed = ", ".join(f"{size:,}: {short(t)}" for size, t in times.items())
        print(f"   growth of {name}: {listed}; time ~ members^{slope:.2f}")
