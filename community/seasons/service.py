"""Seasons that change, and declared events: declared, previewed, applied in portions, undone.

Applying and undoing are many units of work: each takes a portion of the loans under the event's
lock and commits, so that a kill loses nothing and the next run goes on where it stopped.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from community.arithmetic.replay import replay
from community.communities import queries as communities
from community.communities.charter import CharterRules, Declarer, read_rules
from community.communities.models import Charter, Community
from community.errors import CommunityError, WrongState
from community.guarantees.cover import LoanCover, lock_cover
from community.ledger.books import book_ids, lock_books
from community.ledger.events import record_event
from community.loans import queries as loans
from community.loans.history import read_histories
from community.loans.models import Loan, LoanStatus
from community.loans.states import LIVE
from community.locks import lock, lock_one
from community.members import queries as members
from community.members.principal import Role
from community.products import queries as products
from community.products import service as products_service
from community.products.models import Season
from community.seasons import queries
from community.seasons.effects import DuesChange, FreezeDues, read_effect, unpaid_minor
from community.seasons.errors import (
    DeclaredEventNotFound,
    DeferralTooLong,
    EventInvalid,
    NotPreviewed,
    NotTheDeclarer,
    PortfolioChanged,
    SeasonInUse,
)
from community.seasons.models import (
    DeclaredEvent,
    DeclaredEventLoan,
    DeclaredEventStep,
    EventKind,
    EventLoanStatus,
    EventStatus,
)
from community.seasons.plans import apply_to_loan
from community.seasons.reach import (
    CALLED,
    PORTION,
    DeferralLimits,
    Reached,
    Tally,
    look_at,
    reached_loans,
)
from community.servicing import service as servicing

# No calendar is planned for longer; it also bounds the work of looking at a window.
WINDOW_DAYS_MAX = 1100
# So many changed loans are named in a refusal; the rest is counted.
NAMED_MAX = 20

ENDED = "ended"
BUILT_UPON = "built-upon"


def change_season(
    session: Session,
    *,
    season_id: int,
    changes: Mapping[str, Any],
    now: datetime,
    actor_id: int | None,
    check: Callable[[Season], None] = lambda season: None,
) -> Season:
    """A season on which no loan rests gets other dates; `changes` are arguments of `add_season`.

    `check` sees the season under its lock and may refuse. Loans would keep the calendar that they
    froze, but then the season would no longer say what they follow. Raises SeasonInUse,
    SeasonInvalid.
    """
    season = lock_one(session, Season, products.get_season_by_id(session, season_id).id)
    check(season)
    if loans.seasons_in_use(session, [season.id]):
        raise SeasonInUse()
    return products_service.change_season(
        session, season=season, changes=changes, now=now, actor_id=actor_id
    )


def declare(
    session: Session,
    *,
    community_id: int,
    kind: EventKind,
    crop: str | None,
    happened_on: date,
    dues_from: date,
    dues_until: date,
    effect_document: Mapping[str, Any],
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> DeclaredEvent:
    """Something befell a crop in a region; what it does to the dues of a window is a draft.

    The window begins on the day of the event at the earliest: what was late before stays late.
    Raises EventInvalid, DeferralTooLong, NotTheDeclarer.
    """
    community = communities.get_community_by_id(session, community_id)
    charter = communities.charter_on(session, community_id, on)
    _check_declarer(session, charter.rules, community, actor_id)
    change = DuesChange(read_effect(effect_document), dues_from, dues_until)
    _check_days(change, happened_on=happened_on, on=on)
    longest = charter.rules.event_deferral_days_max
    if change.deferral_days_max > longest:
        raise DeferralTooLong(
            f"The charter puts dues off for {longest} days at most.",
            field="effect",
            rule="event_deferral_days_max",
            event_deferral_days_max=longest,
            deferral_days=change.deferral_days_max,
            charter_version=charter.version,
        )
    event = DeclaredEvent(
        community_id=community.id,
        charter_id=charter.charter_id,
        kind=kind,
        crop=crop,
        happened_on=happened_on,
        dues_from=dues_from,
        dues_until=dues_until,
        effect=change.effect.to_document(),
        reason=reason,
        status=EventStatus.DRAFT,
        declared_on=on,
        created_at=now,
    )
    session.add(event)
    session.flush()  # its steps and its record name it
    facts = {
        "kind": kind.value,
        "crop": crop,
        "happened_on": happened_on.isoformat(),
        "dues_from": dues_from.isoformat(),
        "dues_until": dues_until.isoformat(),
        "effect": event.effect,
        "charter_version": charter.version,
    }
    _step(
        session, event, EventStatus.DRAFT, on=on, now=now, actor_id=actor_id, reason=reason, **facts
    )
    return event


def preview(
    session: Session,
    *,
    event_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    progress: Callable[[int], None] = lambda count: None,
) -> DeclaredEvent:
    """What the event would do to every loan it reaches is worked out and kept; no loan changes.

    Any number of times until it is applied; the last one counts. Locks the event.
    """
    event = _locked(session, event_id)
    _expect(event, EventStatus.DRAFT, EventStatus.PREVIEWED)
    session.execute(delete(DeclaredEventLoan).where(DeclaredEventLoan.event_id == event.id))
    tally = Tally()
    portion: list[dict[str, Any]] = []
    for reached in reached_loans(session, event, on):
        tally.add(reached)
        portion.append(_record_of(event, reached))
        if len(portion) == PORTION:
            session.execute(insert(DeclaredEventLoan), portion)
            progress(len(portion))
            portion = []
    if portion:
        session.execute(insert(DeclaredEventLoan), portion)
        progress(len(portion))
    event.preview, event.digest = tally.to_document(), tally.digest
    _step(
        session,
        event,
        EventStatus.PREVIEWED,
        on=on,
        now=now,
        actor_id=actor_id,
        digest=tally.digest,
        loans=tally.loans,
    )
    return event


def begin_applying(
    session: Session,
    *,
    event_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str = "",
) -> DeclaredEvent:
    """The event is to be applied as it was previewed; `apply_some` does the work.

    Loans whose dues changed since the preview may be as many as the charter says, of those that
    the event reaches; then they are changed as they are now, and loans that came in since too.
    Begun or done already: nothing happens. Locks the event.
    Raises NotPreviewed, PortfolioChanged, NotTheDeclarer, WrongState once it was undone.
    """
    event = _locked(session, event_id)
    rules = _rules_of(session, event, actor_id)
    if event.status in (EventStatus.APPLYING, EventStatus.APPLIED):
        return event
    if event.status is EventStatus.DRAFT:
        raise NotPreviewed()
    _expect(event, EventStatus.PREVIEWED)
    _check_drift(session, event, rules.event_drift_bps_max, on)
    _step(session, event, EventStatus.APPLYING, on=on, now=now, actor_id=actor_id, reason=reason)
    return event


def apply_some(
    session: Session,
    *,
    event_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    limit: int = PORTION,
) -> int:
    """Change the next loans of an event that is being applied; returns how many are left.

    Each loan at most once, however often this runs. A loan that paid, was called or written off
    meanwhile is refused with the reason. With the last one the event is applied. Locks the event,
    then the loans with their cover, all of the portion at once.
    """
    event = _locked(session, event_id)
    if event.status is not EventStatus.APPLYING:
        return 0
    records = _next(session, event, EventLoanStatus.PLANNED, limit)
    covers = _locked_covers(session, event, records)
    limits = DeferralLimits(session, event.declared_on)
    found = [covers[record.loan_id].loan for record in records]
    reached = {seen.loan_id: seen for seen in look_at(session, event, found, limits, on)}
    for record in records:
        seen = reached[record.loan_id]
        record.fingerprint = seen.fingerprint
        record.deferral_days = seen.deferral_days
        record.before = [row.to_document() for row in seen.before]
        record.after = [row.to_document() for row in seen.after]
        record.before_minor = unpaid_minor(seen.before)
        record.after_minor = unpaid_minor(seen.after)
        if seen.refusal:
            record.status, record.reason = EventLoanStatus.REFUSED, seen.refusal
            continue
        change = apply_to_loan(
            session,
            covers[record.loan_id],
            event=event,
            on=on,
            now=now,
            actor_id=actor_id,
        )
        record.status, record.applied_at = EventLoanStatus.APPLIED, now
        record.change_id = change.id
    left = _left(session, event, EventLoanStatus.PLANNED)
    if not left:
        _step(session, event, EventStatus.APPLIED, on=on, now=now, actor_id=actor_id)
    return left


def begin_undoing(
    session: Session,
    *,
    event_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str,
) -> DeclaredEvent:
    """The event is to be taken back; `undo_some` does the work. Begun or done: nothing happens.

    Locks the event. Raises NotTheDeclarer, WrongState unless it was applied to its end.
    """
    event = _locked(session, event_id)
    _rules_of(session, event, actor_id)
    if event.status in (EventStatus.UNDOING, EventStatus.UNDONE):
        return event
    _expect(event, EventStatus.APPLIED)
    _step(session, event, EventStatus.UNDOING, on=on, now=now, actor_id=actor_id, reason=reason)
    return event


def undo_some(
    session: Session,
    *,
    event_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    limit: int = PORTION,
) -> int:
    """Put back the plans of the next loans of an event that is being undone; returns what is left.

    A plan is what it would be if the event had never been applied to it: what was paid and changed
    since stays. A loan that ended or was called meanwhile keeps the plan that it ended or was
    called under, and so does one whose later changes cannot be without it; the reason is noted.
    With the last one the event is undone. Locks like `apply_some`.
    """
    event = _locked(session, event_id)
    if event.status is not EventStatus.UNDOING:
        return 0
    records = _next(session, event, EventLoanStatus.APPLIED, limit)
    covers = _locked_covers(session, event, records)
    kept = {loan_id: _why_kept(cover.loan) for loan_id, cover in covers.items()}
    free = [covers[loan_id].loan for loan_id, reason in kept.items() if not reason]
    for loan_id, (contract, rest) in read_histories(
        session, free, without_source=event.public_id
    ).items():
        try:
            replay(contract, rest, on)
        except CommunityError:
            kept[loan_id] = BUILT_UPON
    why = _reason_of(session, event, EventStatus.UNDOING)
    for record in records:
        record.reason = kept[record.loan_id]
        if record.reason:
            record.status = EventLoanStatus.KEPT
            continue
        servicing.undo_changes_locked(
            session,
            covers[record.loan_id],
            source=event.public_id,
            reason=why,
            on=on,
            now=now,
            actor_id=actor_id,
        )
        record.status, record.undone_at = EventLoanStatus.UNDONE, now
    left = _left(session, event, EventLoanStatus.APPLIED)
    if not left:
        _step(session, event, EventStatus.UNDONE, on=on, now=now, actor_id=actor_id)
    return left


def _check_days(change: DuesChange, *, happened_on: date, on: date) -> None:
    if happened_on > on:
        raise EventInvalid("What is to come cannot be declared.", field="happened_on")
    if change.dues_from < happened_on:
        raise EventInvalid(
            "Dues from before the event are not its doing; they stay late.", field="dues_from"
        )
    if change.dues_until < change.dues_from:
        raise EventInvalid("The window ends before it begins.", field="dues_until")
    if (change.dues_until - change.dues_from).days > WINDOW_DAYS_MAX:
        raise EventInvalid(f"A window has at most {WINDOW_DAYS_MAX} days.", field="dues_until")
    if isinstance(change.effect, FreezeDues) and change.effect.until <= change.dues_until:
        raise EventInvalid("Dues are frozen until a day after the window.", field="effect")


def _check_declarer(
    session: Session, rules: CharterRules, community: Community, actor_id: int | None
) -> None:
    """Work without a person behind it, such as an import, is not held to it."""
    if actor_id is None:
        return
    for grant in members.live_grants(session, actor_id):
        operates = grant.role is Role.OPERATOR and grant.community_id is None
        holds_office = grant.role is Role.OFFICER and (
            grant.community_id is None or grant.community_id in community.path_ids
        )
        if operates and Declarer.OPERATOR in rules.event_declarers:
            return
        if holds_office and Declarer.OFFICER in rules.event_declarers:
            return
    raise NotTheDeclarer(
        rule="event_declarers", event_declarers=[who.value for who in rules.event_declarers]
    )


def _rules_of(session: Session, event: DeclaredEvent, actor_id: int | None) -> CharterRules:
    """The rules that the event was declared under, if they let this member act on it."""
    rules = read_rules(session.get_one(Charter, event.charter_id).rules)
    community = communities.get_community_by_id(session, event.community_id)
    _check_declarer(session, rules, community, actor_id)
    return rules


def _check_drift(session: Session, event: DeclaredEvent, drift_bps_max: int, on: date) -> None:
    """Compare the loans with what the preview saw; new ones within the limit join the plan."""
    seen: dict[int, str] = dict(
        session.execute(
            select(DeclaredEventLoan.loan_id, DeclaredEventLoan.fingerprint).where(
                DeclaredEventLoan.event_id == event.id
            )
        ).all()
    )
    whole = len(seen)
    tally = Tally()
    added: list[dict[str, Any]] = []
    changed: list[str] = []
    for reached in reached_loans(session, event, on):
        tally.add(reached)
        known = seen.pop(reached.loan_id, None)
        if known is None:
            added.append(_record_of(event, reached))
        if known != reached.fingerprint:
            changed.append(reached.public_id)
    if tally.digest == event.digest:
        return
    gone = [loan.public_id for loan in _some_loans(session, sorted(seen)[:NAMED_MAX])]
    count = len(changed) + len(seen)
    if count * 10_000 > drift_bps_max * whole:
        raise PortfolioChanged(
            f"{count} of {whole} loans are not as they were previewed.",
            rule="event_drift_bps_max",
            event_drift_bps_max=drift_bps_max,
            changed={
                "loans": count,
                "added": len(added),
                "altered": len(changed) - len(added),
                "gone": len(seen),
                "some": sorted([*changed[:NAMED_MAX], *gone])[:NAMED_MAX],
            },
        )
    if added:
        session.execute(insert(DeclaredEventLoan), added)


def _some_loans(session: Session, ids: list[int]) -> list[Loan]:
    return list(session.scalars(select(Loan).where(Loan.id.in_(ids)).order_by(Loan.id)))


def _why_kept(loan: Loan) -> str:
    if loan.status not in LIVE:
        return ENDED
    if loan.status is LoanStatus.CALLED or loan.accelerated_on is not None:
        return CALLED
    return ""


def _record_of(event: DeclaredEvent, reached: Reached) -> dict[str, Any]:
    refused = bool(reached.refusal)
    return {
        "event_id": event.id,
        "loan_id": reached.loan_id,
        "status": EventLoanStatus.REFUSED if refused else EventLoanStatus.PLANNED,
        "reason": reached.refusal,
        "fingerprint": reached.fingerprint,
        "change_id": None,
        "before": [row.to_document() for row in reached.before],
        "after": [row.to_document() for row in reached.after],
        "before_minor": unpaid_minor(reached.before),
        "after_minor": unpaid_minor(reached.after),
        "deferral_days": reached.deferral_days,
        "applied_at": None,
        "undone_at": None,
    }


def _next(
    session: Session, event: DeclaredEvent, status: EventLoanStatus, limit: int
) -> list[DeclaredEventLoan]:
    return list(
        session.scalars(
            select(DeclaredEventLoan)
            .where(DeclaredEventLoan.event_id == event.id, DeclaredEventLoan.status == status)
            .order_by(DeclaredEventLoan.loan_id)
            .limit(limit)
            # The event's lock guards them: what the session read before it may be old.
            .execution_options(populate_existing=True)
        )
    )


def _left(session: Session, event: DeclaredEvent, status: EventLoanStatus) -> int:
    session.flush()  # the records just dealt with are counted out
    query = select(func.count()).where(
        DeclaredEventLoan.event_id == event.id, DeclaredEventLoan.status == status
    )
    return session.scalar(query) or 0


def _reason_of(session: Session, event: DeclaredEvent, status: EventStatus) -> str:
    """Why the event became this."""
    steps = queries.steps_of(session, event.id)
    return next(step.reason for step in steps if step.status is status)


def _locked_covers(
    session: Session, event: DeclaredEvent, records: Sequence[DeclaredEventLoan]
) -> dict[int, LoanCover]:
    """Lock the loans of a portion with their cover, and all books that its changes are noted in."""
    covers = lock_cover(session, [record.loan_id for record in records])
    communities = {event.community_id} | {cover.loan.community_id for cover in covers.values()}
    # All at once: loan by loan the books would come in the order of the loans.
    lock_books(session, book_ids(session, communities).values())
    return covers


def _locked(session: Session, event_id: int) -> DeclaredEvent:
    found = lock(session, DeclaredEvent, [event_id])
    if event_id not in found:
        raise DeclaredEventNotFound()
    return found[event_id]


def _expect(event: DeclaredEvent, *statuses: EventStatus) -> None:
    if event.status not in statuses:
        raise WrongState(f"The event is {event.status.value}.", state=event.status.value)


def _step(
    session: Session,
    event: DeclaredEvent,
    status: EventStatus,
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str = "",
    **facts: Any,
) -> None:
    event.status = status
    session.add(
        DeclaredEventStep(
            event_id=event.id,
            status=status,
            on=on,
            reason=reason,
            actor_id=actor_id,
            recorded_at=now,
        )
    )
    record_event(
        session,
        community_id=event.community_id,
        kind=f"declared_event.{status.value}",
        subject=event.public_id,
        actor_id=actor_id,
        now=now,
        facts={"on": on.isoformat(), **({"reason": reason} if reason else {}), **facts},
    )
