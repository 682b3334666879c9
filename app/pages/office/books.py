"""The books: trial balance, journal, one entry, one account; all as sheets too."""

from typing import Any

from flask import Response, url_for
from sqlalchemy import select

from app.clock import today
from app.extensions import db
from app.ledger import views
from app.ledger.periods import PeriodArgs, StatementArgs, opened, period_of
from app.marks import limited
from app.pages.entry import language
from app.pages.forms import Form, read_query
from app.pages.lists import listed
from app.pages.office.room import enter, pages, show
from app.pages.papers.views import account_name, rule_name
from app.permissions import requires
from app.sheets import CSV, sheet
from community.errors import Invalid
from community.ledger import queries, statements
from community.ledger.chart import LINES, Side
from community.ledger.errors import AccountKindNotFound, EntryNotFound
from community.ledger.models import AccountKind, JournalEntry
from community.ledger.statements import Period

_LINES = 50


@pages.listed("books")
@pages.get("/office/<pid(com):community_id>/books")
@requires("ledger:read")
@limited("heavy")
def books(community_id: str) -> Response:
    """The trial balance of a period; each account leads to its statement."""
    community = enter(community_id, "ledger:read")
    form, args = read_query(PeriodArgs())
    period = _period(form, args)
    found = statements.trial_balance(db.session(), community_id=community.id, period=period)
    if args.get("format") == CSV and form.status == 200:
        name = f"trial-balance-{period.from_on}-{period.to_on}"
        return sheet(name, views.TRIAL_HEADER, views.trial_rows(found))
    answer = show(
        "books",
        community,
        form=form,
        period=period,
        trial=found,
        closed_through=queries.closed_through(db.session(), community.id),
        account=_account,
    )
    answer.status_code = form.status
    return answer


@pages.get("/office/<pid(com):community_id>/books/entries")
@requires("ledger:read")
def entries(community_id: str) -> Response:
    """The journal, newest first."""
    community = enter(community_id, "ledger:read")
    session = db.session()
    found, older, first = listed(session, queries.entries_of(community.id), JournalEntry.id)
    return show(
        "entries",
        community,
        journal=queries.entry_views(session, found.items),
        account=_account,
        what=_what,
        older=older,
        first=first,
    )


@pages.get("/office/<pid(com):community_id>/books/entries/<int:number>")
@requires("ledger:read")
def entry(community_id: str, number: int) -> Response:
    """One entry with its legs and its place in the chain."""
    community = enter(community_id, "ledger:read")
    session = db.session()
    row = None
    if number < 2**63:
        row = session.scalar(queries.entries_of(community.id).where(JournalEntry.seq == number))
    if row is None:
        raise EntryNotFound()
    [found] = queries.entry_views(session, [row])
    undone_by = session.scalar(select(JournalEntry.seq).where(JournalEntry.reverses_id == row.id))
    return show("entry", community, entry=found, undone_by=undone_by, account=_account, what=_what)


@pages.get("/office/<pid(com):community_id>/books/accounts/<kind>")
@requires("ledger:read")
@limited("heavy")
def account(community_id: str, kind: str) -> Response:
    """What moved on all accounts of a kind over a period, oldest first, with the balance."""
    community = enter(community_id, "ledger:read")
    if kind not in set(AccountKind):
        raise AccountKindNotFound(f"There is no account {kind!r}; see the chart.")
    form, args = read_query(StatementArgs())
    period = _period(form, args)
    session, of = db.session(), AccountKind(kind)
    if args.get("format") == CSV and form.status == 200:
        name = f"{kind}-{period.from_on}-{period.to_on}"
        return sheet(name, views.ACCOUNT_HEADER, views.account_rows(session, community, of, period))
    after = opened(args, period) if args.get("cursor") else None
    found = views.account_view(session, community, of, period, after=after, limit=_LINES)
    place: dict[str, Any] = {
        "community_id": community_id,
        "kind": kind,
        "from": period.from_on.isoformat(),
        "to": period.to_on.isoformat(),
    }
    answer = show(
        "account",
        community,
        form=form,
        kind=of,
        period=period,
        statement=found,
        is_debit=LINES[of].side is Side.DEBIT,
        account=_account,
        what=_what,
        csv_url=url_for("office.account", **place, format=CSV),
        older=url_for("office.account", **place, cursor=found["next_cursor"])
        if found["next_cursor"]
        else "",
        first=url_for("office.account", **place) if args.get("cursor") else "",
    )
    answer.status_code = form.status
    return answer


def _period(form: Form, args: dict[str, Any]) -> Period:
    """The period asked for; this month, with the reason on the form, if it is none."""
    if not form.errors:
        try:
            return period_of(args)
        except Invalid as refusal:
            form.refuse(refusal)
    return Period(today().replace(day=1), today())


def _account(kind: str) -> str:
    return account_name(kind, language())


def _what(kind: str) -> str:
    return rule_name(kind, language())
