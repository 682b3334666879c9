"""Machine code is kept between runs, and made anew when any loop that is part of it changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import graph

INNER = """
from graph.kernels import compiled
@compiled
def inner(x):
    return x + 1
"""
OUTER = """
from graph.kernels import compiled
from graph.kernels.inner import inner
@compiled
def outer(x):
    return 2 * inner(x)
"""
PROGRAM = """
from graph.kernels.outer import outer
print(outer(4), sum(outer.stats.cache_hits.values()))
"""


def answer_and_hits(folder: Path) -> str:
    env = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "kept")}
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, cwd=folder, capture_output=True, check=True
    )
    return told.stdout.decode().strip()


def test_a_change_in_one_file_reaches_the_loops_of_another(tmp_path):
    kernels = tmp_path / "graph" / "kernels"
    kernels.mkdir(parents=True)
    (tmp_path / "graph" / "__init__.py").write_text("")
    shutil.copy(Path(graph.__file__).parent / "kernels" / "__init__.py", kernels)
    (kernels / "inner.py").write_text(INNER)
    (kernels / "outer.py").write_text(OUTER)
    assert answer_and_hits(tmp_path) == "10 0"
    assert answer_and_hits(tmp_path) == "10 1"
    (kernels / "inner.py").write_text(INNER.replace("x + 1", "x + 7"))
    assert answer_and_hits(tmp_path) == "22 0"
