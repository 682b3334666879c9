"""Secrets and signatures, as the Standard Webhooks specification has them.

The secret is `whsec_` and random bytes in base64; the signature is HMAC-SHA256 over the delivery's
id, the instant of sending and the body, so that neither can be changed, nor sent again much later.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PREFIX = "whsec_"
_BYTES = 32


class SecretUnreadable(Exception):
    """None of the keys of the settings opens the secret."""


class Sealer:
    """Seals secrets for the database by the first key, opens them by any."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in keys])

    def seal(self, secret: str) -> str:
        """What the database keeps."""
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """The secret again. Raises SecretUnreadable."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable() from None


def new_secret() -> str:
    """A secret for one receiver."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed_headers(secret: str, *, delivery: str, sent_at: int, body: bytes) -> dict[str, str]:
    """What a receiver needs to know that the body is ours, and when it was sent."""
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": f"v1,{_signature(secret, delivery, sent_at, body)}",
    }


def _signature(secret: str, delivery: str, sent_at: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    content = f"{delivery}.{sent_at}.".encode() + body
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def _derived(key: str) -> bytes:
    # A key of its own, also where the setting serves other uses.
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"lianbao webhook secrets")
    return base64.urlsafe_b64encode(kdf.derive(key.encode()))
