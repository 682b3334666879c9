"""Standing and promises for tests, on the small village of `tests.lending`.

Every step here is a unit of work of its own: it commits, so that locks and events end with it.
"""

import random
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import networkx as nx
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.credit import service as credit
from community.loans.models import Loan
from community.members.models import Member
from community.savings import service as savings
from community.trust import service as trust
from community.trust.models import AssessmentKind, Standing, Vouch, VouchSide, VouchStatus
from community.vouching.records import figures_of
from tests.lending import NOW, TODAY, Village, cny, make_village

YEAR_LATER = TODAY + timedelta(days=365)


def trusting_village(session: Session, **charter: Any) -> Village:
    """A village in which applications need no endorsement; `charter` changes further rules."""
    return make_village(session, {"endorsements_min": 0, **charter})


def stake(village: Village, member: Member, minor: int, community_id: int | None = None) -> None:
    """Bring savings and lock them."""
    facts: dict[str, Any] = {
        "community_id": community_id or village.village.id,
        "member_id": member.id,
        "amount": cny(minor),
        "on": TODAY,
        "now": NOW,
        "actor_id": member.id,
    }
    savings.deposit(village.session, **facts)
    village.session.commit()
    trust.lock_stake(village.session, **facts)
    village.session.commit()


def staked(village: Village, name: str, minor: int) -> Member:
    """A new member with a stake."""
    member = village.person(name)
    stake(village, member, minor)
    return member


def assess(
    village: Village,
    member: Member,
    minor: int,
    kind: AssessmentKind = AssessmentKind.STANDING,
    expires_on: date = YEAR_LATER,
) -> Any:
    """Grant an assessment."""
    grant = trust.grant_assessment(
        village.session,
        community_id=village.village.id,
        member_id=member.id,
        kind=kind,
        amount=cny(minor),
        evidence="blind review of the village",
        expires_on=expires_on,
        on=TODAY,
        now=NOW,
        actor_id=None,
    )
    village.session.commit()
    return grant


def offer(
    village: Village,
    voucher: Member,
    borrower: Member,
    minor: int,
    side: VouchSide = VouchSide.VOUCHER,
    expires_on: date = YEAR_LATER,
) -> Vouch:
    """One side speaks."""
    made = trust.offer_vouch(
        village.session,
        community_id=village.village.id,
        voucher_id=voucher.id,
        borrower_id=borrower.id,
        side=side,
        limit=cny(minor),
        expires_on=expires_on,
        on=TODAY,
        now=NOW,
        actor_id=voucher.id if side is VouchSide.VOUCHER else borrower.id,
        records_of=figures_of,
    )
    village.session.commit()
    return made


def vouch(
    village: Village,
    voucher: Member,
    borrower: Member,
    minor: int,
    expires_on: date = YEAR_LATER,
) -> Vouch:
    """Both sides have spoken."""
    open_offer = offer(village, voucher, borrower, minor, expires_on=expires_on)
    live = trust.accept_vouch(
        village.session,
        vouch_id=open_offer.id,
        on=TODAY,
        now=NOW,
        actor_id=borrower.id,
        records_of=figures_of,
    )
    village.session.commit()
    return live


def approve(village: Village, borrower: Member, minor: int, **changes: Any) -> Loan:
    """Apply and approve, cover and all."""
    loan = village.applied(borrower, minor, **changes)
    village.session.commit()
    credit.approve_loan(village.session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=None)
    village.session.commit()
    return loan


def mark_overdue(session: Session, member: Member, since_on: date | None = TODAY) -> None:
    """Mark a member's standings as a late loan would."""
    for standing in session.scalars(select(Standing).where(Standing.member_id == member.id)):
        standing.overdue_since_on = since_on
    session.commit()


def random_village(session: Session, seed: int, size: int = 14, **charter: Any) -> Village:
    """People with stakes and assessments, and promises between them at random."""
    rng = random.Random(seed)
    village = trusting_village(session, loan_cycle_steps_minor=[10_000_000], **charter)
    for number in range(size):
        member = village.person(f"Member {number}")
        if rng.random() < 0.8:
            stake(village, member, rng.randint(1, 60) * 10_00)
        if rng.random() < 0.4:
            assess(village, member, rng.randint(1, 60) * 10_00)
    for voucher in village.people:
        for borrower in village.people:
            if voucher is not borrower and rng.random() < 0.35:
                vouch(village, voucher, borrower, rng.randint(1, 50) * 10_00)
    return village


def layered_flow(session: Session, community_id: int, borrower_id: int, on: date) -> int:
    """Cover along at most two promises, on a network spelt out and solved by NetworkX.

    Reads the rows by itself; nothing here is shared with the code under test.
    """
    free: dict[int, int] = {}
    late: set[int] = set()
    for row in session.scalars(select(Standing).where(Standing.community_id == community_id)):
        lapsed = row.assessed_until_on is not None and row.assessed_until_on < on
        assessed = 0 if lapsed else row.assessed_minor
        free[row.member_id] = max(0, row.stake_minor + assessed - row.reserved_minor)
        if row.overdue_since_on is not None:
            late.add(row.member_id)
            free[row.member_id] = 0
    network = nx.DiGraph()
    network.add_edge("pool", "borrower", capacity=free.get(borrower_id, 0))
    for member, amount in free.items():
        network.add_edge("pool", ("budget", member), capacity=amount)
        network.add_edge(("budget", member), ("direct", member), capacity=amount)
    for row in _live(session, community_id, on):
        if row.voucher_id == borrower_id or row.voucher_id in late:
            continue
        room = row.limit_minor - row.reserved_minor - row.spent_minor
        if row.borrower_id == borrower_id:
            start, end = ("direct", row.voucher_id), "borrower"
        else:
            start, end = ("budget", row.voucher_id), ("direct", row.borrower_id)
        # A node of its own keeps the promise apart from the arc that carries own standing.
        network.add_edge(start, ("vouch", row.id), capacity=room)
        network.add_edge(("vouch", row.id), end, capacity=room)
    return int(nx.maximum_flow_value(network, "pool", "borrower"))


def _live(session: Session, community_id: int, on: date) -> Iterable[Vouch]:
    return session.scalars(
        select(Vouch).where(
            Vouch.community_id == community_id,
            Vouch.status == VouchStatus.LIVE,
            Vouch.expires_on >= on,
        )
    )
