"""Small books for tests of the ledger: a community, a member, an entry at a time."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from community.communities.models import Community, CommunityKind
from community.ledger import rules
from community.ledger.events import record_event
from community.ledger.holds import place_hold, post_hold
from community.ledger.rules import Leg
from community.ledger.service import post
from community.members.models import Member, MemberKind
from community.money import Money

NOW = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)
DAY = date(2026, 5, 4)


def a_community(session: Session, reference: str = "v1") -> Community:
    community = Community(
        kind=CommunityKind.REGION,
        name="Willow Bend",
        reference=reference,
        currency="CNY",
        path="/",
        created_at=NOW,
    )
    session.add(community)
    session.flush()
    community.path = f"/{community.id}/"
    return community


def a_member(session: Session) -> Member:
    member = Member(kind=MemberKind.PERSON, name="Li Na", created_at=NOW)
    session.add(member)
    session.flush()
    return member


def book(
    session: Session,
    community_id: int,
    legs: list[Leg],
    on: date = DAY,
    value_on: date | None = None,
    kind: str = "test.entry",
) -> int:
    """Post one entry in yuan; returns its id."""
    return post(
        session,
        community_id=community_id,
        currency="CNY",
        kind=kind,
        legs=legs,
        on=on,
        now=NOW,
        reference="test",
        value_on=value_on,
    )


def a_book_with_records(session: Session) -> Community:
    """Entries 1 (deposit), 2 (stake) and 3 (a hold posted), holds 1 (posted) and 2 (pending).

    Records 1 to 3 of the chain are the entries; 4 to 7 are events, the last of them nobody's hold.
    Accounts: 1 savings cash, 2 savings, 3 stake.
    """
    community, member = a_community(session), a_member(session)
    book(session, community.id, rules.savings_deposited(member.id, 900))
    book(session, community.id, rules.stake_locked({member.id: 400}))
    for amount in (100, 50):
        hold = place_hold(
            session,
            community_id=community.id,
            member_id=member.id,
            amount=Money(amount, "CNY"),
            reason="seed",
            on=DAY,
            expires_on=DAY + timedelta(days=9),
            now=NOW,
            actor_id=None,
        )
        if amount == 100:
            post_hold(
                session,
                hold_id=hold.id,
                amount_minor=60,
                kind="savings.withdrawal",
                legs=rules.savings_withdrawn(member.id, 60),
                reference="test",
                on=DAY,
                now=NOW,
                actor_id=None,
            )
    record_event(
        session,
        community_id=community.id,
        kind="test.happened",
        subject="x",
        actor_id=member.id,
        now=NOW,
        facts={"why": "because"},
    )
    session.commit()
    return community
