"""A community's loans are put into classes, and what they may lose is set aside.

Both are work of the business day, for all loans of a community or for a range of their ids; both
may run any number of times on a day and then change nothing. What is decided is `classes` and
`provisions`; here it is read in a few statements and only what changes is written.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    except_,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from community.bulk import insert_columns, select_by, table_of, update_all
from community.communities import queries as communities
from community.communities.charter import CharterRules, RiskClass, read_rules
from community.communities.models import Charter, Community
from community.errors import StaleSnapshot
from community.ledger import rules as posting
from community.ledger import service as ledger
from community.ledger.events import record_event
from community.loans.models import Loan, LoanPosition, LoanStatus
from community.loans.positions import set_accrual
from community.loans.states import LIVE
from community.portfolio.classes import (
    Facts,
    Held,
    Ruling,
    Verdict,
    classify,
    is_worse,
    rule_together,
)
from community.portfolio.figures import IS_LIVE, IS_RESTRUCTURED, overdue_since, unrecovered
from community.portfolio.models import LoanClass, LoanClassChange, ProvisionChange
from community.portfolio.provisions import bps_expression, provision_expression
from community.portfolio.queries import non_accrual_loan_ids
from community.portfolio.seasons import seasons_missed
from community.products import queries as products
from community.products.models import Product, ProductVersion, Season
from community.products.terms import SeasonCalendar

_classes = table_of(LoanClass)
_details = table_of(ProvisionChange)


@dataclass(frozen=True, slots=True)
class Classified:
    """What a classification did."""

    looked_at: int = 0
    written: int = 0
    improved: int = 0
    worsened: int = 0
    # How many loans came into each class.
    into: Mapping[RiskClass, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Provided:
    """What a round of provisions did: loans touched, and the sums of the entries posted."""

    loans: int = 0
    raised_minor: int = 0
    released_minor: int = 0
    entry_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Decided:
    """One loan as it was read, and what was decided on it."""

    row: Row[Any]
    verdict: Verdict
    ruling: Ruling

    @property
    def before(self) -> RiskClass:
        return self.row.risk_class or RiskClass.NORMAL

    @property
    def left_on(self) -> date | None:
        return None if self.row.status in LIVE else self.row.ended_on


def loan_ranges(session: Session, *, community_id: int, size: int) -> list[range]:
    """Ranges of loan ids of at most `size` loans each, which together hold all of a community."""
    number = func.row_number().over(order_by=Loan.id).label("number")
    rows = select(Loan.id, number).where(Loan.community_id == community_id).subquery()
    part = (rows.c.number - 1) // size
    spans = session.execute(
        select(func.min(rows.c.id), func.max(rows.c.id))
        .group_by(part)
        .order_by(func.min(rows.c.id))
    )
    return [range(first, last + 1) for first, last in spans]


def classify_loans(
    session: Session,
    *,
    community_id: int,
    on: date,
    now: datetime,
    loan_ids: range | None = None,
) -> Classified:
    """Every loan that is out is put into its class, by the charter in force on the day.

    A loan whose member has another one in trouble is decided together with it, whichever of the
    two is in the range: so ranges may be worked through in any order. Loans decided on a later day
    already are left as they are. Changes of a range are one event in the chain.
    Locks nothing: raises StaleSnapshot when somebody else classified the same loans meanwhile.
    """
    charter = communities.find_charter(session, community_id, on)
    if charter is None:
        return Classified()  # nothing can have been lent
    rules = read_rules(charter.rules)
    community = communities.get_community_by_id(session, community_id)
    rows, normal = _to_decide(session, community_id, on, loan_ids, rules)
    decided = [
        item
        for item in _decide(rows, _missed(session, community, rows, rules, on), rules, on)
        if item.row.as_of_on is None or item.row.as_of_on <= on
    ]
    changed = [item for item in decided if item.ruling.tier is not item.before]
    written = _write(session, community_id, decided, on)
    _enter(session, community_id, normal, on)
    _record(session, community, changed, charter, on, now)
    worsened = sum(is_worse(item.ruling.tier, item.before) for item in changed)
    return Classified(
        looked_at=len(decided) + len(normal),
        written=written + len(normal),
        improved=len(changed) - worsened,
        worsened=worsened,
        into=Counter(item.ruling.tier for item in changed),
    )


def follow_classes(session: Session, *, community_id: int, on: date, loan_ids: range) -> int:
    """Interest of loans of a range is booked as it is earned, or not, as their class says.

    What was booked and is not expected any more is taken back by the next accrual. Locks the book.
    Returns how many loans changed.
    """
    charter = communities.find_charter(session, community_id, on)
    if charter is None:
        return 0
    stopped = non_accrual_loan_ids(community_id, read_rules(charter.rules))
    p = LoanPosition
    mine = (p.community_id == community_id, p.is_live, _within(p.loan_id, loan_ids))
    to_stop = p.loan_id.in_(stopped.where(LoanClass.left_on.is_(None))) & p.accrues
    to_resume = p.loan_id.not_in(stopped) & ~p.accrues
    changed = 0
    for accrues, condition in ((False, to_stop), (True, to_resume)):
        ids = session.scalars(select(p.loan_id).where(*mine, condition)).all()
        if ids:
            changed += set_accrual(
                session, community_id=community_id, loan_ids=ids, accrues=accrues
            )
    return changed


def provide(
    session: Session,
    *,
    community_id: int,
    on: date,
    now: datetime,
    loan_ids: range | None = None,
) -> Provided:
    """What the loans may lose is set aside: outstanding principal by the share of their class.

    Changes are posted in aggregate, per product one entry for what is added and one for what is
    released, each with a row per loan; the rows of an entry sum to it. Run `classify_loans` first.
    Locks the community's book. Raises DayClosed, StaleSnapshot when somebody else was faster.
    """
    charter = communities.find_charter(session, community_id, on)
    if charter is None:
        return Provided()
    rules = read_rules(charter.rules)
    currency = communities.get_community_by_id(session, community_id).currency
    groups: dict[tuple[str, bool], list[Row[Any]]] = defaultdict(list)
    for row in session.execute(_to_provide(community_id, loan_ids, rules)):
        groups[row.product, row.after_minor > row.before_minor].append(row)
    raised = released = 0
    entry_ids = []
    for (product, is_raise), rows in sorted(groups.items()):
        amount = sum(abs(row.after_minor - row.before_minor) for row in rows)
        raised, released = raised + amount * is_raise, released + amount * (not is_raise)
        entry_id = ledger.post(
            session,
            community_id=community_id,
            currency=currency,
            kind="provision.raised" if is_raise else "provision.released",
            legs=(posting.provision_raised if is_raise else posting.provision_released)(amount),
            on=on,
            now=now,
            reference=product,
        )
        _detail(session, entry_id, rows)
        entry_ids.append(entry_id)
    count = sum(map(len, groups.values()))
    return Provided(count, raised, released, tuple(entry_ids))


def _to_decide(
    session: Session,
    community_id: int,
    on: date,
    loan_ids: range | None,
    rules: CharterRules,
) -> tuple[list[Row[Any]], dict[int, date]]:
    """Loans on which there is something to decide, with the other loans of their members.

    Beside them new ones that are plainly normal, with the day on which they were paid out. A
    normal loan with nothing late, which is most of them, is never read.
    """
    here = Loan.community_id == community_id
    known, new = _looked_for(session, community_id, on, loan_ids)
    normal = _plainly_normal(session, community_id, on, new, rules)
    rows: dict[int, Row[Any]] = {}
    found = (known | new) - normal.keys()
    leaving = and_(LoanClass.loan_id.is_not(None), LoanClass.left_on.is_(None))
    query = _facts(on).where(here, or_(IS_LIVE, leaving))
    rows = {row.loan_id: row for row in select_by(session, query, Loan.id, found)}
    if rows and rules.worst_loan_per_member:
        # One loan of a member may decide on another.
        borrowers = {row.borrower_id for row in rows.values()}
        query = _facts(on).where(here, or_(IS_LIVE, unrecovered()))
        theirs = select_by(session, query, Loan.borrower_id, borrowers)
        rows = {row.loan_id: row for row in theirs} | rows
    for loan_id in rows:
        normal.pop(loan_id, None)
    return [rows[loan_id] for loan_id in sorted(rows)], normal


def _looked_for(
    session: Session, community_id: int, on: date, loan_ids: range | None
) -> tuple[set[int], set[int]]:
    """The ids of loans whose class may be another one now, and of those that have none.

    By narrow rows and the indexes that lead to few of them; loans as such are wide.
    """
    p, c = LoanPosition, LoanClass
    out = (p.community_id == community_id, _within(p.loan_id, loan_ids))
    held = (c.community_id == community_id, c.left_on.is_(None), _within(c.loan_id, loan_ids))
    below_normal = [tier for tier in RiskClass if tier is not RiskClass.NORMAL]
    live_ids = select(p.loan_id).where(*out, p.is_live).cte("live")
    held_ids = select(c.loan_id).where(*held).cte("held")
    questions = [
        select(c.loan_id).where(*held, c.risk_class.in_(below_normal)),
        select(c.loan_id).where(*held, c.overdue_since_on.is_not(None)),
        select(p.loan_id).where(*out, p.is_live, p.oldest_due_on < on),
        # Restructured since it was looked at last.
        select(c.loan_id)
        .join(Loan, Loan.id == c.loan_id)
        .where(*held, Loan.community_id == community_id, IS_RESTRUCTURED)
        .where(c.clean_since_on.is_(None)),
        # Leaving.
        select(except_(select(held_ids.c.loan_id), select(live_ids.c.loan_id)).subquery()),
    ]
    known = set(session.scalars(union_all(*questions)))
    # New, or back after it had left.
    new = except_(select(live_ids.c.loan_id), select(held_ids.c.loan_id))
    return known, set(session.scalars(new))


def _plainly_normal(
    session: Session, community_id: int, on: date, new: set[int], rules: CharterRules
) -> dict[int, date]:
    """Of loans without a class those that were paid out and no more, and on which day.

    Another loan of their member's is on its side decided on with all of theirs; only one that was
    written off is not looked at any more, so it counts here.
    """
    if not new:
        return {}
    due_on = LoanPosition.oldest_due_on
    query = (
        select(Loan.id, Loan.disbursed_on)
        .join(LoanPosition, LoanPosition.loan_id == Loan.id)
        .where(
            Loan.status == LoanStatus.CURRENT,
            ~IS_RESTRUCTURED,
            or_(due_on.is_(None), due_on >= on),
            ~exists().where(LoanClass.loan_id == Loan.id),
        )
    )
    if rules.worst_loan_per_member:
        other = aliased(Loan)
        query = query.where(
            ~exists().where(
                other.borrower_id == Loan.borrower_id,
                other.community_id == community_id,
                unrecovered(other),
            )
        )
    return dict(select_by(session, query, Loan.id, new))


def _within(loan_id: InstrumentedAttribute[int], loan_ids: range | None) -> ColumnElement[bool]:
    return true() if loan_ids is None else loan_id.between(loan_ids.start, loan_ids.stop - 1)


def _facts(on: date) -> Select[*tuple[Any, ...]]:
    """What is known of loans, with what was decided on them before."""
    return (
        select(
            Loan.id.label("loan_id"),
            Loan.public_id,
            Loan.borrower_id,
            Loan.status,
            Loan.disbursed_on,
            Loan.ended_on,
            Season.crop,
            IS_RESTRUCTURED.label("is_restructured"),
            overdue_since(on).label("overdue_since_on"),
            LoanClass.risk_class,
            LoanClass.own_class,
            LoanClass.since_on,
            LoanClass.overdue_since_on.label("held_overdue_since_on"),
            LoanClass.clean_since_on,
            LoanClass.left_on,
            LoanClass.as_of_on,
        )
        .outerjoin(LoanPosition, LoanPosition.loan_id == Loan.id)
        .outerjoin(LoanClass, LoanClass.loan_id == Loan.id)
        .outerjoin(Season, Season.id == Loan.season_id)
    )


def _decide(
    rows: Sequence[Row[Any]], missed: Mapping[int, int], rules: CharterRules, on: date
) -> Iterator[_Decided]:
    """Each member's loans are decided together; a closed loan leaves in the class that it had."""
    by_borrower: dict[int, dict[str, tuple[Row[Any], Verdict]]] = defaultdict(dict)
    # The same facts come up again and again.
    known: dict[tuple[Facts, Held], Verdict] = {}
    for row in rows:
        if row.status is LoanStatus.CLOSED:
            verdict = Verdict(row.own_class, None, ())
            yield _Decided(row, verdict, Ruling(row.risk_class, ()))
            continue
        since = row.overdue_since_on
        facts = Facts(
            days_overdue=(on - since).days if since is not None else 0,
            seasons_missed=missed.get(row.loan_id),
            restructured=row.is_restructured,
            called=row.status is LoanStatus.CALLED,
            written_off=row.status is LoanStatus.WRITTEN_OFF,
        )
        question = facts, Held(row.own_class or RiskClass.NORMAL, row.clean_since_on)
        if question not in known:
            known[question] = classify(facts, rules, question[1], on)
        by_borrower[row.borrower_id][row.public_id] = row, known[question]
    for loans in by_borrower.values():
        rulings = rule_together({loan: verdict for loan, (_, verdict) in loans.items()}, rules)
        for loan, (row, verdict) in loans.items():
            yield _Decided(row, verdict, rulings[loan])


def _missed(
    session: Session, community: Community, rows: Sequence[Row[Any]], rules: CharterRules, on: date
) -> dict[int, int]:
    """Seasons that went by unpaid, for late seasonal loans, where the charter counts seasons."""
    late = [row for row in rows if row.crop is not None and row.overdue_since_on is not None]
    if not late or not rules.class_crop_seasons:
        return {}
    calendars: dict[str, list[SeasonCalendar]] = defaultdict(list)
    seasons = products.list_seasons(community.path_ids).where(
        Season.crop.in_({row.crop for row in late})
    )
    for season in session.scalars(seasons):
        calendars[season.crop].append(products.calendar_of(season))
    return {
        row.loan_id: seasons_missed(calendars[row.crop], row.overdue_since_on, on) for row in late
    }


def _write(session: Session, community_id: int, decided: Sequence[_Decided], on: date) -> int:
    """Insert what is new and update what differs; returns how many rows that were."""
    new: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    for item in decided:
        row, verdict = item.row, item.verdict
        is_changed = item.ruling.tier is not item.before
        after = {
            "own_class": verdict.own,
            "risk_class": item.ruling.tier,
            "since_on": on if is_changed else row.since_on or row.disbursed_on,
            "overdue_since_on": row.overdue_since_on,
            "clean_since_on": verdict.clean_since_on,
            "left_on": item.left_on,
        }
        if row.as_of_on is None:
            new.append({"loan_id": row.loan_id, **after})
        elif tuple(after.values()) != (
            row.own_class,
            row.risk_class,
            row.since_on,
            row.held_overdue_since_on,
            row.clean_since_on,
            row.left_on,
        ):
            keys = {"loan": row.loan_id, "read_on": row.as_of_on, "read_class": row.risk_class}
            moved.append(keys | {f"new_{name}": value for name, value in after.items()})
    if new:
        columns = {name: [line[name] for line in new] for name in new[0]}
        columns |= {"community_id": [community_id] * len(new), "as_of_on": [on] * len(new)}
        insert_columns(session, LoanClass, columns)
    if moved:
        names = [name.removeprefix("new_") for name in moved[0] if name.startswith("new_")]
        statement = (
            update(_classes)
            .where(
                _classes.c.loan_id == bindparam("loan"),
                _classes.c.as_of_on == bindparam("read_on"),
                _classes.c.risk_class == bindparam("read_class"),
            )
            .values({name: bindparam(f"new_{name}") for name in names} | {"as_of_on": on})
        )
        update_all(session, statement, moved)
    return len(new) + len(moved)


def _enter(session: Session, community_id: int, normal: Mapping[int, date], on: date) -> None:
    """New loans enter the portfolio as normal."""
    if not normal:
        return
    count, tiers = len(normal), [RiskClass.NORMAL] * len(normal)
    insert_columns(
        session,
        LoanClass,
        {
            "loan_id": list(normal),
            "community_id": [community_id] * count,
            "own_class": tiers,
            "risk_class": tiers,
            "since_on": list(normal.values()),
            "as_of_on": [on] * count,
        },
    )


def _record(
    session: Session,
    community: Community,
    changed: Sequence[_Decided],
    charter: Charter,
    on: date,
    now: datetime,
) -> None:
    """The changes as rows of history with their reasons, and as one event of the chain."""
    if not changed:
        return
    session.execute(
        insert(LoanClassChange),
        [
            {
                "loan_id": item.row.loan_id,
                "community_id": community.id,
                "from_class": item.before,
                "to_class": item.ruling.tier,
                "changed_on": on,
                "reasons": [reason.to_document() for reason in item.ruling.reasons],
                "charter_id": charter.id,
                "recorded_at": now,
            }
            for item in changed
        ],
    )
    record_event(
        session,
        community_id=community.id,
        kind="portfolio.classified",
        subject=community.public_id,
        actor_id=None,
        now=now,
        facts={
            "on": on.isoformat(),
            "charter": charter.version,
            "changes": [
                [item.row.public_id, item.before.value, item.ruling.tier.value] for item in changed
            ],
        },
    )


def _to_provide(
    community_id: int, loan_ids: range | None, rules: CharterRules
) -> Select[*tuple[Any, ...]]:
    """Loans of which what is set aside differs from what should be, locked.

    Their positions say what is out, and of which product they are; of those that are gone nothing
    is out. Loans as such are not read.
    """
    c, p = LoanClass, LoanPosition
    outstanding = func.coalesce(p.outstanding_minor, literal_column("0", BigInteger))
    after = provision_expression(outstanding, bps_expression(c.risk_class, rules))
    product_id = func.coalesce(
        p.product_id,
        select(ProductVersion.product_id)
        .join(Loan, Loan.product_version_id == ProductVersion.id)
        .where(Loan.id == c.loan_id)
        .scalar_subquery(),
    )
    still_out = c.left_on.is_(None)
    to_release = and_(c.left_on.is_not(None), c.provision_minor != literal_column("0"))
    return (
        select(
            c.loan_id,
            c.risk_class,
            outstanding.label("outstanding_minor"),
            c.provision_minor.label("before_minor"),
            after.label("after_minor"),
            Product.public_id.label("product"),
        )
        .select_from(c)
        # Said of both, so that a community's rows of each are met without looking each one up.
        .outerjoin(p, (p.loan_id == c.loan_id) & (p.community_id == community_id))
        .join(Product, Product.id == product_id)
        .where(
            c.community_id == community_id,
            or_(still_out, to_release),
            after != c.provision_minor,
            _within(c.loan_id, loan_ids),
        )
        .order_by(c.loan_id)
        # A classification holds these rows while it waits for the book: so they come first.
        .with_for_update(of=c)
    )


def _detail(session: Session, entry_id: int, rows: Sequence[Row[Any]]) -> None:
    """What an entry means loan by loan, and the loans' new provisions from just these rows."""
    names = ("loan_id", "risk_class", "outstanding_minor", "before_minor", "after_minor")
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    insert_columns(session, ProvisionChange, {"entry_id": [entry_id] * len(rows)} | columns)
    done = session.connection().execute(
        update(_classes)
        .where(
            _classes.c.loan_id == _details.c.loan_id,
            _classes.c.provision_minor == _details.c.before_minor,
            _details.c.entry_id == entry_id,
        )
        .values(provision_minor=_details.c.after_minor)
    )
    if done.rowcount != len(rows):
        raise StaleSnapshot()
