"""Run a file of oracle cases: ``python -m tests.oracles FILE [--data DIR]``.

One line per case that fails or is not supported, a closing count, exit 1 if any failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

# Imported for their registrations; a new module of methods is added here.
import tests.oracles.calls
import tests.oracles.netting
import tests.oracles.propagation
import tests.oracles.scores
import tests.oracles.trust  # noqa: F401
from tests.oracles.lending import check_loan
from tests.oracles.registry import METHODS, Case, Malformed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracles", description=__doc__)
    parser.add_argument("file", type=Path, help="JSON with a list of cases")
    parser.add_argument("--data", type=Path, default=None, help="folder of the data files")
    given = parser.parse_args(arguments)
    counts = {"passed": 0, "failed": 0, "unsupported": 0, "unverified": 0}
    try:
        cases = _cases(given.file)
    except (OSError, ValueError) as error:
        print(f"FAILED {given.file.name}: {error}")
        counts["failed"] = 1
        cases = []
    for position, raw in enumerate(cases):
        outcome, line = run_case(raw, position, given.data)
        counts[outcome] += 1
        if line:
            print(line)
    # Loan cases alone may be unverified; the line stays short for all others.
    if not counts["unverified"]:
        del counts["unverified"]
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["failed"] else 0


def _cases(path: Path) -> list[Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    cases = content.get("cases") if isinstance(content, dict) else content
    if not isinstance(cases, list):
        raise Malformed("the file holds no list of cases")
    return cases


def run_case(raw: object, position: int, data: Path | None) -> tuple[str, str]:
    """Check one case: its outcome, and the line to print (empty when it passed)."""
    if not isinstance(raw, Mapping):
        return "failed", f"FAILED case {position}: not an object"
    name = str(raw.get("id", f"case {position}"))
    method = raw.get("method")
    if method is None and "checks" in raw:
        return _run_loan(raw, name)
    if method is None:
        # A file of another kind: nothing here knows how to read it.
        return "unsupported", f"UNSUPPORTED {name} {raw.get('category', 'without a method')}"
    check = METHODS.get(method) if isinstance(method, str) else None
    if check is None:
        return "unsupported", f"UNSUPPORTED {name} {method}"
    try:
        case = Case(
            name,
            _mapping(raw, "input"),
            _mapping(raw, "expected"),
            _tolerance(raw.get("tolerance", 1e-9)),
            data,
        )
        check(case)
    except Exception as error:  # noqa: BLE001 - a case must never stop those after it
        kind = "" if isinstance(error, Malformed) else f"{type(error).__name__}: "
        return "failed", f"FAILED {name}: {kind}{error}"
    if case.differences:
        return "failed", f"FAILED {name}: {_first(case.differences)}"
    if not case.compared:
        return "failed", f"FAILED {name}: none of its expected figures is known"
    for key in case.not_understood:
        print(f"note: {name}: expected figure {key!r} is not known here", file=sys.stderr)
    return "passed", ""


def _run_loan(raw: Mapping[str, Any], name: str) -> tuple[str, str]:
    """A loan case; one whose figures nobody has worked out again cannot fail."""
    try:
        differences = check_loan(raw)
    except Exception as error:  # noqa: BLE001 - a case must never stop those after it
        kind = "" if isinstance(error, Malformed) else f"{type(error).__name__}: "
        differences = [f"{kind}{error}"]
    if not differences:
        return "passed", ""
    if raw.get("verified") is False:
        return "unverified", f"UNVERIFIED {name}: {_first(differences)}"
    return "failed", f"FAILED {name}: {_first(differences)}"


def _first(differences: list[str]) -> str:
    more = len(differences) - 3
    return "; ".join(differences[:3]) + (f"; and {more} more" if more > 0 else "")


def _mapping(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    if not isinstance(value, Mapping):
        raise Malformed(f"has no object {key!r}")
    return value


def _tolerance(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"tolerance is not a number: {value!r}")
    if not isfinite(value) or value < 0:
        raise Malformed(f"tolerance is not a number >= 0: {value!r}")
    return float(value)


if __name__ == "__main__":
    sys.exit(main())
