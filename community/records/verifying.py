"""Whether a record holds: signature, key, days, recipient, revocation. Pure, and needs no network.

The answer names everything that fails. Of a text whose signature does not hold nothing is shown: it
says whatever its writer liked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from community.records import signing, statement
from community.records.keys import PublicKey
from community.records.signing import NotReadable, SignedText

LIST_KIND = "lianbao-revocations+jwt"


class Fault(StrEnum):
    """Why a record does not hold."""

    MALFORMED = "malformed"
    HEADER = "header"
    KEY_UNKNOWN = "key-unknown"
    KEY_REVOKED = "key-revoked"
    KEY_NOT_IN_USE = "key-not-in-use"
    SIGNATURE = "signature"
    FIELD = "field"
    NOT_YET = "not-yet"
    EXPIRED = "expired"
    REVOKED = "revoked"
    AUDIENCE = "audience"
    LIST = "revocation-list"
    LIST_TOO_OLD = "revocation-list-too-old"


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that fails, in plain words."""

    fault: Fault
    detail: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Revocations:
    """A signed list of revoked records, as of a day."""

    issued_on: date
    records: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a record is worth on a day. `payload` is there only if the signature holds."""

    failures: tuple[Failure, ...]
    payload: Mapping[str, Any] | None
    kid: str | None
    # As of when revocations are known; None: they were not looked at.
    revocations_on: date | None = None

    @property
    def holds(self) -> bool:
        return not self.failures


def verify_record(
    text: str,
    *,
    keys: Mapping[str, PublicKey],
    on: date,
    audience: str | None = None,
    revocations: str | Revocations | None = None,
) -> Verdict:
    """Whether a signed record holds on a day, by these keys; for a recipient, if one is named.

    `revocations` is a saved list, signed by one of the same keys, or one that was read already;
    without it nothing is said of revocation.
    """
    signed, failures = _opened(text.strip(), statement.KIND, keys)
    if signed is None or failures:
        return Verdict(tuple(failures), None, None if signed is None else signed.kid)
    try:
        payload = signing.read_object(signed.payload, Fault.FIELD)
    except NotReadable as error:
        return Verdict((Failure(Fault.FIELD, str(error)),), None, signed.kid)
    failures += [
        Failure(Fault.FIELD, f"{fault.field} {fault.detail}", fault.field)
        for fault in statement.faults_of(payload)
    ]
    if failures:
        return Verdict(tuple(failures), None, signed.kid)
    failures += _days(payload, keys[signed.kid], on)
    if audience is not None and payload["aud"] != audience:
        failures.append(
            Failure(Fault.AUDIENCE, f"The record is for {payload['aud']!r}, not for you.", "aud")
        )
    if isinstance(revocations, str):
        revocations, list_failures = read_revocations(revocations, keys=keys, on=on)
        failures += list_failures
    if revocations is None:
        return Verdict(tuple(failures), payload, signed.kid)
    failures += _revoked(payload, revocations)
    return Verdict(tuple(failures), payload, signed.kid, revocations.issued_on)


def read_revocations(
    text: str, *, keys: Mapping[str, PublicKey], on: date
) -> tuple[Revocations | None, list[Failure]]:
    """A signed list of revoked records, or what is wrong with it."""
    signed, failures = _opened(text.strip(), LIST_KIND, keys)
    if signed is None or failures:
        said = failures[0].detail if failures else ""
        return None, [Failure(Fault.LIST, f"The list of revocations does not hold: {said}")]
    try:
        payload = signing.read_object(signed.payload, Fault.LIST)
        issued_on = date.fromisoformat(payload["issued_on"])
        records = payload["records"]
        if set(payload) != {"v", "iat", "issued_on", "records"} or payload["v"] != 1:
            raise ValueError("it has other fields than a list of revocations")
        if not isinstance(records, list) or not all(isinstance(item, str) for item in records):
            raise ValueError("its records are not ids")
    except (NotReadable, KeyError, TypeError, ValueError) as error:
        return None, [Failure(Fault.LIST, f"The list of revocations cannot be read: {error}.")]
    if not keys[signed.kid].signed_on(issued_on) or issued_on > on:
        return None, [Failure(Fault.LIST, f"The list is dated {issued_on}, and could not be.")]
    return Revocations(issued_on, frozenset(records)), []


def list_payload(*, issued_on: date, issued_at: int, records: list[str]) -> dict[str, Any]:
    """A list of revoked records, to be signed: their ids and nothing else of them."""
    return {
        "v": 1,
        "iat": issued_at,
        "issued_on": issued_on.isoformat(),
        "records": sorted(records),
    }


def _opened(
    text: str, kind: str, keys: Mapping[str, PublicKey]
) -> tuple[SignedText | None, list[Failure]]:
    try:
        signed = signing.read_text(text, kind)
    except NotReadable as error:
        return None, [Failure(Fault(error.fault), str(error))]
    key = keys.get(signed.kid)
    if key is None:
        return signed, [Failure(Fault.KEY_UNKNOWN, "The key that it names is not among yours.")]
    if not signed.is_signed_by(key.x):
        return signed, [
            Failure(
                Fault.SIGNATURE,
                "The signature does not fit: the text was altered, or signed by another key.",
            )
        ]
    if key.revoked_on is not None:
        return signed, [
            Failure(
                Fault.KEY_REVOKED,
                f"The key was revoked on {key.revoked_on}: anybody may have signed with it.",
            )
        ]
    return signed, []


def _days(payload: Mapping[str, Any], key: PublicKey, on: date) -> list[Failure]:
    found = []
    issued_on = date.fromisoformat(payload["issued_on"])
    expires_on = date.fromisoformat(payload["expires_on"])
    if not key.signed_on(issued_on):
        found.append(
            Failure(
                Fault.KEY_NOT_IN_USE,
                f"The key was not in use on {issued_on}, when the record says it was issued.",
                "issued_on",
            )
        )
    if issued_on > on:
        found.append(
            Failure(Fault.NOT_YET, f"It is dated {issued_on}, a day to come.", "issued_on")
        )
    if expires_on < on:
        found.append(Failure(Fault.EXPIRED, f"It expired on {expires_on}.", "expires_on"))
    return found


def _revoked(payload: Mapping[str, Any], known: Revocations) -> list[Failure]:
    if payload["jti"] in known.records:
        return [Failure(Fault.REVOKED, "The member or the issuer has revoked it.", "jti")]
    issued_on = date.fromisoformat(payload["issued_on"])
    if known.issued_on < issued_on:
        return [
            Failure(
                Fault.LIST_TOO_OLD,
                f"The list is of {known.issued_on}, older than the record: fetch a new one.",
            )
        ]
    return []
