"""Run all benchmarks on real data, or those named: python -m tests.bench.real --data DIR B1 B4."""

import argparse
import importlib
import os
import pkgutil
import re
import sys
import time
from pathlib import Path

import tests.bench.real
from tests.bench.real.result import Result
from tests.bench.real.tables import BadTable

_WIDTHS = (58, 9, 8, 9, 8)


def main(arguments: list[str]) -> int:
    """Print a table of figures; 2 if a name or the folder is unknown, 1 if data were missing."""
    parser = argparse.ArgumentParser(prog="tests.bench.real", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data files")
    parser.add_argument("names", nargs="*", help="B1 ... B8; all without a name")
    given = parser.parse_args(arguments)
    found = benchmarks()
    unknown = [name for name in given.names if name.upper() not in found]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(found)}", file=sys.stderr)
        return 2
    if not given.data.is_dir():
        print(f"no folder {given.data}", file=sys.stderr)
        return 2
    # One thread to a fit, several fits side by side (see learners.py); read when OpenMP starts.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(_line("figure", "ours", "spread", "baseline", "goal") + "  reached")
    missing = False
    for name in [name.upper() for name in given.names] or found:
        module = importlib.import_module(f"tests.bench.real.{found[name]}")
        print(f"== {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        started = time.perf_counter()
        try:
            results = module.run(given.data)
        except (FileNotFoundError, BadTable) as error:
            print(f"   left out: {_reason(error)}", flush=True)
            missing = True
            continue
        for result in results:
            print(_row(result))
        print(f"   ({time.perf_counter() - started:.1f} s)", flush=True)
    return 1 if missing else 0


def benchmarks() -> dict[str, str]:
    """The modules that are there, by the name of their benchmark, in the order of numbers."""
    found = {}
    for module in pkgutil.iter_modules(tests.bench.real.__path__):
        match = re.fullmatch(r"b(\d+)_\w+", module.name)
        if match:
            found[int(match[1])] = module.name
    return {f"B{number}": found[number] for number in sorted(found)}


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{Path(error.filename).name} is not in the folder"
    return str(error)


def _row(result: Result) -> str:
    reached = {None: "", True: "yes", False: "no"}[result.reached]
    numbers = (result.ours, result.spread, result.baseline, result.goal)
    line = _line(result.figure, *("" if x is None else f"{x:.4f}" for x in numbers))
    return f"{line}  {reached}".rstrip()


def _line(figure: str, *numbers: str) -> str:
    cells = [f"{text:>{width}}" for text, width in zip(numbers, _WIDTHS[1:], strict=True)]
    return f"   {figure:{_WIDTHS[0]}}" + " ".join(cells)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
