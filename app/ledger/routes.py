"""Reading a community's books."""

from typing import Any

from app.blueprint import Blueprint
from app.extensions import db
from app.ledger import permissions as _permissions  # noqa: F401  declares this room's actions
from app.ledger.schemas import BalancesSchema, EntrySchema
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import Facts, permit, requires
from community.communities import queries as communities
from community.ledger import queries
from community.ledger.models import JournalEntry

blp = Blueprint("ledger", __name__, description="A community's books")


@blp.route("/communities/<pid(com):community_id>/entries")
@requires("ledger:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(EntrySchema))
def list_entries(args: dict[str, Any], community_id: str) -> Page:
    """The journal of a community, newest first, with every leg and hash."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("ledger:read", Facts(path=community.path_ids))
    statement = queries.entries_of(community.id)
    page = paginate(session, statement, key=JournalEntry.id, args=args, newest_first=True)
    return Page(queries.entry_views(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/balances")
@requires("ledger:read")
@blp.response(200, BalancesSchema)
def get_balances(community_id: str) -> Any:
    """What a community's accounts hold, by kind, and where its chain stands."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("ledger:read", Facts(path=community.path_ids))
    return queries.balances_of(session, community.id, community.currency)
