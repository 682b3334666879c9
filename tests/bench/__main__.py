"""Run all benches, or those named."""

import importlib
import pkgutil
import sys
import time

import tests.bench

PREFIX = "bench_"


def main(names: list[str]) -> int:
    """Run the benches in the order of their names; 2 if one is not there."""
    found = sorted(
        module.name.removeprefix(PREFIX)
        for module in pkgutil.iter_modules(tests.bench.__path__)
        if module.name.startswith(PREFIX)
    )
    unknown = [name for name in names if name not in found]
    if unknown:
        print(f"no bench named {', '.join(unknown)}; there are {', '.join(found)}", file=sys.stderr)
        return 2
    for name in names or found:
        module = importlib.import_module(f"tests.bench.{PREFIX}{name}")
        print(f"== {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        started = time.perf_counter()
        module.run()
        print(f"   ({time.perf_counter() - started:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
