"""Send made-up requests to every route of real servers, all checks on: `python -m tests.fuzz`.

schemathesis makes them from the OpenAPI document, right and wrong ones, and sends them to gunicorn
on a village in which there is something of everything, once on SQLite and once on PostgreSQL. Any
answer that is a fault of ours or that the document does not have is a failure. At the end the laws
of the books have to hold. Arguments after `--` go to schemathesis.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from app.extensions import db
from community.verification import verify
from tests.api.world import RECORD_KEY, World, make_world
from tests.databases import KINDS, bare_template
from tests.servers import postgres_server
from tests.serving import ROOT, gunicorn

# Who asks, and for which of schemathesis's phases: the operator may see nearly everything, members
# and officers do what is theirs alone.
CALLERS = {
    "operator": "examples,coverage,fuzzing,stateful",
    "wang": "fuzzing",
    "officer": "fuzzing",
    "zhao": "fuzzing",
}
LEAST = 2_000
# 412 and 428: the version that If-Match names is made up. 413: a body that is too long for its
# field may be too long for everything. A right body may be refused by a rule of the books: 422.
# A picture has no schema that it could go against. How long an answer takes says how busy the
# machine is: it is measured by the benches.
CONFIG = """
hooks = "tests.fuzz.hooks"
[checks]
max_response_time = 60
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "403", "404", "409", "412", "422"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "409", "412", "413", "414", "415", "422", "428"]
[checks.missing_required_header]
expected-statuses = ["400", "401", "403", "404", "409", "415", "422", "428"]
[[operations]]
include-operation-id = "monitoring_add_photo"
checks.negative_data_rejection.enabled = false
"""


def main(arguments: list[str]) -> int:
    split = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--database", choices=KINDS, action="append", help="left out: both")
    parser.add_argument("--caller", choices=CALLERS, action="append", help="left out: all")
    parser.add_argument("--examples", type=int, default=4, help="made up for each route and caller")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments[:split])
    failed = False
    for kind in chosen.database or KINDS:
        with tempfile.TemporaryDirectory(prefix="lianbao-fuzz-") as folder, ExitStack() as stack:
            server = stack.enter_context(postgres_server()) if kind == "postgresql" else ""
            template = stack.enter_context(bare_template(kind, server, Path(folder)))
            world = stack.enter_context(make_world(template, Path(folder)))
            run = Run(kind, Path(folder), world, chosen.examples, chosen.seed)
            failed |= run.all(chosen.caller or list(CALLERS), arguments[split + 1 :])
    return int(failed)


class Run:
    """Requests of all callers to one server on one database."""

    def __init__(self, kind: str, folder: Path, world: World, examples: int, seed: int) -> None:
        self.kind, self.folder, self.world = kind, folder, world
        self.examples, self.seed = examples, seed
        self.met: Counter[str] = Counter()
        self.requests = 0

    def all(self, callers: list[str], more: list[str]) -> bool:
        """Whether anything failed."""
        started = time.monotonic()
        (self.folder / "fuzz.toml").write_text(CONFIG)
        (self.folder / "ids.json").write_text(json.dumps(self._ids()))
        clock = self.world.app.extensions["clock"].fixed.isoformat()
        settings = self.world.app.extensions["settings"]
        with gunicorn(
            settings.database_url,
            self.folder,
            workers=2,
            FIXED_NOW=clock,
            RECORD_KEY=RECORD_KEY,
        ) as served:
            failed = [name for name in callers if not self._passes(name, served.port, more)]
        with self.world.app.app_context():
            breaches = verify(db.session()).breaches
        took = time.monotonic() - started
        by_status: Counter[str] = Counter()
        for answer, count in self.met.items():
            by_status[answer.partition(" ")[0]] += count
        problems = {answer.partition(" ")[2] for answer in self.met} - {""}
        print(f"{self.kind}: {self.requests} requests in {took:.0f} s")
        print("  answers:", ", ".join(f"{n} x {count}" for n, count in sorted(by_status.items())))
        print(f"  problem types met: {len(problems)}; laws broken afterwards: {len(breaches)}")
        faults = [answer for answer in self.met if answer.startswith("500")]
        few = self.requests < LEAST and not more
        return bool(failed or breaches or faults or few)

    def _ids(self) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = {}
        for value in self.world.ids.values():
            if re.fullmatch("[a-z]{2,3}_[0-9a-z]{16}", value):
                ids.setdefault(value.partition("_")[0], []).append(value)
        return ids

    def _passes(self, caller: str, port: int, more: list[str]) -> bool:
        met, report = self.folder / f"{caller}.met.json", self.folder / f"{caller}.json"
        command = [sys.executable, "-m", "schemathesis.cli"]
        command += ["--config-file", str(self.folder / "fuzz.toml"), "run"]
        command += [f"http://127.0.0.1:{port}/api/v1/openapi.json"]
        command += ["-H", f"Authorization: Bearer {self.world.tokens[caller]}"]
        command += ["--phases", CALLERS[caller], "--max-examples", str(self.examples)]
        command += ["--seed", str(self.seed), "--checks", "all", "--continue-on-failure"]
        command += ["--request-timeout", "60"]
        command += ["--warnings", "off", "--report", "json", "--report-json-path", str(report)]
        known = {"FUZZ_IDS": str(self.folder / "ids.json"), "FUZZ_MET": str(met)}
        done = subprocess.run(
            [*command, *more],
            cwd=self.folder,  # it leaves notes where it runs
            env={**os.environ, **known, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.met.update(json.loads(met.read_text()) if met.exists() else {})
        if report.exists():
            self.requests += json.loads(report.read_text())["test_cases"]["generated"]
        if done.returncode:
            print(f"{self.kind}, asked by the {caller}:\n{done.stdout}")
        return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
