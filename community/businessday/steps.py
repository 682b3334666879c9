"""The steps of a business day, in their order. A further step is one line in `STEPS`.

A step works in portions, up the ids of its rows; each portion is one unit of work. It has to be
repeatable: a day that was kept open is worked through again.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.campaigns.granting import expire_grants
from community.feedback import complaints, themes
from community.feedback.ratings import publish_means
from community.guarantees.failure import advance_loans, loans_to_advance
from community.guarantees.group_life import groups_to_tend, tend_group
from community.ledger.holds import expire_holds
from community.ledger.service import close_through
from community.loans.accrual import accrue
from community.loans.models import LoanPosition
from community.monitoring.cases import watch
from community.portfolio.service import classify_loans, follow_classes, provide
from community.risk.desk import search_due, watch_desk
from community.scoring.service import score_night
from community.trust.service import expire_vouches
from community.trust.standings import expire_assessments


@dataclass(frozen=True, slots=True)
class Task:
    """What a step is to work on next: at most `limit` rows after `after_id`."""

    community_id: int
    on: date
    now: datetime
    after_id: int
    limit: int


@dataclass(frozen=True, slots=True)
class Portion:
    """What was done: up to which row (None: nothing is left behind it), and what came of it."""

    last_id: int | None = None
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    work: Callable[[Session, Task], Portion]
    # It locks nothing but the book, which comes last, so it may follow in a unit that holds locks.
    locks_book_only: bool = False
    # It works on loans: without any there is nothing to do.
    is_for_loans: bool = False


CLOSE = "close"
# Loans whose guarantors, with their standings and promises, are locked at one time.
ADVANCED_AT_ONCE = 50
# No loan has a higher id.
_ID_MAX = 2**63 - 1


def _expire_vouches(session: Session, task: Task) -> Portion:
    count = expire_vouches(session, community_id=task.community_id, on=task.on, now=task.now)
    return Portion(counts={"vouches expired": count})


def _expire_assessments(session: Session, task: Task) -> Portion:
    count = expire_assessments(session, community_id=task.community_id, on=task.on, now=task.now)
    return Portion(counts={"assessments expired": count})


def _accrue(session: Session, task: Task) -> Portion:
    done = accrue(
        session,
        community_id=task.community_id,
        on=task.on,
        now=task.now,
        after_id=task.after_id,
        limit=task.limit,
    )
    return Portion(
        done.last_id,
        {"loans looked at": done.looked_at, "loans with interest booked": done.lines}
        | {f"interest earned {currency}": minor for currency, minor in done.earned_minor.items()}
        | {
            f"interest taken back {currency}": minor
            for currency, minor in done.taken_back_minor.items()
        },
    )


def _advance(session: Session, task: Task) -> Portion:
    """A few loans a portion: their guarantors' money moves, under locks of their own."""
    limit = min(task.limit, ADVANCED_AT_ONCE)
    found = loans_to_advance(
        session, community_id=task.community_id, on=task.on, after_id=task.after_id, limit=limit
    )
    if not found:
        return Portion()
    moved = advance_loans(session, loan_ids=found, on=task.on, now=task.now)
    counts = Counter({"late loans looked at": len(found)})
    counts.update(f"loans now {status.value.replace('_', ' ')}" for status in moved.values())
    return Portion(found[-1] if len(found) == limit else None, dict(counts))


def _tend_groups(session: Session, task: Task) -> Portion:
    """One group a portion: it is locked with all its promises."""
    found = groups_to_tend(
        session, community_id=task.community_id, on=task.on, after_id=task.after_id, limit=1
    )
    if not found:
        return Portion()
    [group_id] = found
    done = tend_group(session, group_id=group_id, on=task.on, now=task.now)
    counts = {"group proposals lapsed": done.lapsed, "groups dissolved": int(done.dissolved)}
    return Portion(group_id, counts)


def _expire_campaign_grants(session: Session, task: Task) -> Portion:
    found = expire_grants(
        session,
        community_id=task.community_id,
        on=task.on,
        now=task.now,
        after_id=task.after_id,
        limit=task.limit,
    )
    last_id = found[-1] if len(found) == task.limit else None
    return Portion(last_id, {"campaign grants expired": len(found)})


def _expire_holds(session: Session, task: Task) -> Portion:
    count = expire_holds(session, community_id=task.community_id, on=task.on, now=task.now)
    return Portion(counts={"holds expired": count})


def _classify(session: Session, task: Task) -> Portion:
    loan_ids, last_id = _next_loans(session, task)
    done = classify_loans(
        session,
        community_id=task.community_id,
        on=task.on,
        now=task.now,
        loan_ids=loan_ids,
    )
    stopped = follow_classes(session, community_id=task.community_id, on=task.on, loan_ids=loan_ids)
    return Portion(
        last_id,
        {
            "loans in a better class": done.improved,
            "loans in a worse class": done.worsened,
            "loans whose interest counts otherwise": stopped,
        },
    )


def _provide(session: Session, task: Task) -> Portion:
    loan_ids, last_id = _next_loans(session, task)
    done = provide(
        session,
        community_id=task.community_id,
        on=task.on,
        now=task.now,
        loan_ids=loan_ids,
    )
    return Portion(
        last_id,
        {
            "loans provided for anew": done.loans,
            "provisions raised": done.raised_minor,
            "provisions released": done.released_minor,
        },
    )


def _next_loans(session: Session, task: Task) -> tuple[range, int | None]:
    """A range of ids that holds the next loans that are out, and its last id if more follow.

    Loans that have ended lie between them and behind the last.
    """
    last_id = session.scalar(
        select(LoanPosition.loan_id)
        .where(LoanPosition.community_id == task.community_id, LoanPosition.loan_id > task.after_id)
        .order_by(LoanPosition.loan_id)
        .offset(task.limit - 1)
        .limit(1)
    )
    return range(task.after_id + 1, _ID_MAX if last_id is None else last_id + 1), last_id


def _score(session: Session, task: Task) -> Portion:
    """Warnings of all loans at once: whether a model still holds is seen on all of them."""
    run = score_night(session, community_id=task.community_id, on=task.on, now=task.now)
    return Portion(counts={"loans scored": 0 if run is None else run.loans})


def _watch(session: Session, task: Task) -> Portion:
    """What the rules find becomes events; found already, it is passed over, so no place is kept."""
    done = watch(
        session, community_id=task.community_id, on=task.on, now=task.now, limit=task.limit
    )
    return Portion(
        None if done.is_done else task.after_id + 1,
        {
            "risk events": len(done.raised.events),
            "cases opened": done.raised.opened,
            "cases joined": done.raised.joined,
            "cases escalated": done.escalated,
        },
    )


def _escalate_complaints(session: Session, task: Task) -> Portion:
    found = complaints.to_move_on(
        session, task.community_id, task.on, after_id=task.after_id, limit=task.limit
    )
    if not found:
        return Portion()
    escalated, handed_over = complaints.move_on(
        session, complaint_ids=found, on=task.on, now=task.now
    )
    return Portion(
        found[-1] if len(found) == task.limit else None,
        {"complaints escalated": escalated, "complaints handed over": handed_over},
    )


def _count_votes(session: Session, task: Task) -> Portion:
    found = themes.polls_to_count(
        session, task.community_id, task.on, after_id=task.after_id, limit=task.limit
    )
    if not found:
        return Portion()
    counted = themes.count_over(session, theme_ids=found, on=task.on, now=task.now)
    return Portion(
        found[-1] if len(found) == task.limit else None, {"votes on themes counted": counted}
    )


def _publish_ratings(session: Session, task: Task) -> Portion:
    done = publish_means(
        session,
        community_id=task.community_id,
        on=task.on,
        after_id=task.after_id,
        limit=task.limit,
    )
    return Portion(done.last_id, {"ratings published": done.means})


def _search_circles(session: Session, task: Task) -> Portion:
    """One unit, however large: the search is one reading of the community."""
    run = search_due(session, community_id=task.community_id, on=task.on, now=task.now)
    return Portion(counts={"circles found": 0 if run is None else run.circles})


def _watch_desk(session: Session, task: Task) -> Portion:
    """As `watch`, of what the risk desk finds."""
    raised = watch_desk(
        session, community_id=task.community_id, on=task.on, now=task.now, limit=task.limit
    )
    return Portion(
        task.after_id + 1 if raised.left else None,
        {
            "desk events": len(raised.events),
            "desk cases opened": raised.opened,
            "desk cases joined": raised.joined,
        },
    )


def _close(session: Session, task: Task) -> Portion:
    close_through(session, community_id=task.community_id, on=task.on)
    return Portion()


STEPS: tuple[Step, ...] = (
    Step("expire vouches", _expire_vouches),
    Step("expire assessments", _expire_assessments),
    Step("expire holds", _expire_holds, locks_book_only=True),
    # Before calls: what a failing loan owes is then in the books when it is called.
    Step("accrue", _accrue, locks_book_only=True, is_for_loans=True),
    Step("advance", _advance, is_for_loans=True),
    # Nothing rests any more on a promise whose loan was paid by then.
    Step("tend groups", _tend_groups),
    Step("expire campaign grants", _expire_campaign_grants),
    # By where every loan stands now; what is set aside follows the class.
    Step("classify", _classify, is_for_loans=True),
    Step("provide", _provide, is_for_loans=True),
    # Before the watch, which makes cases of what it finds.
    Step("score", _score, locks_book_only=True, is_for_loans=True),
    # By where the day has left every loan: a payment missed is a case the same evening.
    Step("watch", _watch),
    # On what the day has left; and what they mean is told the same evening.
    Step("search circles", _search_circles, is_for_loans=True),
    Step("watch desk", _watch_desk),
    Step("escalate complaints", _escalate_complaints),
    Step("count votes", _count_votes),
    Step("publish ratings", _publish_ratings),
    Step(CLOSE, _close, locks_book_only=True),
)
