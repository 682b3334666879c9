"""What a credit record says, field by field, and whether it is complete and consistent. Pure.

It names nobody but the member. Amounts are minor units of the record's currency.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from community.communities.charter import RiskClass

KIND = "lianbao-record+jwt"
VERSION = 1


class RecordField(StrEnum):
    """A part of the record that a member may let out or keep to themself."""

    NAME = "name"
    LOANS = "loans"
    LATENESS = "lateness"
    DEBTS = "debts"
    GUARANTEES = "guarantees"
    STANDING = "standing"


class RecordPurpose(StrEnum):
    """What the recipient may use the record for."""

    STANDING = "standing"  # to grant the member standing there
    CREDIT_DECISION = "credit_decision"  # to decide on a loan of the member


@dataclass(frozen=True, slots=True)
class FieldFault:
    """A field of a record that is missing, of the wrong kind, or against another field."""

    field: str
    detail: str


_CLASSES = frozenset(RiskClass)
_LATE_CLASSES = frozenset(RiskClass) - {RiskClass.NORMAL}
_ID = re.compile(r"[a-z]{3}_[0-9a-hj-km-np-tv-z]{16}")
_HEX = re.compile(r"[0-9a-f]{64}")

# The figures of each field: `#` a whole number from 0, `class`, `day?` a day or nothing, `days` the
# days by class.
SHAPES: dict[RecordField, dict[str, str]] = {
    RecordField.LOANS: {
        "taken": "#",
        "taken_minor": "#",
        "live": "#",
        "repaid": "#",
        "repaid_by_borrower_minor": "#",
        "written_off": "#",
        "cycles": "#",
    },
    RecordField.LATENESS: {
        "times_overdue": "#",
        "times_called": "#",
        "days_by_class": "days",
        "worst_class": "class",
    },
    RecordField.DEBTS: {
        "outstanding_minor": "#",
        "overdue_minor": "#",
        "written_off_minor": "#",
        "owed_to_guarantors_minor": "#",
    },
    RecordField.GUARANTEES: {
        "stood_for": "#",
        "cap_minor": "#",
        "live": "#",
        "repaid_by_borrower": "#",
        "not_repaid_by_borrower": "#",
        "paid_minor": "#",
        "recovered_minor": "#",
    },
    RecordField.STANDING: {"assessed_minor": "#", "assessed_until_on": "day?"},
}
_ALWAYS = frozenset({"from_on", "until_on", "source"})
_TOP = frozenset(
    {
        "v",
        "iss",
        "issuer_name",
        "sub",
        "aud",
        "jti",
        "iat",
        "exp",
        "issued_on",
        "expires_on",
        "purposes",
        "consent",
        "currency",
        "figures",
        "book",
    }
)
_MAYBE = frozenset({"name", "recipient_subject"})


def expiry_instant(expires_on: date) -> int:
    """`exp` of a record whose last day this is: the end of that day in every time zone."""
    # The last place on earth where a day ends is twelve hours behind UTC.
    end = datetime.combine(expires_on + timedelta(days=1), time(12), UTC)
    return int(end.timestamp())


def faults_of(payload: Mapping[str, Any]) -> list[FieldFault]:
    """What is wrong with a record's fields; empty: it is complete and consistent."""
    return list(_faults(payload))


def _faults(payload: Mapping[str, Any]) -> Iterator[FieldFault]:
    for name in sorted(_TOP - payload.keys()):
        yield FieldFault(name, "is missing")
    for name in sorted(payload.keys() - _TOP - _MAYBE):
        yield FieldFault(name, "is no field of a record")
    if not payload.keys() >= _TOP:
        return
    if payload["v"] is True or payload["v"] != VERSION:
        yield FieldFault("v", f"is not the version {VERSION}")
    for name, prefix in (("iss", "com_"), ("sub", "mem_"), ("jti", "rec_")):
        value = payload[name]
        if not _is_text(value) or not _ID.fullmatch(value) or not value.startswith(prefix):
            yield FieldFault(name, f"is no id such as {prefix}0123456789abcdef")
    for name in ("issuer_name", "aud", "currency", *sorted(_MAYBE & payload.keys())):
        if not _is_text(payload[name]):
            yield FieldFault(name, "is not a text")
    yield from _times(payload)
    yield from _consent(payload)
    yield from _figures(payload)
    book = payload["book"]
    if not isinstance(book, dict) or set(book) != {"records", "head"}:
        yield FieldFault("book", "has records and head")
    elif not _is_whole(book["records"]) or not _is_text(book["head"]):
        yield FieldFault("book", "is the number of records and the hash of the last")
    elif not _HEX.fullmatch(book["head"]):
        yield FieldFault("book.head", "is no hash")


def _times(payload: Mapping[str, Any]) -> Iterator[FieldFault]:
    issued, expires = _day(payload["issued_on"]), _day(payload["expires_on"])
    if issued is None:
        yield FieldFault("issued_on", "is not a day")
    if expires is None:
        yield FieldFault("expires_on", "is not a day")
    if issued is None or expires is None:
        return
    if expires < issued:
        yield FieldFault("expires_on", "is before issued_on")
    if not _is_whole(payload["exp"]) or payload["exp"] != expiry_instant(expires):
        yield FieldFault("exp", "is not the end of expires_on")
    noon = datetime.combine(issued, time(12), UTC)
    earliest, latest = noon - timedelta(days=1), noon + timedelta(days=1)
    issued_at = payload["iat"]
    if not _is_whole(issued_at) or not earliest.timestamp() <= issued_at <= latest.timestamp():
        yield FieldFault("iat", "is not an instant of issued_on")


def _consent(payload: Mapping[str, Any]) -> Iterator[FieldFault]:
    purposes = payload["purposes"]
    if not isinstance(purposes, list) or not purposes or not _all_of(purposes, RecordPurpose):
        yield FieldFault("purposes", f"is a list of {', '.join(RecordPurpose)}")
    consent = payload["consent"]
    if not isinstance(consent, dict) or set(consent) != {"id", "given_on", "until_on", "fields"}:
        yield FieldFault("consent", "has id, given_on, until_on and fields")
        return
    if not _is_text(consent["id"]) or not _ID.fullmatch(consent["id"]):
        yield FieldFault("consent.id", "is no id")
    if not isinstance(consent["fields"], list) or not _all_of(consent["fields"], RecordField):
        yield FieldFault("consent.fields", f"is a list of {', '.join(RecordField)}")
        return
    given, until = _day(consent["given_on"]), _day(consent["until_on"])
    issued, expires = _day(payload["issued_on"]), _day(payload["expires_on"])
    if given is None or until is None:
        yield FieldFault("consent", "is dated")
    elif issued is not None and expires is not None and not given <= issued <= expires <= until:
        yield FieldFault("consent", "was not given for these days")


def _figures(payload: Mapping[str, Any]) -> Iterator[FieldFault]:
    figures, consent = payload["figures"], payload["consent"]
    if not isinstance(figures, dict):
        yield FieldFault("figures", "is an object")
        return
    allowed = consent.get("fields") if isinstance(consent, dict) else None
    named = {*figures, *({"name"} & payload.keys())}
    if isinstance(allowed, list) and named != set(map(str, allowed)):
        yield FieldFault("figures", "are not those that the consent lets out")
    for name, value in figures.items():
        if name not in set(RecordField) - {RecordField.NAME}:
            yield FieldFault(f"figures.{name}", "is no field of a record")
            continue
        shape = SHAPES[RecordField(name)]
        if not isinstance(value, dict) or set(value) != shape.keys() | _ALWAYS:
            yield FieldFault(f"figures.{name}", "does not have its figures")
            continue
        if _day(value["from_on"]) is None or _day(value["until_on"]) is None:
            yield FieldFault(f"figures.{name}", "has no period")
        if not isinstance(value["source"], dict) or not all(
            _is_text(part) or _is_whole(part) for part in value["source"].values()
        ):
            yield FieldFault(f"figures.{name}.source", "is no source")
        for part, kind in shape.items():
            if not _fits(value[part], kind):
                yield FieldFault(f"figures.{name}.{part}", "is not what it should be")


def _fits(value: Any, kind: str) -> bool:
    if kind == "#":
        return _is_whole(value)
    if kind == "class":
        return isinstance(value, str) and value in _CLASSES
    if kind == "day?":
        return value is None or _day(value) is not None
    return (
        isinstance(value, dict)
        and set(value) == _LATE_CLASSES
        and all(_is_whole(days) for days in value.values())
    )


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 500


def _all_of(values: list[Any], enum: type[StrEnum]) -> bool:
    return len(set(map(str, values))) == len(values) and all(
        isinstance(value, str) and value in set(enum) for value in values
    )


def _day(value: Any) -> date | None:
    if not isinstance(value, str) or len(value) != 10:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
