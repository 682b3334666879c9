"""Every kind of event that the source can record, read from its calls of `record_event`.

A kind is a text, a choice of texts, a text with an enumeration's value in it, or an argument of a
helper: then it is looked for in the helper's callers. What cannot be read so is a fault here, never
left out.
"""

import ast
import importlib
from dataclasses import dataclass
from enum import Enum, EnumType
from functools import cache
from pathlib import Path
from typing import get_args, get_type_hints

from config.settings import ROOT

RECORDER = "record_event"


@dataclass(frozen=True)
class Call:
    """A call, with the function and the file that it stands in."""

    node: ast.Call
    within: ast.FunctionDef | None
    path: Path


@cache
def _texts() -> dict[Path, str]:
    rooms = (ROOT / room for room in ("community", "app"))
    return {path: path.read_text() for room in rooms for path in sorted(room.rglob("*.py"))}


@cache
def _calls_in(path: Path) -> list[Call]:
    found: list[Call] = []
    left: list[tuple[ast.AST, ast.FunctionDef | None]] = [(ast.parse(_texts()[path]), None)]
    while left:
        node, within = left.pop()
        if isinstance(node, ast.Call):
            found.append(Call(node, within, path))
        inner = node if isinstance(node, ast.FunctionDef) else within
        left += [(child, inner) for child in ast.iter_child_nodes(node)]
    return found


def _calls_of(function: str) -> list[Call]:
    return [
        call
        for path, text in _texts().items()
        if f"{function}(" in text
        for call in _calls_in(path)
        if _name(call.node.func) == function
    ]


def recorded_kinds() -> set[str]:
    """All of them."""
    return {
        kind
        for call in _calls_of(RECORDER)
        for kind in _read(_argument(call.node, "kind", None), call)
    }


def _name(node: ast.AST) -> str:
    return getattr(node, "id", getattr(node, "attr", ""))


def _argument(node: ast.Call, name: str, place: int | None) -> ast.expr:
    for given in node.keywords:
        if given.arg == name:
            return given.value
    assert place is not None, f"no {name}: {ast.unparse(node)}"
    return node.args[place]


def _read(node: ast.expr, at: Call) -> set[str]:
    """The texts that an expression can be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return _read(node.body, at) | _read(node.orelse, at)
    if isinstance(node, ast.JoinedStr):
        found = {""}
        for part in node.values:
            ends = _read(part.value if isinstance(part, ast.FormattedValue) else part, at)
            found = {start + end for start in found for end in ends}
        return found
    if isinstance(node, ast.Attribute) and node.attr == "value":
        return {str(member.value) for member in _members(node.value, at)}
    if isinstance(node, ast.Name) and at.within is not None:
        arguments = at.within.args
        places = [each.arg for each in arguments.args]
        if node.id in places or node.id in {each.arg for each in arguments.kwonlyargs}:
            place = places.index(node.id) if node.id in places else None
            return _asked_of(at.within.name, node.id, place, at.path)
    if isinstance(node, ast.Name):
        known = getattr(_module(at.path), node.id, None)
        if isinstance(known, str):
            return {known}
        if given := _assigned(node.id, at):
            return {kind for one in given for kind in _read(one, at)}
    raise AssertionError(f"{at.path}: which kinds are {ast.unparse(node)}?")


def _asked_of(helper: str, name: str, place: int | None, path: Path) -> set[str]:
    """What the callers of a helper give it."""
    mine = getattr(_module(path), helper)
    callers = [call for call in _calls_of(helper) if _known(call.node.func, call.path) is mine]
    assert callers, f"nobody calls {helper} of {path}"
    return {kind for call in callers for kind in _read(_argument(call.node, name, place), call)}


def _assigned(name: str, at: Call) -> list[ast.expr]:
    """What `name` or `thing.name` is set to in the function around."""
    return [
        node.value
        for node in ast.walk(at.within or ast.Module([], []))
        if isinstance(node, ast.Assign)
        and [ast.unparse(target) for target in node.targets] == [name]
    ]


def _members(node: ast.expr, at: Call) -> set[Enum]:
    """What an enumeration's value can be of: one that is named, or any of the type it has."""
    if isinstance(node, ast.IfExp):
        return _members(node.body, at) | _members(node.orelse, at)
    named = _known(node, at.path)
    if isinstance(named, Enum):
        return {named}
    hints = get_type_hints(_known(at.within, at.path)) if at.within is not None else {}
    kind: object = None
    given = _assigned(ast.unparse(node), at)
    if given and not any(isinstance(one, ast.Call) for one in given):
        return {member for one in given for member in _members(one, at)}
    if isinstance(node, ast.Name):
        kind = hints.get(node.id)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        # `thing.status`: a column of what the argument is, or of the class `Thing`.
        thing = node.value.id
        model = hints.get(thing) or getattr(_module(at.path), thing.capitalize())
        [kind] = get_args(get_type_hints(model)[node.attr])
    assert isinstance(kind, EnumType), f"{at.path}: {ast.unparse(node)}"
    return set(kind)


def _known(node: ast.AST, path: Path) -> object:
    """What a name, or names with dots, stand for in a file."""
    text = node.name if isinstance(node, ast.FunctionDef) else ast.unparse(node)
    found: object = _module(path)
    for name in text.split("."):
        found = getattr(found, name, None)
    return found


def _module(path: Path) -> object:
    return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
