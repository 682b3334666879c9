"""Asks a public database whether faults are known of the libraries that the locks name.

`audit.py` fails for a fault that is found, and says in a line when nobody answered: that is no
clean bill, but no reason to stop work on a closed network either. `--strict` fails for that too.
The database is OSV's (the one behind pip-audit); only names and versions are sent.
"""

import argparse
import json
import re
import sys
import threading
import urllib.request
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = [ROOT / "requirements" / f"{name}.lock.txt" for name in ("main", "dev")]
# Faults that do not concern us: "id, last day on which that holds, why" a line.
WAIVED = ROOT / "requirements" / "audit.waived.txt"
ASKED = "https://api.osv.dev/v1/querybatch"
SECONDS = 8.0


def main(arguments: list[str] | None = None) -> int:
    """0: nothing is known, or nobody answered and that is allowed; 1: a fault; 2: no answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail when nobody answers")
    parser.add_argument("--url", default=ASKED)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--waived", type=Path, default=WAIVED)
    given = parser.parse_args(arguments)
    libraries = locked(LOCKS)
    found = ask(libraries, given.url, given.seconds)
    if isinstance(found, str):
        print(f"audit: NOT DONE for {len(libraries)} libraries: {found}")
        return 2 if given.strict else 0
    waived = read_waived(given.waived, datetime.now(UTC).date())
    open_faults = [
        f"{name} {version}: {fault}" for name, version, fault in found if fault not in waived
    ]
    for line in open_faults:
        print(f"audit: {line} (https://osv.dev)")
    if not open_faults:
        print(f"audit: no known fault in {len(libraries)} libraries ({len(found)} waived)")
    return 1 if open_faults else 0


def locked(files: list[Path]) -> list[tuple[str, str]]:
    """Names and versions in lock files."""
    lines = [line for file in files for line in file.read_text().splitlines()]
    named = [re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", line) for line in lines]
    return sorted({(match[1], match[2]) for match in named if match})


def ask(libraries: list[tuple[str, str]], url: str, seconds: float) -> list[tuple[str, ...]] | str:
    """Library, version and fault for each that is known; a text: why there is no answer."""
    answer: list[Any] = []

    def post() -> None:
        try:
            queries = [
                {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
                for name, version in libraries
            ]
            request = urllib.request.Request(  # noqa: S310  the address is ours or the caller's
                url, json.dumps({"queries": queries}).encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=seconds) as response:  # noqa: S310
                results = json.load(response)["results"]
            if len(results) != len(libraries):
                raise ValueError("not one result for each library")
            answer.append(
                [
                    (*library, str(fault["id"]))
                    for library, result in zip(libraries, results, strict=True)
                    for fault in result.get("vulns") or ()
                ]
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
            answer.append(f"{url.split('/')[2]} gave no answer ({type(fault).__name__})")

    # A name that nobody resolves can take longer than any timeout of the connection.
    asking = threading.Thread(target=post, daemon=True)
    asking.start()
    asking.join(seconds)
    found: list[tuple[str, ...]] | str = (
        answer[0] if answer else f"{url.split('/')[2]} gave no answer in {seconds:g} s"
    )
    return found


def read_waived(file: Path, on: date) -> set[str]:
    """Faults that somebody has looked at, for a while."""
    if not file.exists():
        return set()
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    fields = [line.split(maxsplit=2) for line in lines]
    return {row[0] for row in fields if len(row) == 3 and date.fromisoformat(row[1]) >= on}


if __name__ == "__main__":
    sys.exit(main())
