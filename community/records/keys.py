"""Public keys as they are published and saved: a JWK set of OKP keys with their days. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from community.records.signing import ALGORITHM, KeyUnusable, fingerprint, read_x

KEYS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key and the days on which it signed."""

    x: str
    # None: not known, so any day.
    from_on: date | None = None
    # None: it signs still.
    until_on: date | None = None
    # Its private half is in wrong hands: nothing that it signed counts, of whatever day.
    revoked_on: date | None = None

    @property
    def kid(self) -> str:
        """Its fingerprint."""
        return fingerprint(self.x)

    def signed_on(self, day: date) -> bool:
        """Whether it was in use on a day."""
        return (self.from_on is None or self.from_on <= day) and (
            self.until_on is None or day <= self.until_on
        )


def key_document(key: PublicKey) -> dict[str, Any]:
    """A key as it is published. The days are members of our own, which a JWK may have."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": key.x,
        "kid": key.kid,
        "alg": ALGORITHM,
        "use": "sig",
        "from_on": _text(key.from_on),
        "until_on": _text(key.until_on),
        "revoked_on": _text(key.revoked_on),
    }


def read_keys(document: Any) -> dict[str, PublicKey]:
    """The keys of a published set, by fingerprint. Raises KeyUnusable.

    A key under another name than its fingerprint is refused: it would stand in for another one.
    """
    listed = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise KeyUnusable("a key set is an object with a list `keys`")
    found: dict[str, PublicKey] = {}
    for item in listed:
        key = _read_key(item)
        if key.kid in found:
            raise KeyUnusable(f"the key {key.kid} is there twice")
        found[key.kid] = key
    return found


def by_kid(keys: Iterable[PublicKey]) -> dict[str, PublicKey]:
    """Keys by their fingerprint."""
    return {key.kid: key for key in keys}


def _read_key(item: Any) -> PublicKey:
    if not isinstance(item, Mapping) or (item.get("kty"), item.get("crv")) != ("OKP", "Ed25519"):
        raise KeyUnusable("every key is of the type OKP on the curve Ed25519")
    if item.get("alg", ALGORITHM) != ALGORITHM or "d" in item:
        raise KeyUnusable("every key is a public one for EdDSA")
    x = item.get("x")
    if not isinstance(x, str):
        raise KeyUnusable("a key has no x")
    read_x(x)
    if item.get("kid", fingerprint(x)) != fingerprint(x):
        raise KeyUnusable(f"the key {item.get('kid')!r} does not have its own fingerprint as kid")
    try:
        days = [_day(item.get(name)) for name in ("from_on", "until_on", "revoked_on")]
    except (TypeError, ValueError):
        raise KeyUnusable("a key's days are dates such as 2026-11-23, or null") from None
    return PublicKey(x, *days)


def _day(value: Any) -> date | None:
    return None if value is None else date.fromisoformat(value)


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
