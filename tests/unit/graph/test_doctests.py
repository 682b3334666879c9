"""The examples in the documentation of `graph` say what is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import graph

MODULES = sorted(module.name for module in pkgutil.iter_modules(graph.__path__, "graph."))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0


def test_most_modules_carry_examples():
    tried = {name: doctest.testmod(importlib.import_module(name)).attempted for name in MODULES}
    bare = {"graph.errors", "graph.kernels"}
    assert not [name for name, count in tried.items() if not count and name not in bare]
