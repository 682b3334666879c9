"""Where nothing is ever sent: a receiver must not be a way into the network of the platform."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from community.webhooks.errors import WebhookUrlRefused

_LONGEST = 500
# Ways of writing an IPv4 address into an IPv6 one: what is meant is behind a translator.
_TRANSLATED = tuple(
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings allow beyond TLS and public addresses."""

    http: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class Receiver:
    """An address in its parts."""

    secure: bool
    host: str
    port: int
    target: str


def read_url(url: str, rules: Rules) -> Receiver:
    """The parts of a receiver's address. Raises WebhookUrlRefused."""
    schemes = ("https", "http") if rules.http else ("https",)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("is no address; write it like https://example.org/hooks") from None
    if len(url) > _LONGEST or not url.isascii() or any(c <= " " or c == "\\" for c in url):
        raise _refused(f"has to be at most {_LONGEST} characters of ASCII without spaces")
    if parts.scheme not in schemes:
        raise _refused("has to begin with https://; nothing is sent without TLS")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused("must carry no name, password or fragment; the signature says who sends")
    host = parts.hostname or ""
    if not host or port == 0:
        raise _refused("names no host; write it like https://example.org/hooks")
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        if "." not in host and not rules.private:
            raise _refused("has to name a host of the internet, with its whole name") from None
    else:
        if not is_allowed(str(literal), rules):
            raise _refused("is inside a private network, to which nothing is sent")
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Receiver(secure, host, port or (443 if secure else 80), target)


def is_allowed(address: str, rules: Rules) -> bool:
    """Whether something may be sent to an IP address, looked up just now."""
    place = ipaddress.ip_address(address)
    place = getattr(place, "ipv4_mapped", None) or place
    # Where clouds keep the keys of a machine: never, whatever the settings allow.
    if place.is_link_local or place.is_multicast or place.is_unspecified:
        return False
    if place.is_reserved and not place.is_loopback:
        return False
    if any(place in network for network in _TRANSLATED if network.version == place.version):
        return False
    return place.is_global or rules.private


def _refused(why: str) -> WebhookUrlRefused:
    return WebhookUrlRefused(f"url: {why}.", field="url")
