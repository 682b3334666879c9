"""Reading a community's books: journal, balances, chart, trial balance, statements."""

from typing import Any

from sqlalchemy.orm import Session

from app.blueprint import Blueprint
from app.communities.facts import membership_facts
from app.extensions import db
from app.ledger import permissions as _permissions  # noqa: F401  declares this room's actions
from app.ledger import views
from app.ledger.periods import PeriodArgs, StatementArgs, opened, period_of
from app.ledger.schemas import (
    AccountStatementSchema,
    BalancesSchema,
    ChartSchema,
    EntrySchema,
    EventSchema,
    MemberStatementSchema,
    TrialBalanceSchema,
    VerificationSchema,
)
from app.marks import limited
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import Facts, permit, requires
from app.sheets import CSV_DOC, sheet, wants_csv
from community.communities import queries as communities
from community.communities.models import Community
from community.ledger import queries, statements
from community.ledger.chart import CHART
from community.ledger.errors import AccountKindNotFound
from community.ledger.models import AccountKind, Event, JournalEntry
from community.members import queries as members
from community.verification import verify

blp = Blueprint("ledger", __name__, description="A community's books")


@blp.route("/communities/<pid(com):community_id>/entries")
@requires("ledger:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(EntrySchema))
def list_entries(args: dict[str, Any], community_id: str) -> Page:
    """The journal of a community, newest first, with every leg and hash."""
    session = db.session()
    community = _open(session, community_id)
    statement = queries.entries_of(community.id)
    page = paginate(session, statement, key=JournalEntry.id, args=args, newest_first=True)
    return Page(queries.entry_views(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/events")
@requires("event:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(EventSchema))
def list_events(args: dict[str, Any], community_id: str) -> Page:
    """What happened in a community, newest first: the events of its chain, with their hashes."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("event:read", Facts(path=community.path_ids))
    page = paginate(
        session, queries.events_of(community.id), key=Event.id, args=args, newest_first=True
    )
    return Page(queries.event_views(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/verification")
@requires("ledger:read")
@limited("heavy")
@blp.response(200, VerificationSchema)
def get_verification(community_id: str) -> Any:
    """Check the community's book now: double entry, balances, holds, and the whole chain."""
    session = db.session()
    community = _open(session, community_id)
    return verify(session, community_id=community.id)


@blp.route("/communities/<pid(com):community_id>/balances")
@requires("ledger:read")
@blp.response(200, BalancesSchema)
def get_balances(community_id: str) -> Any:
    """What a community's accounts hold, by kind, and where its chain stands."""
    session = db.session()
    community = _open(session, community_id)
    return queries.balances_of(session, community.id, community.currency)


@blp.route("/communities/<pid(com):community_id>/chart")
@requires("ledger:read")
@blp.response(200, ChartSchema)
def get_chart(community_id: str) -> Any:
    """The chart of accounts that a community's books are kept by."""
    _open(db.session(), community_id)
    return {"items": CHART}


@blp.route("/communities/<pid(com):community_id>/trial-balance")
@requires("ledger:read")
@blp.arguments(PeriodArgs, location="query")
@blp.response(200, TrialBalanceSchema)
@blp.doc(**CSV_DOC)
def get_trial_balance(args: dict[str, Any], community_id: str) -> Any:
    """Opening, debits, credits and closing of every account over a period."""
    session = db.session()
    community = _open(session, community_id)
    period = period_of(args)
    found = statements.trial_balance(session, community_id=community.id, period=period)
    if wants_csv(args["format"]):
        name = f"trial-balance-{period.from_on}-{period.to_on}"
        return sheet(name, views.TRIAL_HEADER, views.trial_rows(found))
    return views.trial_view(community, found, queries.closed_through(session, community.id))


@blp.route("/communities/<pid(com):community_id>/accounts/<kind>/statement")
@requires("ledger:read")
@blp.arguments(StatementArgs, location="query")
@blp.response(200, AccountStatementSchema)
@blp.doc(**CSV_DOC)
def get_account_statement(args: dict[str, Any], community_id: str, kind: str) -> Any:
    """What moved on all accounts of a kind over a period, oldest first, with the balance."""
    session = db.session()
    community = _open(session, community_id)
    if kind not in set(AccountKind):
        raise AccountKindNotFound(f"There is no account {kind!r}; see the chart.")
    account, period = AccountKind(kind), period_of(args)
    if wants_csv(args["format"]):
        name = f"{kind}-{period.from_on}-{period.to_on}"
        rows = views.account_rows(session, community, account, period)
        return sheet(name, views.ACCOUNT_HEADER, rows)
    return views.account_view(
        session, community, account, period, after=opened(args, period), limit=args["limit"]
    )


@blp.route("/communities/<pid(com):community_id>/members/<pid(mem):member_id>/statement")
@requires("statement:read")
@blp.arguments(StatementArgs, location="query")
@blp.response(200, MemberStatementSchema)
@blp.doc(**CSV_DOC)
def get_member_statement(args: dict[str, Any], community_id: str, member_id: str) -> Any:
    """What moved on a member's savings, stake, overpayments and loans, oldest first."""
    session = db.session()
    community = communities.get_community(session, community_id)
    member = members.get_member(session, member_id)
    permit("statement:read", membership_facts(community, member))
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    period = period_of(args)
    if wants_csv(args["format"]):
        name = f"statement-{member.public_id}-{period.from_on}-{period.to_on}"
        rows = views.member_rows(session, community, member, period)
        return sheet(name, views.MEMBER_HEADER, rows)
    return views.member_view(
        session, community, member, period, after=opened(args, period), limit=args["limit"]
    )


def _open(session: Session, community_id: str) -> Community:
    """A community whose books the caller may read."""
    community = communities.get_community(session, community_id)
    permit("ledger:read", Facts(path=community.path_ids))
    return community
