"""Credit limits with their reasons, approval, and the lender's money."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import community_facts, membership_facts
from app.credit import permissions as _permissions  # noqa: F401  declares this room's actions
from app.credit import views
from app.credit.schemas import (
    CoverPreviewArgs,
    CoverPreviewSchema,
    FundingInSchema,
    FundingSchema,
    LimitArgs,
    LimitSchema,
)
from app.extensions import db
from app.idempotency import money_moving
from app.lines.facts import line_facts
from app.loans.facts import group_loan_facts, loan_facts
from app.loans.schemas import GroupLoanSchema, LoanSchema
from app.loans.views import group_loan_view, loan_view
from app.networks.folder import network_folder
from app.permissions import Facts, may, permit, requires
from community.communities import queries as communities
from community.communities.models import Community
from community.credit import service
from community.credit.errors import WhatIfNotKnown
from community.credit.explain import WhatIf
from community.errors import AmountOutOfRange, NotFound
from community.lines import queries as lines
from community.lines.errors import LineNotFound
from community.loans import queries as loans
from community.members import queries as members
from community.members.models import Member
from community.money import Money
from community.products import queries as products
from community.products.errors import ProductNotFound
from community.trust.queries import are_connected

blp = Blueprint("credit", __name__, description="Credit limits and decisions on loans")


@blp.route("/communities/<pid(com):community_id>/members/<pid(mem):member_id>/credit-limit")
@requires("limit:read")
@blp.arguments(LimitArgs, location="query")
@blp.response(200, LimitSchema)
def get_credit_limit(args: dict[str, Any], community_id: str, member_id: str) -> Any:
    """What a member may still borrow, with every reason, every path, and what would raise it."""
    session = db.session()
    community = communities.get_community(session, community_id)
    member = members.get_member(session, member_id)
    permit("limit:read", membership_facts(community, member))
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    limit = service.credit_limit(
        session,
        community_id=community.id,
        member_id=member.id,
        on=today(),
        product_version_id=_product_version(session, community, args["product"]),
        line_id=_line(session, args["credit_line"]),
        what_if=_what_if(session, community, member, args),
        raise_by_minor=_amount(args["raise_by"], community.currency, "raise_by"),
        with_ceiling=args["ceiling"],
        network_folder=network_folder(),
    )
    return views.limit_view(limit)


@blp.route("/communities/<pid(com):community_id>/members/<pid(mem):member_id>/cover-preview")
@requires("limit:read")
@blp.arguments(CoverPreviewArgs, location="query")
@blp.response(200, CoverPreviewSchema)
def get_cover_preview(args: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Who would stand behind a loan of this product and amount, and for how much."""
    session = db.session()
    community = communities.get_community(session, community_id)
    member = members.get_member(session, member_id)
    permit("limit:read", membership_facts(community, member))
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    version_id = _product_version(session, community, args["product"])
    assert version_id is not None  # the schema asks for a product
    amount = Money.parse(args["amount"], community.currency)
    if not amount.is_positive:
        raise AmountOutOfRange("The amount has to be above zero.", field="amount")
    preview = service.preview_cover(
        session,
        community_id=community.id,
        member_id=member.id,
        product_version_id=version_id,
        principal=amount,
        on=today(),
    )
    return views.cover_preview_view(preview)


@blp.route("/loans/<pid(lon):loan_id>/approval", methods=["POST"])
@requires("loan:approve")
@money_moving(LoanSchema)
def approve_loan(loan_id: str) -> Any:
    """Approve an endorsed loan if the limit admits it, and reserve its cover."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    permit("loan:approve", loan_facts(session, loan))
    service.approve_loan(
        session, loan_id=loan.id, on=today(), now=now(), actor_id=caller().member_id
    )
    return loan_view(session, loan)


@blp.route("/group-loans/<pid(gln):group_loan_id>/approval", methods=["POST"])
@requires("group-loan:approve")
@money_moving(GroupLoanSchema)
def approve_group_loan(group_loan_id: str) -> Any:
    """Approve all shares of an endorsed group loan, or none, and reserve their cover."""
    session = db.session()
    group_loan = loans.get_group_loan(session, group_loan_id)
    permit("group-loan:approve", group_loan_facts(session, group_loan))
    service.approve_group_loan(
        session, group_loan_id=group_loan.id, on=today(), now=now(), actor_id=caller().member_id
    )
    return group_loan_view(session, group_loan)


@blp.route("/communities/<pid(com):community_id>/lending-pool/deposits", methods=["POST"])
@requires("pool:fund")
@blp.arguments(FundingInSchema)
@money_moving(FundingSchema)
def fund_lending_pool(data: dict[str, Any], community_id: str) -> Any:
    """Put the lender's money into the pool out of which a community's loans are paid."""
    session = db.session()
    community = _fundable(session, community_id)
    funding = service.fund_lending_pool(
        session,
        community_id=community.id,
        **data,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.funding_view(funding)


@blp.route("/communities/<pid(com):community_id>/reserve-fund/deposits", methods=["POST"])
@requires("pool:fund")
@blp.arguments(FundingInSchema)
@money_moving(FundingSchema)
def fund_reserve(data: dict[str, Any], community_id: str) -> Any:
    """Set money aside against a community's losses."""
    session = db.session()
    community = _fundable(session, community_id)
    funding = service.fund_reserve(
        session,
        community_id=community.id,
        **data,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.funding_view(funding)


def _fundable(session: Session, community_id: str) -> Community:
    community = communities.get_community(session, community_id)
    permit("pool:fund", community_facts(session, community))
    return community


def _product_version(session: Session, community: Community, public_id: str | None) -> int | None:
    if public_id is None:
        return None
    product = products.get_product(session, public_id)
    if product.community_id not in community.path_ids:
        raise ProductNotFound()
    return products.version_on(session, product.id, today()).id


def _line(session: Session, public_id: str | None) -> int | None:
    """The line that is asked for, if the caller may know it."""
    if public_id is None:
        return None
    line = lines.get_line(session, public_id)
    if not may("credit-line:read", line_facts(session, line)):
        raise LineNotFound()
    return line.id


def _what_if(
    session: Session, community: Community, member: Member, args: dict[str, Any]
) -> list[WhatIf]:
    """What is supposed. A member may suppose of those only with whom they have to do: the answer
    tells how much the other could stand for."""
    if args["what_if_voucher"] is None:
        return []
    amount = _amount(args["what_if_amount"], community.currency, "what_if_amount")
    assert amount is not None  # the schema takes both or none
    try:
        voucher = members.get_member(session, args["what_if_voucher"])
        communities.get_membership(session, community_id=community.id, member_id=voucher.id)
    except NotFound:
        raise WhatIfNotKnown() from None
    known = may("limit:suppose", Facts(path=community.path_ids)) or are_connected(
        session, community_id=community.id, member_id=member.id, other_id=voucher.id
    )
    if voucher.id == member.id or not known:
        raise WhatIfNotKnown()
    return [WhatIf(voucher.id, amount)]


def _amount(text: str | None, currency: str, field: str) -> int | None:
    if text is None:
        return None
    amount = Money.parse(text, currency)
    if not amount.is_positive:
        raise AmountOutOfRange("The amount has to be above zero.", field=field)
    return amount.amount_minor
