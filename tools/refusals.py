"""Writes app/refusals.json: which problem types each route can answer, read from the code.

From a route's function it follows every name that stands in it, from function to function, through
`app/` and `community/`, and notes the refusals that are raised on the way. What it finds may be a
few more than can happen, never fewer: the tests of the API compare it with what was answered.
Beside the refusals it notes who answers with an ETag. `python tools/refusals.py`.
"""

import ast
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FILE = ROOT / "app" / "refusals.json"
# Where refusals are made out of other things, and who works on nothing but refusals: what they
# answer with is documented by rule, in app/openapi.py.
_PASSED = frozenset({"app.problems", "app.database_faults", "app.transaction", "app.rate_limits"})
Node = tuple[str, str]


class Code:
    """The modules of `app` and `community`, and what stands in each."""

    def __init__(self) -> None:
        self.modules: dict[str, ast.Module] = {}
        for package in ("app", "community"):
            for path in sorted((ROOT / package).rglob("*.py")):
                parts = path.relative_to(ROOT).with_suffix("").parts
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                self.modules[name] = ast.parse(path.read_text())
        self.imported = {name: self._imports(tree) for name, tree in self.modules.items()}
        self.defined = {name: dict(_definitions(tree)) for name, tree in self.modules.items()}
        self._found: dict[Node, tuple[frozenset[Node], frozenset[Node]]] = {}

    def _imports(self, tree: ast.Module) -> dict[str, Node]:
        """Names that a module imports, anywhere in it: (module, '') or (module, name there)."""
        found: dict[str, Node] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    known = inner in self.modules
                    found[alias.asname or alias.name] = (
                        (inner, "") if known else (node.module, alias.name)
                    )
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    found[alias.asname or alias.name.partition(".")[0]] = (alias.name, "")
        return found

    def resolve(self, module: str, name: str) -> Node | None:
        """Where a name of a module is defined; None if outside of this code."""
        if name in self.defined.get(module, {}):
            return module, name
        target = self.imported.get(module, {}).get(name)
        if target is None or target[0] not in self.modules:
            return None
        return target if target[1] == "" else self.resolve(*target)

    def mentions(self, node: Node) -> tuple[frozenset[Node], frozenset[Node]]:
        """What a definition names, and of that what only stands in annotations and `except`."""
        if node not in self._found:
            named: set[Node] = set()
            raised: set[Node] = set()
            for tree in self.defined[node[0]].get(node[1], []):
                self._walk(tree, node[0], named, raised, True)
            self._found[node] = frozenset(named), frozenset(raised)
        return self._found[node]

    def _walk(
        self, tree: ast.AST, module: str, named: set[Node], raised: set[Node], counts: bool
    ) -> None:
        target = self._target(tree, module)
        if target is not None:
            named.add(target)
            if counts:
                raised.add(target)
            return
        for field, value in ast.iter_fields(tree):
            quiet = field in ("annotation", "returns") or (
                isinstance(tree, ast.ExceptHandler) and field == "type"
            )
            if isinstance(tree, ast.Call) and getattr(tree.func, "id", "") == "isinstance":
                quiet = True
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    self._walk(child, module, named, raised, counts and not quiet)

    def _target(self, tree: ast.AST, module: str) -> Node | None:
        if isinstance(tree, ast.Name):
            return self.resolve(module, tree.id)
        if isinstance(tree, ast.Attribute):
            base = self._target(tree.value, module)
            if base is not None and base[1] == "":
                return self.resolve(base[0], tree.attr)
            return base
        return None


def _definitions(tree: ast.Module) -> Iterator[tuple[str, list[ast.AST]]]:
    found: dict[str, list[ast.AST]] = {}
    for node in tree.body:
        names: list[str] = []
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            # Routes that are methods of a view class, or stand in a function that adds them.
            between = "." if isinstance(node, ast.ClassDef) else ".<locals>."
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    found[f"{node.name}{between}{inner.name}"] = [inner]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [
                part.id
                for target in node.targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            ]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        for name in names:
            found.setdefault(name, []).append(node)
    yield from found.items()


def reached(code: Code, start: set[Node]) -> set[Node]:
    """Everything that can be raised from there, and everything else that is named."""
    waiting, seen, raised = list(start), set(start), set(start)
    while waiting:
        node = waiting.pop()
        if node[1] == "" or node[0] in _PASSED or _is_refusal(node):
            continue
        named, counted = code.mentions(node)
        raised |= counted
        waiting.extend(named - seen)
        seen |= named
    return raised


@cache
def _refusals() -> dict[Node, str]:
    from app.problems import all_problems

    return {(kind.__module__, kind.__qualname__): kind.code for kind in all_problems()}


def _is_refusal(node: Node) -> bool:
    return node in _refusals()


def find() -> dict[str, dict[str, Any]]:
    """By operation: the codes of its refusals, and whether it answers with an ETag."""
    import tempfile

    from app import create_app
    from config.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(database_url="sqlite://", var_dir=Path(folder)))
        views = app.view_functions
    code = Code()
    found: dict[str, dict[str, Any]] = {}
    for operation, endpoint, method in _operations(app.extensions["api"].spec.to_dict(), app):
        view: Any = views[endpoint]
        view = getattr(getattr(view, "view_class", None), method, view)
        while hasattr(view, "__wrapped__"):
            view = view.__wrapped__
        if view.__qualname__ not in code.defined[view.__module__]:
            raise LookupError(f"{view.__module__} has no {view.__qualname__}")
        nodes = reached(code, {(view.__module__, view.__qualname__)})
        codes = {_refusals()[node] for node in nodes if _is_refusal(node)} - {"refused"}
        found[operation] = {"refusals": sorted(codes)}
        if ("app.paging", "show_etag") in nodes:
            found[operation]["etag"] = True
    return dict(sorted(found.items()))


def _operations(document: dict[str, Any], app: Any) -> Iterator[tuple[str, str, str]]:
    import re

    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^<>:]*:)?(\w+)>", r"{\1}", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            operation = document["paths"].get(path, {}).get(method.lower())
            if operation is not None:
                yield operation["operationId"], rule.endpoint, method.lower()


def text() -> str:
    """What the file has to hold."""
    return json.dumps(find(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
