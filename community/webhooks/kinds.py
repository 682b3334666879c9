"""Of which records others can be told: of loans, calls, claims, cases and declared events.

A record says nothing but its kind, its subject's id and its instant. Kinds that would tell who
looked at what, or about members and their money in general, are not among them.
"""

from collections.abc import Collection, Sequence

from community.ledger.rules import RULES
from community.loans.models import LoanStatus
from community.seasons.models import EventStatus
from community.webhooks.errors import WebhookKindUnknown

# Written down as events of a book.
_RECORDED = (
    "loan.charge_added",
    "loan.charge_waived",
    "loan.cover_reserved",
    "loan.cover_short",
    "loan.endorsement_given",
    "loan.plan_change_undone",
    "loan.plan_changed",
    "loan.receipt_reversed",
    "call.dispute_resolved",
    "call.dispute_upheld",
    "call.disputed",
    "call.issued",
    "call.lapsed",
    "call.lowered",
    "call.promised",
    "guarantee.paid",
    "claim.settled",
    "claim.settlement_declined",
    "claim.settlement_reversed",
    "claim.settlement_stated",
    "claim.waived",
    "case.assigned",
    "case.closed",
    "case.escalated",
    "case.opened",
    "case.taken",
)
KINDS: tuple[str, ...] = tuple(
    sorted(
        {
            *_RECORDED,
            *(f"loan.{status.value}" for status in LoanStatus),
            *(f"declared_event.{status.value}" for status in EventStatus),
            # Booked as entries: what was paid, charged and given up.
            *(kind for kind in RULES if kind.startswith("loan.")),
        }
    )
)
FAMILIES: tuple[str, ...] = tuple(sorted({kind.partition(".")[0] for kind in KINDS}))


def check_kinds(asked: Sequence[str]) -> None:
    """Raises WebhookKindUnknown for what nobody could ever be told of."""
    known = (*KINDS, *(f"{family}.*" for family in FAMILIES))
    for kind in asked:
        if kind not in known:
            raise WebhookKindUnknown(
                f"kinds: {kind!r} is none; name kinds of `known`, or a family such as loan.*",
                field="kinds",
                known=list(known),
            )


def wanted(asked: Collection[str]) -> tuple[str, ...]:
    """The kinds that a list with families comes to."""
    return tuple(kind for kind in KINDS if kind in asked or f"{kind.partition('.')[0]}.*" in asked)
