"""How much a member can still draw on a line on a day, and why not more. Pure."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from community.lines.models import CreditLine, CreditLineShare, LineStatus
from community.money import say_amount


@dataclass(frozen=True, slots=True)
class Headroom:
    """What is left of a line and of one sub-limit on it."""

    line: str  # public id
    name: str
    version: int
    limit_minor: int
    used_minor: int
    sub_limit_minor: int
    sub_limit_used_minor: int
    # Why nothing can be drawn at all; empty: something can.
    closed_because: str = ""

    @property
    def line_minor(self) -> int:
        """What the line still gives, to whomever."""
        return 0 if self.closed_because else max(0, self.limit_minor - self.used_minor)

    @property
    def sub_limit_left_minor(self) -> int:
        """What the sub-limit still gives."""
        return max(0, self.sub_limit_minor - self.sub_limit_used_minor)

    def after(self, drawn_minor: int, own_minor: int) -> "Headroom":
        """The same once so much more is drawn, of which `own_minor` by this member."""
        return replace(
            self,
            used_minor=self.used_minor + drawn_minor,
            sub_limit_used_minor=self.sub_limit_used_minor + own_minor,
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What it was worked out from."""
        found = {
            "line": self.line,
            "name": self.name,
            "line_limit_minor": self.limit_minor,
            "line_used_minor": self.used_minor,
            "line_headroom_minor": self.line_minor,
            "sub_limit_minor": self.sub_limit_minor,
            "sub_limit_used_minor": self.sub_limit_used_minor,
            "sub_limit_headroom_minor": self.sub_limit_left_minor,
        }
        return found | ({"reason": self.closed_because} if self.closed_because else {})


def headroom_of(
    line: CreditLine,
    share: CreditLineShare | None,
    *,
    on: date,
    product_id: int | None,
    late_minor: int = 0,
    late_bps_max: int = 10_000,
) -> Headroom:
    """What is left for a member with this sub-limit (None: with none), for a product if known.

    `late_minor` of what is drawn is late; the charter says above which share nobody draws.
    """
    return Headroom(
        line=line.public_id,
        name=line.name,
        version=line.version,
        limit_minor=line.limit_on(on),
        used_minor=line.used_minor,
        sub_limit_minor=0 if share is None else share.limit_on(on),
        sub_limit_used_minor=0 if share is None else share.used_minor,
        closed_because=why_closed(line, on=on, product_id=product_id)
        or _why_stopped(line, late_minor, late_bps_max),
    )


def why_closed(line: CreditLine, *, on: date, product_id: int | None) -> str:
    """Why nobody can draw on a line on a day; empty if they can."""
    if line.status is not LineStatus.ACTIVE:
        return f"The line is {line.status.value}."
    if not line.from_on <= on <= line.until_on:
        return f"The line runs from {line.from_on} to {line.until_on}."
    if line.product_id is not None and product_id is not None and line.product_id != product_id:
        return "The line is for another product."
    return ""


def _why_stopped(line: CreditLine, late_minor: int, late_bps_max: int) -> str:
    if late_minor * 10_000 <= line.used_minor * late_bps_max:
        return ""
    return (
        f"{say_amount(late_minor, line.currency)} of what is drawn on the line is"
        f" late; the charter stops new draws above {late_bps_max} of 10,000 (line_late_bps_max)."
    )
