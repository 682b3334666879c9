"""docs/client.md is true: a client is made from the document, and its example runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

from config.settings import ROOT
from tests.api.world import make_world
from tests.databases import bare_template
from tests.serving import gunicorn
from tools.make_client import generate


def test_the_example_runs_with_a_client_made_from_the_document(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "client.md").read_text()
    found = re.search("<!-- client -->\n```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    example = found[1]
    used = re.findall(r"^from lianbao_client\.api\.\w+ import (.+)$", example, re.MULTILINE)
    # The whole client is some seconds more; `make client` makes it.
    generate(tmp_path / "client", only={name for line in used for name in line.split(", ")})
    (tmp_path / "example.py").write_text(example)
    with (
        bare_template("sqlite", "", tmp_path) as template,
        make_world(template, tmp_path) as world,
        gunicorn(
            world.app.extensions["settings"].database_url,
            tmp_path,
            workers=1,
            FIXED_NOW=world.app.extensions["clock"].fixed.isoformat(),
        ) as served,
    ):
        done = subprocess.run(
            [sys.executable, "example.py"],
            cwd=tmp_path,
            env=os.environ
            | {
                "PYTHONPATH": "client",
                "SERVER": f"http://127.0.0.1:{served.port}",
                "MEMBER_TOKEN": world.tokens["wang"],
                "OFFICER_TOKEN": world.tokens["officer"],
                "COMMUNITY": world.ids["village"],
                "PRODUCT": world.ids["plain"],
                "RUNNING_LOAN": world.ids["late"],
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    assert done.returncode == 0, done.stdout
    said = done.stdout.splitlines()
    assert said[-1] == "Refused: /problems/bad-token"
    # One payment, though it was asked for twice.
    receipts = [line for line in said if line.startswith("Receipt ")]
    assert len(receipts) == 2
    assert len(set(receipts)) == 1
