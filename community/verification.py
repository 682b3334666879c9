"""All laws that the rows can prove, in one pass over the whole database.

Law 6 (once means once) and 9 (nobody sees what is not theirs) are properties of requests, and 10
of the servers: the rows cannot show them; tests do. `verify` says which laws it looked at.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    TextClause,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from community.campaigns.checks import check_campaigns
from community.communities.checks import check_communities
from community.database import MinorUnits
from community.feedback.checks import check_feedback
from community.groups.checks import check_groups
from community.guarantees.checks import check_guarantees
from community.idempotency import UNDER_WAY
from community.ledger.checks import Breach, check_ledger
from community.ledger.models import Book, Event, JournalEntry, Posting
from community.lines.checks import check_lines
from community.loans.checks import check_loans
from community.members.checks import check_members
from community.models import metadata
from community.monitoring.checks import check_monitoring
from community.portfolio.checks import check_portfolio
from community.products.checks import check_products
from community.receiving.checks import check_receiving
from community.records.checks import check_records
from community.risk.checks import check_risk
from community.savings.checks import check_savings
from community.scoring.checks import check_warnings
from community.seasons.checks import check_seasons
from community.trust.checks import check_trust
from community.webhooks.checks import check_webhooks


def _check_people(session: Session) -> Iterator[Breach]:
    yield from check_members(session)
    yield from check_communities(session)
    yield from check_groups(session)
    yield from check_savings(session)


Check = tuple[str, Callable[[Session], Iterator[Breach]]]

# Besides the books, which come first.
CHECKS: tuple[Check, ...] = (
    ("members, communities, groups and savings agree", _check_people),
    ("standings agree with the books", check_trust),
    ("products are what they were published as", check_products),
    ("loans agree with their schedules, payments and the books", check_loans),
    ("classes and provisions follow from their history and the books", check_portfolio),
    ("declared events did what they say", check_seasons),
    ("promises, cover, caps and claims", check_guarantees),
    ("shared lines are what their draws take", check_lines),
    ("credit records have their consent, and are what was signed", check_records),
    ("campaigns granted what their answers gave", check_campaigns),
    ("the desk's findings add up", check_risk),
    ("warnings rest on what they say, models are as they were made", check_warnings),
    ("sheets and bank lines agree with their receipts and the books", check_receiving),
    ("webhooks told of what is in the books", check_webhooks),
    ("ballots sum, meetings are counted, reports are kept apart", check_monitoring),
    ("complaints are numbered, votes sum, whoever asked was told", check_feedback),
)

LAWS = {
    1: "Double entry",
    2: "No promise is spent twice",
    3: "Cover matches debt",
    4: "Nobody pays more than they signed",
    5: "Money is exact",
    6: "Once means once",
    7: "Every number has a source",
    8: "The past can be checked",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at and what was found broken (at most `most` breaches are kept)."""

    entries: int
    postings: int
    events: int
    breaches: tuple[Breach, ...]

    @property
    def holds(self) -> bool:
        return not self.breaches


def verify(
    session: Session,
    *,
    most: int = 100,
    note: Callable[[str], None] = lambda text: None,
    community_id: int | None = None,
) -> Report:
    """Check every law that rows can prove; read only, in constant memory. Cost: linear in rows.

    With a community only its book is looked at: laws 1 and 8.
    """
    breaches: list[Breach] = []
    for name, check in _checks(note, community_id):
        note(name)
        left = most - len(breaches)
        breaches += islice(check(session), left)
        if len(breaches) >= most:
            break
    return Report(
        entries=_count(session, JournalEntry, community_id),
        postings=_count(session, Posting, community_id),
        events=_count(session, Event, community_id),
        breaches=tuple(breaches),
    )


def _checks(note: Callable[[str], None], community_id: int | None) -> Sequence[Check]:
    books = partial(check_ledger, community_id=community_id, note=note)
    first: Check = ("books balance, balances are sums, chains hold", books)
    if community_id is not None:
        return (first,)
    return (first, *CHECKS, ("money is whole, every number has a source", _check_sources))


def _count(
    session: Session,
    model: type[JournalEntry] | type[Posting] | type[Event],
    community_id: int | None,
) -> int:
    query = select(func.count()).select_from(model)
    if community_id is not None:
        if model is Posting:
            query = query.join(JournalEntry, JournalEntry.id == Posting.entry_id)
            query = query.join(Book, Book.id == JournalEntry.book_id)
        else:
            query = query.join(Book, Book.id == model.book_id)  # type: ignore[union-attr]
        query = query.where(Book.community_id == community_id)
    return session.scalar(query) or 0


def _check_sources(session: Session) -> Iterator[Breach]:
    yield from _amounts_are_whole(session)
    yield from _keys_are_answered(session)
    yield from _decisions_are_recorded(session)


def _amounts_are_whole(session: Session) -> Iterator[Breach]:
    """Law 5. Only SQLite could hold anything else than whole numbers in these columns."""
    if session.get_bind().dialect.name != "sqlite":
        return
    for table, (any_odd, columns) in _questions_about_amounts().items():
        # Nearly always all is well, and one look at a table says so.
        if session.execute(any_odd).first() is None:
            continue
        for column in columns:
            key = table.primary_key.columns.values()[0]
            odd = session.execute(select(key).where(_is_odd(column))).first()
            if odd is not None:
                yield Breach(5, table.name, str(odd[0]), f"{column.name} is not a whole number")


@cache
def _questions_about_amounts() -> "dict[Table, tuple[TextClause, list[Column[Any]]]]":
    """Of every table with amounts: whether any of them is odd, written out once; and which."""
    questions: dict[Table, tuple[TextClause, list[Column[Any]]]] = {}
    for table in metadata.sorted_tables:
        columns = [column for column in table.columns if isinstance(column.type, MinorUnits)]
        if columns:
            odd = or_(*map(_is_odd, columns)).compile(
                dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
            )
            questions[table] = (text(f"SELECT 1 FROM {table.name} WHERE {odd} LIMIT 1"), columns)  # noqa: S608
    return questions


def _is_odd(column: "Column[Any]") -> ColumnElement[bool]:
    return func.typeof(column).not_in(["integer", "null"])


def _keys_are_answered(session: Session) -> Iterator[Breach]:
    """Law 6, the part that rows show: a stored key has its answer."""
    keys = metadata.tables["idempotency_keys"]
    for (row_id,) in session.execute(select(keys.c.id).where(keys.c.status == UNDER_WAY)):
        yield Breach(6, "idempotency_keys", str(row_id), "was kept without its answer")


def _decisions_are_recorded(session: Session) -> Iterator[Breach]:
    """Law 7: every approval of a loan is on record in the chain."""
    loans = metadata.tables["loans"]
    recorded = (
        select(Event.id)
        .where(Event.subject == loans.c.public_id, Event.kind == "loan.approved")
        .exists()
    )
    rows = session.execute(
        select(loans.c.id).where(loans.c.approved_at.is_not(None), ~recorded).order_by(loans.c.id)
    )
    for (row_id,) in rows:
        yield Breach(7, "loans", str(row_id), "was approved without a record of it")
