"""What gives a member standing: locked savings and assessments.

Everything here keeps `standings` equal to the books and to the live assessments, and never lets
a standing fall below what is reserved on it.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.communities import queries as communities
from community.errors import CurrencyMismatch, Invalid
from community.ledger.events import record_event
from community.locks import lock, lock_one
from community.members import queries as members
from community.money import Money, format_minor, say_amount
from community.savings import service as savings
from community.savings.models import SavingsMovement
from community.trust.errors import (
    AssessmentEnded,
    AssessmentInUse,
    AssessmentNotFound,
    ExpiryOutOfRange,
    NotYourOwnAssessment,
    StakeInUse,
)
from community.trust.models import Assessment, AssessmentKind, Standing
from community.trust.queries import overdue_since


def ensure_standing(session: Session, *, community_id: int, member_id: int) -> int:
    """The id of the member's standing in a community, opened at zero if there is none.

    Whoever has something overdue elsewhere is overdue here from the start.
    """
    place = (Standing.community_id == community_id) & (Standing.member_id == member_id)
    found = session.scalar(select(Standing.id).where(place))
    if found is not None:
        return found
    dialect = session.get_bind().dialect.name
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    session.execute(
        # Two units may open the same standing at once: the loser's insert is dropped.
        make(Standing).on_conflict_do_nothing(),
        [
            {
                "community_id": community_id,
                "member_id": member_id,
                "stake_minor": 0,
                "assessed_minor": 0,
                "reserved_minor": 0,
                "overdue_since_on": overdue_since(session, member_id),
            }
        ],
    )
    return session.scalars(select(Standing.id).where(place)).one()


def ensure_standings(
    session: Session, *, community_id: int, member_ids: Collection[int]
) -> list[int]:
    """`ensure_standing` for many members, in few statements; the standings' ids."""
    here = select(Standing.id, Standing.member_id).where(Standing.community_id == community_id)
    found = {m: row_id for row_id, m in select_by(session, here, Standing.member_id, member_ids)}
    missing = sorted(set(member_ids) - found.keys())
    if not missing:
        return sorted(found.values())
    first = select(Standing.member_id, func.min(Standing.overdue_since_on))
    first = first.group_by(Standing.member_id)
    since = dict(select_by(session, first, Standing.member_id, missing))
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(
        # Two units may open the same standing at once: the loser's insert is dropped.
        make(Standing).on_conflict_do_nothing(),
        [
            {
                "community_id": community_id,
                "member_id": member_id,
                "stake_minor": 0,
                "assessed_minor": 0,
                "reserved_minor": 0,
                "overdue_since_on": since.get(member_id),
            }
            for member_id in missing
        ],
    )
    opened = select_by(session, here, Standing.member_id, missing)
    return sorted([*found.values(), *(row_id for row_id, _ in opened)])


def lock_stake(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    amount: Money,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> SavingsMovement:
    """A member locks free savings as stake: cover for their own loans and for their promises.

    Locks the standing, then the book. Raises NotAMember, CurrencyMismatch, InsufficientFunds.
    """
    communities.require_active(session, community_id=community_id, member_id=member_id, hold=True)
    _check_amount(session, community_id, amount)
    standing = _locked_standing(session, community_id, member_id)
    standing.stake_minor += amount.amount_minor
    movement = savings.move_to_stake(
        session,
        community_id=community_id,
        member_id=member_id,
        amount=amount,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    _note_stake(session, standing, "stake.locked", movement, now, actor_id)
    return movement


def release_stake(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    amount: Money,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> SavingsMovement:
    """Stake on which nothing rests becomes free savings again.

    What is reserved stays locked even where an assessment would cover it too: the stake is paid
    first when a promise is called. Raises StakeInUse, CurrencyMismatch.
    """
    currency = _check_amount(session, community_id, amount)
    standing = _locked_standing(session, community_id, member_id)
    free = max(0, standing.stake_minor - standing.reserved_minor)
    if amount.amount_minor > free:
        raise StakeInUse(
            f"{say_amount(free, currency)} of the stake is free; "
            f"{say_amount(standing.reserved_minor, currency)} is reserved for loans.",
            free={"amount": format_minor(free, currency), "currency": currency},
            field="amount",
        )
    standing.stake_minor -= amount.amount_minor
    movement = savings.move_from_stake(
        session,
        community_id=community_id,
        member_id=member_id,
        amount=amount,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    _note_stake(session, standing, "stake.released", movement, now, actor_id)
    return movement


def grant_assessment(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    kind: AssessmentKind,
    amount: Money,
    evidence: str,
    expires_on: date,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Assessment:
    """An amount is granted to a member, on evidence, until a day; it replaces an earlier grant.

    Raises NotAMember, NotYourOwnAssessment, ExpiryOutOfRange, CurrencyMismatch, Invalid (no
    evidence), AssessmentInUse (loans rest on more than the new amount).
    """
    communities.require_active(session, community_id=community_id, member_id=member_id)
    currency = _check_amount(session, community_id, amount)
    if not evidence.strip():
        raise Invalid("Say on what the assessment rests.", field="evidence")
    # A grant runs no longer than a promise may.
    rules = communities.charter_on(session, community_id, on).rules
    latest = on + timedelta(days=rules.vouch_days_max)
    if not on <= expires_on <= latest:
        raise ExpiryOutOfRange(
            f"An assessment ends today at the earliest and on {latest.isoformat()} at the latest.",
            field="expires_on",
            latest=latest.isoformat(),
        )
    _check_not_own_household(session, actor_id, member_id)
    standing_id = ensure_standing(session, community_id=community_id, member_id=member_id)
    _end_live(session, community_id, member_id, kind, now)
    if kind is AssessmentKind.STANDING:
        standing = lock_one(session, Standing, standing_id)
        least = max(0, standing.reserved_minor - standing.stake_minor)
        if amount.amount_minor < least:
            raise AssessmentInUse(
                f"{say_amount(least, currency)} of the earlier grant is reserved.",
                least=format_minor(least, currency),
                currency=currency,
                field="amount",
            )
        standing.assessed_minor = amount.amount_minor
        standing.assessed_until_on = expires_on
    assessment = Assessment(
        community_id=community_id,
        member_id=member_id,
        kind=kind,
        amount_minor=amount.amount_minor,
        used_minor=0,
        evidence=evidence.strip(),
        granted_by_id=actor_id,
        granted_at=now,
        expires_on=expires_on,
    )
    session.add(assessment)
    session.flush()  # the event names it; another grant at the same time meets the unique index
    _note_assessment(session, assessment, "assessment.granted", now, actor_id)
    return assessment


def end_assessment(
    session: Session, *, assessment_id: int, on: date, now: datetime, actor_id: int | None
) -> Assessment:
    """A grant backs nothing new from now on.

    If loans rest on it, it stays on the books for them, past its last day, until they are
    repaid; otherwise it ends here. Raises AssessmentEnded, NotYourOwnAssessment.
    """
    assessment = lock(session, Assessment, [assessment_id]).get(assessment_id)
    if assessment is None:
        raise AssessmentNotFound()
    if assessment.ended_at is not None:
        raise AssessmentEnded()
    _check_not_own_household(session, actor_id, assessment.member_id)
    standing = _locked_standing(session, assessment.community_id, assessment.member_id)
    if assessment.kind is AssessmentKind.STANDING:
        if standing.reserved_minor > standing.stake_minor:
            assessment.expires_on = min(assessment.expires_on, on - timedelta(days=1))
            standing.assessed_until_on = assessment.expires_on
        else:
            assessment.ended_at = now
            standing.assessed_minor = 0
            standing.assessed_until_on = None
    else:
        assessment.ended_at = now
    _note_assessment(session, assessment, "assessment.ended", now, actor_id)
    return assessment


def expire_assessments(
    session: Session, *, on: date, now: datetime, community_id: int | None = None
) -> int:
    """End the grants whose last day is over and on which no loan rests; returns how many.

    They back nothing new from that day whether or not this has run.
    """
    statement = select(Assessment.id, Assessment.community_id, Assessment.member_id).where(
        Assessment.ended_at.is_(None), Assessment.expires_on < on
    )
    if community_id is not None:
        statement = statement.where(Assessment.community_id == community_id)
    due = session.execute(statement).all()
    grants = lock(session, Assessment, [row.id for row in due])
    standing_ids = [
        ensure_standing(session, community_id=row.community_id, member_id=row.member_id)
        for row in due
    ]
    standings = {
        (standing.community_id, standing.member_id): standing
        for standing in lock(session, Standing, standing_ids).values()
    }
    count = 0
    for grant in grants.values():
        if grant.ended_at is not None or grant.expires_on >= on:
            continue
        if grant.kind is AssessmentKind.STANDING:
            standing = standings[grant.community_id, grant.member_id]
            if standing.reserved_minor > standing.stake_minor:
                continue
            standing.assessed_minor = 0
            standing.assessed_until_on = None
        grant.ended_at = now
        count += 1
        _note_assessment(session, grant, "assessment.expired", now, None)
    return count


def _locked_standing(session: Session, community_id: int, member_id: int) -> Standing:
    standing_id = ensure_standing(session, community_id=community_id, member_id=member_id)
    return lock_one(session, Standing, standing_id)


def _end_live(
    session: Session, community_id: int, member_id: int, kind: AssessmentKind, now: datetime
) -> None:
    ids = session.scalars(
        select(Assessment.id).where(
            Assessment.community_id == community_id,
            Assessment.member_id == member_id,
            Assessment.kind == kind,
            Assessment.ended_at.is_(None),
        )
    ).all()
    for assessment in lock(session, Assessment, ids).values():
        assessment.ended_at = now
    session.flush()  # one live grant of a kind: the old one ends before the new one begins


def _check_amount(session: Session, community_id: int, amount: Money) -> str:
    currency = communities.get_community_by_id(session, community_id).currency
    if amount.currency != currency:
        raise CurrencyMismatch(
            f"The community keeps its books in {currency}.",
            expected=currency,
            given=amount.currency,
        )
    if not amount.is_positive:
        raise Invalid("Give a positive amount.", field="amount")
    return currency


def _check_not_own_household(session: Session, actor_id: int | None, member_id: int) -> None:
    if actor_id is None:
        return
    households = members.households_of(session, [actor_id, member_id])
    same_purse = households[member_id] is not None and (
        households.get(actor_id) == households[member_id]
    )
    if actor_id == member_id or same_purse:
        raise NotYourOwnAssessment()


def _note_stake(
    session: Session,
    standing: Standing,
    kind: str,
    movement: SavingsMovement,
    now: datetime,
    actor_id: int | None,
) -> None:
    record_event(
        session,
        community_id=standing.community_id,
        kind=kind,
        subject=members.get_member_by_id(session, standing.member_id).public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "receipt": movement.public_id,
            "amount_minor": movement.amount_minor,
            "stake_minor": standing.stake_minor,
        },
    )


def _note_assessment(
    session: Session, assessment: Assessment, kind: str, now: datetime, actor_id: int | None
) -> None:
    record_event(
        session,
        community_id=assessment.community_id,
        kind=kind,
        subject=assessment.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "member": members.get_member_by_id(session, assessment.member_id).public_id,
            "kind": assessment.kind.value,
            "amount_minor": assessment.amount_minor,
            "evidence": assessment.evidence,
            "expires_on": assessment.expires_on.isoformat(),
        },
    )
