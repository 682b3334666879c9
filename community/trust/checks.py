"""Proving that standings are real: stakes as the books say, assessments as they were granted."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from community.communities.models import Charter
from community.groups.models import Group, GroupMember, GroupMemberStatus, GroupStatus
from community.ledger.checks import Breach
from community.ledger.models import Account, AccountKind, Book
from community.trust.models import (
    Assessment,
    AssessmentKind,
    PromiseCheck,
    Standing,
    Vouch,
    VoucherBound,
    VouchStatus,
)
from community.trust.record_bounds import allowed_by_record


def check_trust(session: Session) -> Iterator[Breach]:
    """Law 2's ground: what can be reserved is there. (What is reserved: see guarantees.)"""
    yield from _stakes_are_in_the_books(session)
    yield from _assessments_were_granted(session)
    yield from _live_vouches_were_accepted(session)
    yield from _group_vouches_are_as_agreed(session)
    yield from _promises_were_within_caps(session)
    yield from _promises_were_within_records(session)


def _stakes_are_in_the_books(session: Session) -> Iterator[Breach]:
    # Credits are negative in the books.
    held = (
        select(
            Book.community_id,
            Account.member_id,
            func.sum(-Account.balance_minor).label("held"),
        )
        .join(Book, Book.id == Account.book_id)
        .where(Account.kind == AccountKind.MEMBER_STAKE)
        .group_by(Book.community_id, Account.member_id)
        .subquery()
    )
    same_place = (held.c.community_id == Standing.community_id) & (
        held.c.member_id == Standing.member_id
    )
    rows = session.execute(
        select(Standing.id, Standing.stake_minor, func.coalesce(held.c.held, 0))
        .outerjoin(held, same_place)
        .where(Standing.stake_minor != func.coalesce(held.c.held, 0))
        .order_by(Standing.id)
    )
    for row_id, stake, in_books in rows:
        yield Breach(2, "standings", str(row_id), f"stakes {stake}, the books hold {in_books}")
    homeless = session.execute(
        select(held.c.community_id, held.c.member_id, held.c.held)
        .outerjoin(Standing, same_place)
        .where(Standing.id.is_(None), held.c.held != 0)
        .order_by(held.c.community_id, held.c.member_id)
    )
    for community_id, member_id, in_books in homeless:
        yield Breach(
            2,
            "accounts",
            f"community {community_id}, member {member_id}",
            f"holds a stake of {in_books} that no standing shows",
        )


def _assessments_were_granted(session: Session) -> Iterator[Breach]:
    live = (
        select(
            Assessment.community_id,
            Assessment.member_id,
            func.sum(Assessment.amount_minor - Assessment.used_minor).label("granted"),
            func.min(Assessment.expires_on).label("until_on"),
        )
        .where(Assessment.kind == AssessmentKind.STANDING, Assessment.ended_at.is_(None))
        .group_by(Assessment.community_id, Assessment.member_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Standing.id,
            Standing.assessed_minor,
            Standing.assessed_until_on,
            func.coalesce(live.c.granted, 0),
            live.c.until_on,
        )
        .outerjoin(
            live,
            (live.c.community_id == Standing.community_id)
            & (live.c.member_id == Standing.member_id),
        )
        .order_by(Standing.id)
    )
    for row_id, assessed, until_on, granted, granted_until_on in rows:
        if assessed != granted:
            yield Breach(
                2, "standings", str(row_id), f"counts {assessed} as assessed, {granted} is granted"
            )
        elif assessed and until_on != granted_until_on:
            yield Breach(
                2,
                "standings",
                str(row_id),
                f"counts its assessment until {until_on}, it was granted until {granted_until_on}",
            )


def _live_vouches_were_accepted(session: Session) -> Iterator[Breach]:
    rows = session.scalars(
        select(Vouch.id)
        .where(Vouch.status == VouchStatus.LIVE, Vouch.accepted_at.is_(None))
        .order_by(Vouch.id)
    )
    for row_id in rows:
        yield Breach(2, "vouches", str(row_id), "is live though only one side has spoken")


def _group_vouches_are_as_agreed(session: Session) -> Iterator[Breach]:
    """A live promise of a group is between two who stand in it, with the cap that they signed."""
    giver, taker = aliased(GroupMember), aliased(GroupMember)
    rows = session.execute(
        select(Vouch.id, Vouch.limit_minor, Group.pair_cap_minor, Group.status, giver.id, taker.id)
        .join(Group, Group.id == Vouch.group_id)
        .outerjoin(giver, _stands(giver, Vouch.voucher_id))
        .outerjoin(taker, _stands(taker, Vouch.borrower_id))
        .where(Vouch.status == VouchStatus.LIVE)
        .order_by(Vouch.id)
    )
    for row_id, limit, cap, status, gives, takes in rows:
        if status is not GroupStatus.ACTIVE or None in (gives, takes):
            yield Breach(4, "vouches", str(row_id), "is live between members whom no group binds")
        elif limit != cap:
            yield Breach(4, "vouches", str(row_id), f"promises {limit}, the group agreed on {cap}")


def _promises_were_within_caps(session: Session) -> Iterator[Breach]:
    """What was found when a promise was made is what the charter of that day admits.

    Law 7 too: the caps beside the figures are those of the charter that the row names.
    """
    count_max = Charter.rules["guarantees_count_max"]["value"].as_integer()
    ratio = Charter.rules["guarantee_ratio_bps_max"]["value"].as_integer()
    rows = session.execute(
        select(
            PromiseCheck.id,
            PromiseCheck.count_after,
            PromiseCheck.count_max,
            PromiseCheck.promised_minor,
            PromiseCheck.base_minor,
            PromiseCheck.allowed_minor,
            count_max,
            ratio,
        )
        .join(Charter, Charter.id == PromiseCheck.charter_id)
        .order_by(PromiseCheck.id)
        .execution_options(yield_per=5_000)
    )
    for row_id, count, noted_max, promised, base, allowed, charter_max, bps in rows:
        admitted = base * bps // 10_000 if bps else None
        if (noted_max, allowed) != (charter_max, admitted):
            yield Breach(7, "promise_checks", str(row_id), "names caps that its charter has not")
        elif count > charter_max or (admitted is not None and promised > admitted):
            yield Breach(2, "promise_checks", str(row_id), "let a promise past the charter's caps")
    # A promise between two people never holds more than what was looked at when it was made.
    last = (
        select(PromiseCheck.vouch_id, func.max(PromiseCheck.promised_minor).label("most"))
        .where(PromiseCheck.vouch_id.is_not(None))
        .group_by(PromiseCheck.vouch_id)
        .subquery()
    )
    more = session.scalars(
        select(Vouch.id)
        .join(last, last.c.vouch_id == Vouch.id)
        .where(
            or_(Vouch.status == VouchStatus.LIVE, Vouch.reserved_minor > 0),
            Vouch.limit_minor - Vouch.spent_minor > last.c.most,
        )
        .order_by(Vouch.id)
    )
    for row_id in more:
        yield Breach(2, "vouches", str(row_id), "promises more than was looked at when it was made")


def _promises_were_within_records(session: Session) -> Iterator[Breach]:
    """What a record admitted is what the charter of that day makes of it, beside the same check."""
    bps = Charter.rules["voucher_bound_bps"]["value"].as_integer()
    rows = session.execute(
        select(VoucherBound, PromiseCheck.promised_minor, PromiseCheck.base_minor, bps)
        .join(PromiseCheck, PromiseCheck.id == VoucherBound.check_id)
        .join(Charter, Charter.id == PromiseCheck.charter_id)
        .order_by(VoucherBound.check_id)
        .execution_options(yield_per=5_000)
    )
    for row, promised, base, charter_bps in rows:
        key = str(row.check_id)
        admitted = allowed_by_record(row.base_minor, row.bound_bps, row.lower_ppm)
        if (row.promised_minor, row.base_minor) != (promised, base):
            yield Breach(7, "voucher_bounds", key, "names other promises than the check beside it")
        elif row.bound_bps != charter_bps or row.allowed_minor != admitted:
            yield Breach(7, "voucher_bounds", key, "names a bound that its charter has not")
        elif promised > admitted:
            yield Breach(2, "voucher_bounds", key, "let a promise past what the record admits")
    missing = session.scalars(
        select(PromiseCheck.id)
        .join(Charter, Charter.id == PromiseCheck.charter_id)
        .outerjoin(VoucherBound, VoucherBound.check_id == PromiseCheck.id)
        .where(bps > 0, VoucherBound.check_id.is_(None))
        .order_by(PromiseCheck.id)
    )
    for row_id in missing:
        yield Breach(7, "promise_checks", str(row_id), "asked no record, and its charter does")


def _stands(place: type[GroupMember], member_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    return and_(
        place.group_id == Vouch.group_id,
        place.member_id == member_id,
        place.status == GroupMemberStatus.SIGNED,
    )
