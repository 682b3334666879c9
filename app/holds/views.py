"""Holds with the ids of whom and where."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.ledger.holds import accounts_of_holds
from community.ledger.models import Hold
from community.members import queries as members

_COLUMNS = (
    "amount_minor",
    "posted_minor",
    "state",
    "reason",
    "reference",
    "placed_on",
    "expires_on",
    "placed_at",
    "ended_on",
    "end_reason",
)


def hold_views(session: Session, holds: Sequence[Hold]) -> list[dict[str, Any]]:
    """Holds in the order given; three statements, however many."""
    accounts = accounts_of_holds(session, holds)
    places = communities.get_communities_by_id(
        session, (account.community_id for account in accounts.values())
    )
    people = members.names_of(session, (account.member_id for account in accounts.values()))
    views = []
    for hold in holds:
        account = accounts[hold.account_id]
        views.append(
            {
                "id": hold.public_id,
                "community": places[account.community_id].public_id,
                "member": people[account.member_id].public_id,
                "currency": account.currency,
                **{name: getattr(hold, name) for name in _COLUMNS},
            }
        )
    return views
