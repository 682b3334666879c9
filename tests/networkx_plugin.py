"""A pytest plugin for NetworkX's own tests: registers the backend, and counts what it is asked.

``NETWORKX_TEST_BACKEND=lianbao pytest -p tests.networkx_plugin --pyargs networkx.algorithms…``
"""

from collections import Counter
from typing import Any

from graph.backend import BACKEND, COVERED, register

asked: Counter[str] = Counter()


def counted(name: str) -> Any:
    function = getattr(BACKEND, name)

    def ask(*args: Any, **kwargs: Any) -> Any:
        asked[name] += 1
        return function(*args, **kwargs)

    return ask


for covered in COVERED:
    setattr(BACKEND, covered, counted(covered))
register()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line("asked: " + " ".join(sorted(asked)))
