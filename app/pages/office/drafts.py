"""Drafts of charters and terms: a form, what it changes, and only then publishing.

The form is sent as often as its writer likes and changes nothing; beside it stands what would
change. What was looked at is carried along in hidden fields and published once.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import marshmallow as ma
from flask import Response, request

from app.pages.forms import Form, answer, read
from app.pages.office.values import Unread, Value
from app.pages.words import Words
from community.errors import CommunityError, NotAllowed, NotFound

# What the services say of a number out of its range.
_RANGE = re.compile(r"This is a whole number from (-?\d+) to (-?\d+)\.")
TYPED_MOST = 2000


@dataclass
class Draft:
    """What a form says: what is new, and what cannot be read."""

    # The values that count now, by name.
    base: Mapping[str, Any]
    # As typed, for fields that are shown again.
    typed: dict[str, list[str]] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)


def read_draft(
    values: Mapping[str, Value], base: Mapping[str, Any], currency: str, t: Words
) -> Draft:
    """The draft that the form of this request is; what it does not name stays as it is."""
    draft, sent = Draft(base), request.form
    for name, value in values.items():
        if name not in sent and f"has_{name}" not in sent:
            continue
        given = [text[:TYPED_MOST] for text in sent.getlist(name)]
        draft.typed[name] = given
        try:
            found = value.read(given, currency)
        except Unread as why:
            draft.faults[name] = [t.of("unread", str(why))]
            continue
        if not value.is_same(base.get(name), found):
            draft.new[name] = found
    return draft


def faults_told(
    errors: Mapping[str, str], values: Mapping[str, Value], currency: str, t: Words
) -> dict[str, list[str]]:
    """What a service says is wrong with each value, in the reader's words and the field's unit."""
    return {name: [_told(t, values.get(name), text, currency)] for name, text in errors.items()}


def in_two_steps(
    schema: type[ma.Schema],
    *,
    draft: Callable[[Form], Draft],
    editor: Callable[[Form, Draft], Response],
    check: Callable[[Form, Draft, dict[str, Any]], Response],
    work: Callable[[dict[str, Any]], str],
    start: Mapping[str, Any] | None = None,
) -> Any:
    """The form (`editor`), what it would change (`check`), and publishing it (`work`), once."""
    step = request.form.get("step", "")
    if request.method != "POST" or step == "publish":
        return answer(schema, work, lambda form: editor(form, draft(form)), start=start)
    form, data = read(schema())
    made = draft(form)
    if step == "edit":
        form.errors, form.status = {}, 200
        return editor(form, made)
    if not form.errors and not made.faults:
        try:
            return check(form, made, data)
        except (NotFound, NotAllowed):
            raise
        except CommunityError as refusal:
            form.refuse(refusal)
    shown = editor(form, made)
    shown.status_code = 422 if form.status == 200 else form.status
    return shown


def _told(t: Words, value: Value | None, text: str, currency: str) -> str:
    found = _RANGE.fullmatch(text)
    if found and value is not None:
        low, high = (value.said(int(number), currency, t) for number in found.groups())
        return t("rule_range", low=low, high=high)
    key = re.sub(r"[^a-z]+", "_", text.lower()).strip("_")[:60].strip("_")
    return t.of("rule_fault", key) if t.find(f"rule_fault.{key}") else text
