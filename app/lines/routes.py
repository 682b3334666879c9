"""Shared credit lines: open, read, change with a reason, suspend, close."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from app.auth import acting, caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.groups.facts import group_facts
from app.idempotency import money_moving
from app.lines import permissions as _permissions  # noqa: F401  declares this room's actions
from app.lines import views
from app.lines.facts import line_facts
from app.lines.schemas import (
    DrawSchema,
    LineChangeSchema,
    LineInSchema,
    LineLimitInSchema,
    LineRaiseInSchema,
    LineReasonSchema,
    LineReserveSchema,
    LineSchema,
    LineSummarySchema,
    ReserveInSchema,
    ReserveMoveSchema,
    SubLimitChangeSchema,
)
from app.paging import Page, PageArgs, check_etag, page_of, paginate, show_etag
from app.permissions import Facts, may, permit, requires
from app.transaction import transactional
from community.communities import queries as communities
from community.groups import queries as groups
from community.lines import queries, reserves, service
from community.lines.models import CreditLine, CreditLineChange, LineReserveMove
from community.loans.models import Loan
from community.members import queries as members
from community.products import queries as products

blp = Blueprint("lines", __name__, description="Shared credit lines (共享授信)")

LinePageSchema = page_of(LineSummarySchema)
_LINE = "/credit-lines/<pid(cln):line_id>"


@blp.route("/communities/<pid(com):community_id>/credit-lines")
@requires("credit-line:list")
@blp.arguments(PageArgs, location="query")
@blp.response(200, LinePageSchema)
def list_lines(args: dict[str, Any], community_id: str) -> Page:
    """A community's lines and those of its groups; a member's: those they have a sub-limit on."""
    session = db.session()
    community = communities.get_community(session, community_id)
    facts = community_facts(session, community)
    permit("credit-line:list", facts)
    return _page(session, args, facts, community_id=community.id)


@blp.route("/communities/<pid(com):community_id>/credit-lines", methods=["POST"])
@requires("credit-line:open")
@blp.arguments(LineInSchema)
@blp.response(201, LineSchema)
@transactional
def open_line(data: dict[str, Any], community_id: str) -> Any:
    """Open a line that the whole community holds."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("credit-line:open", community_facts(session, community))
    return _opened(session, data, community_id=community.id)


@blp.route("/groups/<pid(grp):group_id>/credit-lines")
@requires("credit-line:list")
@blp.arguments(PageArgs, location="query")
@blp.response(200, LinePageSchema)
def list_group_lines(args: dict[str, Any], group_id: str) -> Page:
    """A group's lines; a member's: those they have a sub-limit on."""
    session = db.session()
    group = groups.get_group(session, group_id)
    facts = group_facts(session, group)
    permit("credit-line:list", facts)
    return _page(session, args, facts, community_id=group.community_id, group_id=group.id)


@blp.route("/groups/<pid(grp):group_id>/credit-lines", methods=["POST"])
@requires("credit-line:open")
@blp.arguments(LineInSchema)
@blp.response(201, LineSchema)
@transactional
def open_group_line(data: dict[str, Any], group_id: str) -> Any:
    """Open a line that an active group holds, for those who signed its agreement."""
    session = db.session()
    group = groups.get_group(session, group_id)
    permit("credit-line:open", group_facts(session, group))
    return _opened(session, data, community_id=group.community_id, group_id=group.id)


@blp.route(_LINE)
@requires("credit-line:read")
@blp.response(200, LineSchema)
def get_line(line_id: str) -> Any:
    """A line, with all sub-limits for those who look after it, else one's own."""
    session = db.session()
    return _shown(session, _line(session, "credit-line:read", line_id))


@blp.route(_LINE, methods=["PATCH"])
@requires("credit-line:change")
@blp.arguments(LineLimitInSchema)
@blp.response(200, LineSchema)
@transactional
def change_limit(data: dict[str, Any], line_id: str) -> Any:
    """Change the line's limit, with a reason."""
    session = db.session()
    line = queries.get_line_for_update(session, line_id)
    permit("credit-line:change", line_facts(session, line))
    check_etag(line.version)
    service.change_limit(session, **_step(line), **data)
    return _shown(session, line)


@blp.route(_LINE + "/sub-limits/<pid(mem):member_id>", methods=["PUT"])
@requires("credit-line:change")
@blp.arguments(SubLimitChangeSchema)
@blp.response(200, LineSchema)
@transactional
def change_sub_limit(data: dict[str, Any], line_id: str, member_id: str) -> Any:
    """Give a member a sub-limit, or change it, with a reason."""
    session = db.session()
    line = _line(session, "credit-line:change", line_id)
    member = members.get_member(session, member_id)
    service.change_sub_limit(session, **_step(line), member_id=member.id, **data)
    return _shown(session, line)


@blp.route(_LINE + "/raises", methods=["POST"])
@requires("credit-line:change")
@blp.arguments(LineRaiseInSchema)
@blp.response(201, LineSchema)
@transactional
def raise_for_a_while(data: dict[str, Any], line_id: str) -> Any:
    """Raise the line's limit, or one sub-limit, until a day."""
    session = db.session()
    line = _line(session, "credit-line:change", line_id)
    named = data.pop("member")
    member_id = None if named is None else members.get_member(session, named).id
    service.raise_for_a_while(session, **_step(line), member_id=member_id, **data)
    return _shown(session, line)


@blp.route(_LINE + "/suspension", methods=["POST"])
@requires("credit-line:change")
@blp.arguments(LineReasonSchema)
@blp.response(200, LineSchema)
@transactional
def suspend(data: dict[str, Any], line_id: str) -> Any:
    """No new draws; those that run go on."""
    return _done(service.suspend, data, line_id)


@blp.route(_LINE + "/resumption", methods=["POST"])
@requires("credit-line:change")
@blp.arguments(LineReasonSchema)
@blp.response(200, LineSchema)
@transactional
def resume(data: dict[str, Any], line_id: str) -> Any:
    """Draws are possible again."""
    return _done(service.resume, data, line_id)


@blp.route(_LINE + "/closure", methods=["POST"])
@requires("credit-line:change")
@blp.arguments(LineReasonSchema)
@blp.response(200, LineSchema)
@transactional
def close(data: dict[str, Any], line_id: str) -> Any:
    """Close a line on which nothing is drawn any more, for good."""
    return _done(service.close, data, line_id)


@blp.route(_LINE + "/reserve")
@requires("credit-line:read")
@blp.response(200, LineReserveSchema)
def get_reserve(line_id: str) -> Any:
    """The line's first-loss reserve, and who has paid in: all, or oneself and the community."""
    session = db.session()
    line = _line(session, "credit-line:read", line_id)
    return views.reserve_view(session, line, only=_only(session, line))


@blp.route(_LINE + "/reserve/contributions", methods=["POST"])
@requires("credit-line:contribute")
@blp.arguments(ReserveInSchema)
@money_moving(LineReserveSchema)
def contribute(data: dict[str, Any], line_id: str) -> Any:
    """Pay into the line's first-loss reserve, out of savings or out of the reserve fund."""
    session = db.session()
    line = _line(session, "credit-line:contribute", line_id)
    me = caller().member_id
    payer = me if data["member"] is None else members.get_member(session, data["member"]).id
    if data["from_reserve_fund"] or payer != me:
        # Others' money, and the community's, is moved by those who look after the line.
        permit("credit-line:change", line_facts(session, line))
    reserves.contribute(
        session,
        line_id=line.id,
        member_id=None if data["from_reserve_fund"] else payer,
        amount=data["amount"],
        on=today(),
        now=now(),
        actor_id=me,
    )
    return views.reserve_view(session, line, only=_only(session, line))


@blp.route(_LINE + "/reserve/moves")
@requires("credit-line:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(ReserveMoveSchema))
def list_reserve_moves(args: dict[str, Any], line_id: str) -> Page:
    """Money into and out of the line's reserve, newest first: all of it, or one's own."""
    session = db.session()
    line = _line(session, "credit-line:read", line_id)
    statement = queries.reserve_moves(line.id, member_id=_only(session, line))
    page = paginate(session, statement, key=LineReserveMove.id, args=args, newest_first=True)
    return Page(views.move_views(session, line, page.items), page.next_cursor)


@blp.route(_LINE + "/draws")
@requires("credit-line:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(DrawSchema))
def list_draws(args: dict[str, Any], line_id: str) -> Page:
    """Loans that draw on the line, newest first: those of all, or one's own."""
    session = db.session()
    line = _line(session, "credit-line:read", line_id)
    statement = queries.draws_on(line.id, member_id=_only(session, line))
    page = paginate(session, statement, key=Loan.id, args=args, newest_first=True)
    return Page(views.draw_views(session, line, page.items), page.next_cursor)


@blp.route(_LINE + "/history")
@requires("credit-line:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(LineChangeSchema))
def list_changes(args: dict[str, Any], line_id: str) -> Page:
    """What was changed of the line, when, by whom and why; of sub-limits only what is one's own."""
    session = db.session()
    line = _line(session, "credit-line:read", line_id)
    statement = queries.changes_of(line.id, member_id=_only(session, line))
    page = paginate(session, statement, key=CreditLineChange.id, args=args)
    return Page(views.change_views(session, line, page.items), page.next_cursor)


def _line(session: Session, action: str, public_id: str) -> CreditLine:
    line = queries.get_line(session, public_id)
    permit(action, line_facts(session, line))
    return line


def _step(line: CreditLine) -> dict[str, Any]:
    return {"line_id": line.id, **acting()}


def _done(step: Callable[..., CreditLine], data: dict[str, Any], line_id: str) -> dict[str, Any]:
    session = db.session()
    line = _line(session, "credit-line:change", line_id)
    step(session, **_step(line), reason=data["reason"])
    return _shown(session, line)


def _opened(
    session: Session, data: dict[str, Any], *, community_id: int, group_id: int | None = None
) -> dict[str, Any]:
    product = data.pop("product")
    sub_limits = {
        members.get_member(session, item["member"]).id: item["limit"]
        for item in data.pop("sub_limits")
    }
    line = service.open_line(
        session,
        community_id=community_id,
        group_id=group_id,
        product_id=None if product is None else products.get_product(session, product).id,
        sub_limits=sub_limits,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
        **data,
    )
    return _shown(session, line)


def _shown(session: Session, line: CreditLine) -> dict[str, Any]:
    show_etag(line.version)
    only = _only(session, line)
    shares = [
        share
        for share in queries.shares_of(session, line.id)
        if only is None or share.member_id == only
    ]
    return views.line_view(session, line, shares)


def _only(session: Session, line: CreditLine) -> int | None:
    """Whose part of a line the caller sees; None: everybody's."""
    seen = may("credit-line:read_all", line_facts(session, line))
    return None if seen else caller().member_id


def _page(
    session: Session,
    args: dict[str, Any],
    facts: Facts,
    *,
    community_id: int,
    group_id: int | None = None,
) -> Page:
    statement = queries.list_lines(community_id=community_id, group_id=group_id)
    if not may("credit-line:read_all", facts):
        statement = queries.lines_for(
            community_id=community_id, group_id=group_id, member_id=caller().member_id
        )
    page = paginate(session, statement, key=CreditLine.id, args=args)
    return Page(views.line_summaries(session, page.items), page.next_cursor)
