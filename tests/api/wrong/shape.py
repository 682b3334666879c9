"""What a line of the table of wrong requests is, and the words that many lines share."""

from dataclasses import dataclass, field
from typing import Any

# An If-Match header with the version that the caller has just read.
FRESH = "as just read"


@dataclass(frozen=True)
class Raw:
    """A body as it goes over the wire, with its media type (None: not said)."""

    text: str | bytes
    media_type: str | None = "application/json"


@dataclass(frozen=True)
class Wrong:
    """A wrong request, and the problem that answers it."""

    name: str
    who: str | None
    request: str
    body: dict[str, Any] | Raw | None
    # Its status and its type.
    problem: str
    headers: dict[str, str | None] = field(default_factory=dict)


def money(amount: Any, currency: Any = "CNY") -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


def paid(amount: Any, currency: Any = "CNY", **more: Any) -> dict[str, Any]:
    return {"amount": money(amount, currency), **more}


VILLAGE = "/communities/@village"
WANG = f"{VILLAGE}/members/@wang"
DEPOSIT = f"POST {WANG}/savings/deposits"
WITHDRAW = f"POST {WANG}/savings/withdrawals"
HOLD = f"POST {WANG}/holds"
UNTIL = {"expires_on": "2027-01-01", "reason": "seed"}
NOBODY = "mem_0000000000000000"
FIVE = paid("5.00")
WHY = {"reason": "so it was decided"}
