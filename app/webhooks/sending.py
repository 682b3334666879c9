"""Sending one delivery: to the address that was looked up and found allowed, and nowhere else.

No redirect is followed and no answer read beyond its status: a receiver cannot make the platform
ask for anything, nor keep it waiting longer than WEBHOOK_TIMEOUT_SECONDS.
"""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from flask import current_app

from community.webhooks.addresses import Receiver, Rules, is_allowed, read_url
from community.webhooks.errors import WebhookUrlRefused
from community.webhooks.service import Parcel, Result, Retries
from community.webhooks.signing import Sealer, SecretUnreadable, signed_headers
from config.settings import Settings


def _settings() -> Settings:
    settings: Settings = current_app.extensions["settings"]
    return settings


def address_rules() -> Rules:
    """What the settings allow of receivers."""
    settings = _settings()
    return Rules(http=settings.webhook_http, private=settings.webhook_private_addresses)


def sealer() -> Sealer:
    """Seals and opens secrets by the keys of the settings."""
    settings = _settings()
    return _sealer(settings.webhook_keys or settings.secret_key)


@lru_cache(maxsize=4)
def _sealer(keys: str) -> Sealer:
    return Sealer([key.strip() for key in keys.split(",")])


def retries() -> Retries:
    """How often and when, as the settings say."""
    settings = _settings()
    return Retries(
        settings.webhook_attempts,
        timedelta(seconds=settings.webhook_retry_first_seconds),
        timedelta(seconds=settings.webhook_retry_most_seconds),
    )


def send(parcel: Parcel, *, now: datetime) -> Result:
    """Sign a delivery, send it, and say what came of it. Never raises for what a receiver does."""
    body = json.dumps(parcel.document, ensure_ascii=False, separators=(",", ":")).encode()
    try:
        secret = sealer().open(parcel.secret_sealed)
    except SecretUnreadable:
        return Result(None, "no key of WEBHOOK_KEYS opens the secret; renew it")
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "lianbao-webhooks",
        "Connection": "close",
        **signed_headers(
            secret, delivery=parcel.public_id, sent_at=int(now.timestamp()), body=body
        ),
    }
    rules = address_rules()
    try:
        receiver = read_url(parcel.url, rules)
        address = _looked_up(receiver, rules)
    except WebhookUrlRefused as refusal:
        return Result(None, refusal.detail)
    except (OSError, UnicodeError):
        return Result(None, "the receiver's name was not found")
    try:
        status = _post(receiver, address, headers, body, _settings().webhook_timeout_seconds)
    except TimeoutError:
        return Result(None, "the receiver did not answer in time")
    except ssl.SSLError as fault:
        return Result(None, f"TLS: {fault.reason or 'failed'}")
    except (OSError, http.client.HTTPException) as fault:
        return Result(None, f"the connection failed: {type(fault).__name__}")
    if 300 <= status < 400:
        return Result(status, f"{status}: redirects are not followed")
    return Result(status, "" if 200 <= status < 300 else f"{status}: not taken")


def _looked_up(receiver: Receiver, rules: Rules) -> str:
    """An address of the receiver's. All have to be allowed: which one answers is its choice."""
    found = socket.getaddrinfo(receiver.host, receiver.port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not all(is_allowed(address, rules) for address in addresses):
        raise WebhookUrlRefused("url: leads into a private network, to which nothing is sent.")
    return addresses[0]


def _post(
    receiver: Receiver, address: str, headers: Mapping[str, str], body: bytes, seconds: float
) -> int:
    """The status of one POST to this very address; the name is asked no second time."""
    connection: Any = http.client.HTTPConnection(receiver.host, receiver.port, timeout=seconds)
    plain = socket.create_connection((address, receiver.port), timeout=seconds)
    connection.sock = plain
    late = threading.Event()

    def cut() -> None:
        # A receiver that sends a byte now and then would never be late for any one of them.
        late.set()
        with suppress(OSError):
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    limit = threading.Timer(seconds, cut)
    limit.daemon = True
    limit.start()
    try:
        if receiver.secure:
            connection.default_port = http.client.HTTPS_PORT
            connection.sock = ssl.create_default_context().wrap_socket(
                plain, server_hostname=receiver.host, do_handshake_on_connect=False
            )
            connection.sock.do_handshake()
        connection.request("POST", receiver.target, body=body, headers=dict(headers))
        status: int = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        if late.is_set():
            raise TimeoutError from None
        raise
    finally:
        limit.cancel()
        connection.close()
    return status
