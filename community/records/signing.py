"""Signed texts: compact JWS with EdDSA over Ed25519 (RFC 7515, 8037). Pure.

Reading is strict, so that one statement has one text: no padding, no stray bits, no key named
twice, no header beyond the three that are written here. Of algorithms there is one; what the text
itself says of its algorithm or its key is never followed.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

ALGORITHM = "EdDSA"
# A record has a few thousand characters, a list of 10,000 revoked records some 200,000.
TEXT_MAX = 1_000_000

_PART = re.compile(r"[A-Za-z0-9_-]*")
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_HEADER = frozenset({"alg", "kid", "typ"})


class NotReadable(Exception):
    """A text that is not what it should be; `fault` says of which kind, the text says why."""

    def __init__(self, fault: str, detail: str) -> None:
        self.fault = fault
        super().__init__(detail)


class KeyUnusable(Exception):
    """No Ed25519 key can be read from this."""


@dataclass(frozen=True, slots=True)
class Signer:
    """The private key with which records are signed now."""

    private: Ed25519PrivateKey

    @property
    def x(self) -> str:
        """The public key, as a JWK writes it."""
        raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return encode(raw)

    @property
    def kid(self) -> str:
        """The key's fingerprint."""
        return fingerprint(self.x)

    def sign(self, kind: str, payload: Mapping[str, Any]) -> str:
        """The payload as a signed text of this kind (the header's `typ`)."""
        header = {"alg": ALGORITHM, "kid": self.kid, "typ": kind}
        signed = f"{encode(_written(header))}.{encode(_written(payload))}"
        return f"{signed}.{encode(self.private.sign(signed.encode()))}"


@dataclass(frozen=True, slots=True)
class SignedText:
    """A text as it claims to be; nothing of it is true before `is_signed_by` says so."""

    kid: str
    payload: bytes
    signed: bytes
    signature: bytes

    def is_signed_by(self, x: str) -> bool:
        """Whether this public key's owner signed exactly this text."""
        try:
            Ed25519PublicKey.from_public_bytes(read_x(x)).verify(self.signature, self.signed)
        except (InvalidSignature, ValueError, KeyUnusable):
            return False
        return True


def read_text(text: str, kind: str) -> SignedText:
    """Take a signed text of a kind apart. Raises NotReadable."""
    if len(text) > TEXT_MAX:
        raise NotReadable("malformed", "The text is too long.")
    parts = text.split(".")
    if len(parts) != 3:
        raise NotReadable("malformed", "A signed text has three parts with dots between them.")
    header_bytes, payload, signature = (_decoded(part) for part in parts)
    if len(signature) != _SIGNATURE_BYTES:
        raise NotReadable("signature", "The signature does not have 64 bytes.")
    header = read_object(header_bytes, "header")
    if set(header) != _HEADER:
        raise NotReadable("header", "The header says alg, kid and typ, and nothing else.")
    if header["alg"] != ALGORITHM:
        raise NotReadable("header", "The only algorithm is EdDSA.")
    if header["typ"] != kind:
        raise NotReadable("header", f"The text is not of the kind {kind}.")
    if not isinstance(header["kid"], str):
        raise NotReadable("header", "The header does not name the key.")
    return SignedText(header["kid"], payload, f"{parts[0]}.{parts[1]}".encode(), signature)


def read_object(raw: bytes, fault: str) -> dict[str, Any]:
    """A JSON object of whole numbers, texts and truth values, no name twice. Raises NotReadable."""

    def refuse(_value: str) -> Any:
        raise ValueError("not a whole number")

    def whole(value: str) -> int:
        if len(value) > 20:
            raise ValueError("the number is too long")
        return int(value)

    try:
        found = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_once_each,
            parse_float=refuse,
            parse_int=whole,
            parse_constant=refuse,
        )
    except (ValueError, RecursionError) as error:
        raise NotReadable(fault, f"This part is not as it is written here: {error}.") from None
    if not isinstance(found, dict):
        raise NotReadable(fault, "This part is not a JSON object.")
    return found


def load_signer(pem: bytes) -> Signer:
    """The signer of a private key in PEM (PKCS #8, without a password). Raises KeyUnusable."""
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable("this is no private key in PEM without a password") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyUnusable("the key is not an Ed25519 key")
    return Signer(private)


def new_private_pem() -> bytes:
    """A new private key, in PEM."""
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def fingerprint(x: str) -> str:
    """A public key's thumbprint (RFC 7638): its key id, which nobody chooses."""
    document = {"crv": "Ed25519", "kty": "OKP", "x": x}
    return encode(hashlib.sha256(_written(document)).digest())


def read_x(x: str) -> bytes:
    """The bytes of a public key. Raises KeyUnusable."""
    try:
        raw = _decoded(x)
    except NotReadable:
        raise KeyUnusable("the public key is not base64url") from None
    if len(raw) != _KEY_BYTES:
        raise KeyUnusable("a public key has 32 bytes")
    return raw


def encode(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(part: str) -> bytes:
    if not _PART.fullmatch(part):
        raise NotReadable("malformed", "There are characters that base64url does not have.")
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (ValueError, binascii.Error):
        raise NotReadable("malformed", "A part is cut off.") from None
    # The last character may carry bits that mean nothing: then two texts would say the same.
    if encode(raw) != part:
        raise NotReadable("malformed", "A part has stray bits at its end.")
    return raw


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _written(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()
