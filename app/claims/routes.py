"""The book of claims: lists, one claim with its history, statements, settlements, waivers."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.claims import permissions as _permissions  # noqa: F401  declares this room's actions
from app.claims import views
from app.claims.facts import claim_facts
from app.claims.schemas import (
    ClaimArgs,
    ClaimDetailSchema,
    ClaimReasonSchema,
    ClaimSchema,
    ClaimSettlementInSchema,
    ClaimSettlementSchema,
    ClaimStatementSchema,
    ClaimWaiverSchema,
    RecourseArgs,
)
from app.clock import now, today
from app.communities.facts import membership_facts
from app.extensions import db
from app.idempotency import money_moving
from app.ledger.periods import period_of
from app.paging import Page, page_of, paginate
from app.permissions import Facts, permit, requires
from app.sheets import CSV_DOC, sheet, wants_csv
from app.transaction import transactional
from community.communities import queries as communities
from community.guarantees import claims, statements
from community.guarantees.models import Claim, ClaimSettlement
from community.members import queries as members

blp = Blueprint("claims", __name__, description="What those who paid for others may claim back")


@blp.route("/me/claims")
@requires("claim:read")
@blp.arguments(ClaimArgs, location="query")
@blp.response(200, page_of(ClaimSchema))
def list_my_claims(args: dict[str, Any]) -> Page:
    """What the caller may claim back from others, and others from the caller."""
    session = db.session()
    me = caller().member_id
    permit("claim:read", Facts(owner_ids=frozenset({me})))
    found = statements.claims_of(me, side=args["side"])
    page = paginate(session, found, key=Claim.id, args=args)
    return Page(views.claims(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/members/<pid(mem):member_id>/claims")
@requires("claim:read")
@blp.arguments(ClaimArgs, location="query")
@blp.response(200, page_of(ClaimSchema))
def list_claims(args: dict[str, Any], community_id: str, member_id: str) -> Page:
    """What a member has to get and to pay in a community."""
    session = db.session()
    community = communities.get_community(session, community_id)
    member = members.get_member(session, member_id)
    permit("claim:read", membership_facts(community, member))
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    found = statements.claims_of(member.id, side=args["side"], community_id=community.id)
    page = paginate(session, found, key=Claim.id, args=args)
    return Page(views.claims(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/members/<pid(mem):member_id>/claims-statement")
@requires("claim:read")
@blp.arguments(RecourseArgs, location="query")
@blp.response(200, ClaimStatementSchema)
@blp.doc(**CSV_DOC)
def get_claims_statement(args: dict[str, Any], community_id: str, member_id: str) -> Any:
    """What moved on a member's claims, or on claims on them: opening, movements, closing."""
    session = db.session()
    community = communities.get_community(session, community_id)
    member = members.get_member(session, member_id)
    permit("claim:read", membership_facts(community, member))
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    period = period_of(args)
    found = statements.statement(
        session,
        member_id=member.id,
        community_id=community.id,
        currency=community.currency,
        side=args["side"],
        period=period,
        today=today(),
    )
    if wants_csv(args["format"]):
        name = f"claims-{args['side'].value}-{period.from_on}-{period.to_on}"
        return sheet(name, views.STATEMENT_HEADER, views.statement_rows(session, community, found))
    return views.statement_view(session, community, member, found)


@blp.route("/claims/<pid(clm):claim_id>")
@requires("claim:read")
@blp.response(200, ClaimDetailSchema)
def get_claim(claim_id: str) -> Any:
    """One claim with its history, and what is owed on it today."""
    session = db.session()
    claim = statements.get_claim(session, claim_id)
    permit("claim:read", claim_facts(session, claim))
    return views.claim_detail(session, claim, on=today())


@blp.route("/claims/<pid(clm):claim_id>/settlements", methods=["POST"])
@requires("claim:state")
@blp.arguments(ClaimSettlementInSchema)
@money_moving(ClaimSettlementSchema)
def state_settlement(data: dict[str, Any], claim_id: str) -> Any:
    """Say that money was given outside the loan. The debtor's word waits for the claimant's; the
    claimant's counts at once."""
    session = db.session()
    claim = statements.get_claim(session, claim_id)
    permit("claim:state", claim_facts(session, claim))
    settlement = claims.state_settlement(
        session,
        claim_id=claim.id,
        member_id=caller().member_id,
        amount=data["amount"],
        paid_on=data["paid_on"] or today(),
        on=today(),
        now=now(),
    )
    return _shown(session, settlement)


@blp.route("/claim-settlements/<pid(cst):settlement_id>")
@requires("claim:read")
@blp.response(200, ClaimSettlementSchema)
def get_settlement(settlement_id: str) -> Any:
    """One payment on a claim, as it was stated, confirmed, refused or taken back."""
    session = db.session()
    settlement = statements.get_settlement(session, settlement_id)
    permit("claim:read", _settlement_facts(session, settlement))
    return _shown(session, settlement)


@blp.route("/claim-settlements/<pid(cst):settlement_id>/confirmation", methods=["POST"])
@requires("claim:confirm")
@money_moving(ClaimSettlementSchema)
def confirm_settlement(settlement_id: str) -> Any:
    """Confirm that the money came: the claim falls, and with it the linked ones."""
    session = db.session()
    settlement = statements.get_settlement(session, settlement_id)
    permit("claim:confirm", _settlement_facts(session, settlement))
    claims.confirm_settlement(
        session,
        settlement_id=settlement.id,
        member_id=caller().member_id,
        on=today(),
        now=now(),
    )
    return _shown(session, settlement)


@blp.route("/claim-settlements/<pid(cst):settlement_id>/refusal", methods=["POST"])
@requires("claim:confirm")
@blp.arguments(ClaimReasonSchema)
@blp.response(200, ClaimSettlementSchema)
@transactional
def decline_settlement(data: dict[str, Any], settlement_id: str) -> Any:
    """Say that this money did not come; nothing moves."""
    session = db.session()
    settlement = statements.get_settlement(session, settlement_id)
    permit("claim:confirm", _settlement_facts(session, settlement))
    claims.decline_settlement(
        session,
        settlement_id=settlement.id,
        member_id=caller().member_id,
        reason=data["reason"],
        on=today(),
        now=now(),
    )
    return _shown(session, settlement)


@blp.route("/claim-settlements/<pid(cst):settlement_id>/reversal", methods=["POST"])
@requires("claim:correct")
@blp.arguments(ClaimReasonSchema)
@money_moving(ClaimSettlementSchema)
def reverse_settlement(data: dict[str, Any], settlement_id: str) -> Any:
    """Correct a settlement that was confirmed in error: everything is as if it had not been."""
    session = db.session()
    settlement = statements.get_settlement(session, settlement_id)
    permit("claim:correct", _settlement_facts(session, settlement))
    claims.reverse_settlement(
        session,
        settlement_id=settlement.id,
        actor_id=caller().member_id,
        reason=data["reason"],
        on=today(),
        now=now(),
    )
    return _shown(session, settlement)


@blp.route("/claims/<pid(clm):claim_id>/waiver", methods=["POST"])
@requires("claim:waive")
@blp.arguments(ClaimWaiverSchema)
@money_moving(ClaimSchema)
def waive_claim(data: dict[str, Any], claim_id: str) -> Any:
    """Let a claim go, in part or all that is left of it."""
    session = db.session()
    claim = statements.get_claim(session, claim_id)
    permit("claim:waive", claim_facts(session, claim))
    claims.waive(
        session,
        claim_id=claim.id,
        member_id=caller().member_id,
        amount=data["amount"],
        reason=data["reason"],
        on=today(),
        now=now(),
    )
    return views.claims(session, [claim])[0]


def _shown(session: Session, settlement: ClaimSettlement) -> Any:
    claim = statements.get_claim_by_id(session, settlement.claim_id)
    return views.settlements(session, claim, [settlement])[0]


def _settlement_facts(session: Session, settlement: ClaimSettlement) -> Facts:
    return claim_facts(session, statements.get_claim_by_id(session, settlement.claim_id))
