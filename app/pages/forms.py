"""Forms of pages: read by a schema, done by a service in one unit of work, then sent on.

    @pages.route("/me/password", methods=["GET", "POST"])
    @requires("member:set_credentials")
    def password() -> AnyResponse:
        def work(data: dict[str, Any]) -> str:
            permit("member:set_credentials", ...)
            signin.set_credentials(db.session(), ...)
            return url_for("member.home")

        return answer(PasswordSchema, work, lambda form: page("member/password.html", form=form))

A form that is right is done and the browser sent on (303), so that reloading repeats nothing; one
that is wrong is shown again with what was entered, and what is wrong beside each field. Every form
carries a key that was made when it was shown: sent twice it is done once.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import marshmallow as ma
from flask import g, redirect, request
from werkzeug.datastructures import MultiDict

from app.auth import caller
from app.clock import now
from app.extensions import db
from app.fields import Money, Schema
from app.pages.entry import FORM_FIELD
from app.pages.layout import say
from app.permissions import mark_permitted
from app.problems import status_of
from app.risk.gate import through_the_gate
from app.transaction import in_transaction
from community.errors import CommunityError, NotAllowed, NotFound
from community.idempotency import IdempotencyKeyInvalid, claim_key, store_answer
from community.members.errors import BadToken

ONCE_FIELD = "form_once"
_ONCE = re.compile(r"[A-Za-z0-9_-]{16,80}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PLUMBING = frozenset({FORM_FIELD, ONCE_FIELD})
# What was typed into these is never shown again.
_SECRET = ("password", "token", "code")


@dataclass
class Form:
    """What somebody filled in, and what is wrong with it."""

    values: dict[str, Any] = field(default_factory=dict)
    # By field; a field that is no input of the page stands in the summary only.
    errors: dict[str, list[str]] = field(default_factory=dict)
    refusal: CommunityError | None = None
    once: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    status: int = 200

    def value(self, name: str, default: Any = "") -> Any:
        """What stands in a field."""
        return self.values.get(name, default)

    def refuse(self, refusal: CommunityError) -> None:
        """A service said no: show why, at the field if it names one."""
        self.refusal = refusal
        self.status = status_of(type(refusal))
        if refusal.code == "idempotency-mismatch":
            self.once = secrets.token_urlsafe(18)

    @property
    def refused_field(self) -> str:
        """The field that the refusal is about."""
        return str(self.refusal.members.get("field", "")) if self.refusal is not None else ""


def answer(
    schema: type[ma.Schema] | ma.Schema,
    work: Callable[[dict[str, Any]], str],
    show: Callable[[Form], Any],
    *,
    start: Mapping[str, Any] | None = None,
    said: tuple[str, str] | None = None,
    gate: type[CommunityError] | None = None,
) -> Any:
    """Show the form, or do what it says and go on to where `work` says.

    `start` is what the fields hold at first; `said` is the room and the key of what the next page
    tells the reader. Work that passes the newcomer gate names in `gate` what it refuses with.
    """
    if request.method != "POST":
        return show(Form(values=dict(start or {})))
    form, data = read(schema() if isinstance(schema, type) else schema)
    if not form.errors:
        try:
            if gate is None:
                target = in_transaction(_once, form, work, data)
            else:
                target = through_the_gate(_once, form, work, data, refusal=gate)
        except (NotFound, NotAllowed, BadToken):
            raise
        except CommunityError as refusal:
            form.refuse(refusal)
        else:
            if said is not None:
                say(*said)
            return redirect(target, 303)
    shown = show(form)
    shown.status_code = form.status
    return shown


def read(schema: ma.Schema) -> tuple[Form, dict[str, Any]]:
    """The form that was sent, and its data as the schema reads it: empty where there are errors."""
    given = request.form
    once = given.get(ONCE_FIELD, "")
    form = Form(
        values={
            name: value
            for name, value in given.items()
            if name not in _PLUMBING and not any(part in name for part in _SECRET)
        },
    )
    if _ONCE.fullmatch(once):
        form.once = once
    if any(_UNSTORABLE.search(name + value) for name, value in given.items(multi=True)):
        form.errors, form.status = {"": ["characters"]}, 422
        form.values = {}
        return form, {}
    return _checked(form, schema, given)


def read_query(schema: ma.Schema) -> tuple[Form, dict[str, Any]]:
    """The same for a form that only asks (method GET): its fields stand in the address."""
    return _checked(Form(values=dict(request.args.items())), schema, request.args)


def _checked(
    form: Form, schema: ma.Schema, given: "MultiDict[str, str]"
) -> tuple[Form, dict[str, Any]]:
    try:
        return form, dict(schema.load(_body(schema, given)))
    except ma.ValidationError as error:
        form.errors = {name: list(_texts(faults)) for name, faults in _by_field(error)}
        form.status = 422
        return form, {}


def _once(form: Form, work: Callable[[dict[str, Any]], str], data: dict[str, Any]) -> str:
    if g.get("principal") is None:
        return work(data)
    if not _ONCE.fullmatch(request.form.get(ONCE_FIELD, "")):
        raise IdempotencyKeyInvalid("Open the page again and send the form from there.")
    said = sorted(
        item
        for item in request.form.items(multi=True)
        # Nothing is kept of a secret, not even a digest.
        if item[0] not in _PLUMBING and not any(part in item[0] for part in _SECRET)
    )
    kept = claim_key(
        db.session(),
        member_id=caller().member_id,
        key=form.once,
        route=f"{request.method} {request.path}"[:300],
        body_hash=hashlib.sha256(json.dumps(said).encode()).hexdigest(),
        now=now(),
    )
    if kept is not None:
        # Whoever sent it first was permitted then, and the key is theirs alone.
        mark_permitted(g.get("permission_asked", ""))
        return kept.body
    target = work(data)
    store_answer(db.session(), member_id=caller().member_id, key=form.once, status=303, body=target)
    return target


def _body(schema: ma.Schema, given: "MultiDict[str, str]") -> dict[str, Any]:
    """A form as the JSON that the schema reads. What was left empty was not given."""
    body: dict[str, Any] = {}
    for name, part in schema.fields.items():
        key = part.data_key or name
        if isinstance(part, ma.fields.List):
            found: Any = [value for value in given.getlist(key) if value]
            if found or not part.required:
                body[key] = found
            continue
        if isinstance(part, ma.fields.Boolean):
            body[key] = given.get(key) in ("1", "on", "true", "yes")
            continue
        value = given.get(key, "")
        if not value.strip():
            continue
        if isinstance(part, Money):
            amount = value.replace(",", "").replace("，", "").strip()
            body[key] = {"amount": amount, "currency": given.get(f"{key}_currency", "CNY")}
        elif isinstance(part, ma.fields.Integer) and re.fullmatch(r"[0-9]{1,18}", value.strip()):
            body[key] = int(value)
        else:
            body[key] = value
    return body


def _by_field(error: ma.ValidationError) -> list[tuple[str, Any]]:
    messages = error.messages
    return list(messages.items()) if isinstance(messages, dict) else [("", messages)]


def _texts(faults: Any) -> list[str]:
    if isinstance(faults, dict):
        return [text for inner in faults.values() for text in _texts(inner)]
    if isinstance(faults, list):
        return [text for inner in faults for text in _texts(inner)]
    return [str(faults)]


class Nothing(Schema):
    """A form that is only a button."""
