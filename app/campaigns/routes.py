"""Whole-village credit: opened, drawn, reviewed blind, checked, published, granted, revoked."""

import time
from typing import Any

from sqlalchemy.orm import Session

from app.auth import acting, caller
from app.blueprint import Blueprint
from app.campaigns import permissions as _permissions  # noqa: F401  declares this room's actions
from app.campaigns import views
from app.campaigns.facts import (
    assignment_facts,
    campaign_facts,
    household_facts,
    objection_facts,
    own_facts,
)
from app.campaigns.schemas import (
    CampaignFindingSchema,
    CampaignHouseholdSchema,
    CampaignInSchema,
    CampaignObjectionAnswerInSchema,
    CampaignObjectionInSchema,
    CampaignObjectionSchema,
    CampaignReasonSchema,
    CampaignReviewerSchema,
    CampaignSchema,
    CampaignVisitInSchema,
    FindingDecisionInSchema,
    GrantRunSchema,
    ReviewAnswerInSchema,
    ReviewAnswersSchema,
    ReviewAssignmentSchema,
)
from app.campaigns.work import grant_all
from app.clock import now
from app.communities.facts import community_facts
from app.extensions import db
from app.marks import limited
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import may, permit, requires
from app.transaction import in_transaction, transactional
from community.campaigns import deciding, granting, queries, service
from community.campaigns.errors import CampaignHouseholdNotFound, StillBlind
from community.campaigns.models import (
    Campaign,
    CampaignAssignment,
    CampaignFinding,
    CampaignHousehold,
    CampaignObjection,
    CampaignReviewer,
)
from community.communities import queries as communities
from community.lines import queries as lines
from community.members import queries as members

blp = Blueprint("campaigns", __name__, description="Whole-village credit (整村授信)")

_CAMPAIGN = "/campaigns/<pid(cmp):campaign_id>"
_HOUSEHOLD = "/campaign-households/<pid(chh):campaign_household_id>"
# A request grants for so long; what is left the next one does.
REQUEST_SECONDS = 10.0


@blp.route("/communities/<pid(com):community_id>/campaigns")
@requires("campaign:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CampaignSchema))
def list_campaigns(args: dict[str, Any], community_id: str) -> Page:
    """A community's campaigns, newest first."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("campaign:read", community_facts(session, community))
    statement = queries.list_campaigns(community.id)
    page = paginate(session, statement, key=Campaign.id, args=args, newest_first=True)
    return Page(views.campaign_views(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/campaigns", methods=["POST"])
@requires("campaign:open")
@blp.arguments(CampaignInSchema)
@blp.response(201, CampaignSchema)
@transactional
def open_campaign(data: dict[str, Any], community_id: str) -> Any:
    """Open a campaign over the community's households; who may review is fixed by it."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("campaign:open", community_facts(session, community))
    named, line = data["reviewers"], data["credit_line"]
    campaign = service.open_campaign(
        session,
        community_id=community.id,
        name=data["name"],
        seed=data["seed"],
        reviewer_ids=None if named is None else [_member(session, one) for one in named],
        holder_ids=[_member(session, one) for one in data["holders"]],
        kin=[(_member(session, one), _member(session, other)) for one, other in data["kin"]],
        line_id=None if line is None else lines.get_line(session, line).id,
        **acting(),
    )
    return views.campaign_view(session, campaign)


@blp.route(_CAMPAIGN)
@requires("campaign:read")
@blp.response(200, CampaignSchema)
def get_campaign(campaign_id: str) -> Any:
    """Where a campaign stands; of its outcome only what the charter shows the village."""
    session = db.session()
    return views.campaign_view(session, _campaign(session, "campaign:read", campaign_id))


@blp.route(_CAMPAIGN + "/draw", methods=["POST"])
@requires("campaign:run")
@limited("heavy")
@blp.response(200, CampaignSchema)
@transactional
def draw_reviewers(campaign_id: str) -> Any:
    """Draw reviewers for every household by the campaign's seed."""
    session = db.session()
    campaign = _campaign(session, "campaign:run", campaign_id)
    service.draw_reviewers(session, campaign_id=campaign.id, **acting())
    return views.campaign_view(session, campaign)


@blp.route(_CAMPAIGN + "/my-assignments")
@requires("campaign:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(ReviewAssignmentSchema))
def list_my_assignments(args: dict[str, Any], campaign_id: str) -> Page:
    """The households that the caller is to review, with their own answers so far."""
    session = db.session()
    campaign = _campaign(session, "campaign:read", campaign_id)
    statement = queries.assignments_of(campaign.id, reviewer_id=caller().member_id)
    page = paginate(session, statement, key=CampaignAssignment.id, args=args)
    return Page(views.assignment_views(session, campaign, page.items), page.next_cursor)


@blp.route("/campaign-assignments/<pid(cas):assignment_id>/answer", methods=["PUT"])
@requires("campaign-assignment:answer")
@blp.arguments(ReviewAnswerInSchema)
@blp.response(200, ReviewAssignmentSchema)
@transactional
def answer(data: dict[str, Any], assignment_id: str) -> Any:
    """Say what one knows of a household; it may be changed until the round closes."""
    session = db.session()
    assignment = queries.get_assignment(session, assignment_id)
    permit("campaign-assignment:answer", assignment_facts(session, assignment))
    done = service.answer(
        session,
        assignment_id=assignment.id,
        knows=data["knows_household"],
        reputation=data["reputation"],
        debts=data["debts"],
        limit=data["limit"],
        against=data["reason_against"],
        now=now(),
        actor_id=caller().member_id,
    )
    campaign = queries.get_campaign_by_id(session, done.campaign_id)
    return views.assignment_views(session, campaign, [done])[0]


@blp.route(_CAMPAIGN + "/reviewers")
@requires("campaign-household:list")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CampaignReviewerSchema))
def list_reviewers(args: dict[str, Any], campaign_id: str) -> Page:
    """How many households each reviewer has answered for; not which, and not what."""
    session = db.session()
    campaign = _campaign(session, "campaign-household:list", campaign_id)
    statement = queries.list_reviewers(campaign.id)
    page = paginate(session, statement, key=CampaignReviewer.id, args=args)
    return Page(views.reviewer_views(session, page.items), page.next_cursor)


@blp.route(_CAMPAIGN + "/round-closure", methods=["POST"])
@requires("campaign:run")
@limited("heavy")
@blp.response(200, CampaignSchema)
@transactional
def close_round(campaign_id: str) -> Any:
    """Freeze the round's answers; then a second round where it is needed, or the findings."""
    session = db.session()
    campaign = _campaign(session, "campaign:run", campaign_id)
    service.close_round(session, campaign_id=campaign.id, **acting())
    return views.campaign_view(session, campaign)


@blp.route(_CAMPAIGN + "/findings")
@requires("campaign-finding:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CampaignFindingSchema))
def list_findings(args: dict[str, Any], campaign_id: str) -> Page:
    """What is odd in the answers: facts, rule and charter version of each."""
    session = db.session()
    campaign = _campaign(session, "campaign-finding:read", campaign_id)
    statement = queries.list_findings(campaign.id)
    page = paginate(session, statement, key=CampaignFinding.id, args=args)
    return Page(views.finding_views(session, campaign, page.items), page.next_cursor)


@blp.route("/campaign-findings/<pid(cfi):finding_id>/decision", methods=["POST"])
@requires("campaign-finding:decide")
@blp.arguments(FindingDecisionInSchema)
@blp.response(200, CampaignFindingSchema)
@transactional
def decide(data: dict[str, Any], finding_id: str) -> Any:
    """Keep the answers of flagged reviewers or set them aside, with a reason."""
    session = db.session()
    finding = queries.get_finding(session, finding_id)
    campaign = queries.get_campaign_by_id(session, finding.campaign_id)
    permit("campaign-finding:decide", campaign_facts(session, campaign))
    named = data["reviewers"]
    deciding.decide(
        session,
        finding_id=finding.id,
        decision=data["decision"],
        reason=data["reason"],
        reviewer_ids=None if named is None else [_member(session, one) for one in named],
        **acting(),
    )
    return views.finding_views(session, campaign, [finding])[0]


@blp.route(_CAMPAIGN + "/households")
@requires("campaign-household:list")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CampaignHouseholdSchema))
def list_households(args: dict[str, Any], campaign_id: str) -> Page:
    """All households of a campaign, with figures once the review is closed."""
    session = db.session()
    campaign = _campaign(session, "campaign-household:list", campaign_id)
    statement = queries.list_households(campaign.id)
    page = paginate(session, statement, key=CampaignHousehold.id, args=args)
    return Page(views.household_views(session, campaign, page.items), page.next_cursor)


@blp.route(_CAMPAIGN + "/my-household")
@requires("campaign-household:read_own")
@blp.response(200, CampaignHouseholdSchema)
def get_my_household(campaign_id: str) -> Any:
    """The caller's own household: figure and grounds from publication on."""
    session = db.session()
    campaign = queries.get_campaign(session, campaign_id)
    me = members.get_member_by_id(session, caller().member_id)
    row = queries.find_household(session, campaign_id=campaign.id, household_id=me.household_id)
    permit("campaign-household:read_own", own_facts(session, campaign, row))
    return views.household_views(session, campaign, [] if row is None else [row])[0]


@blp.route(_HOUSEHOLD)
@requires("campaign-household:read")
@blp.response(200, CampaignHouseholdSchema)
def get_household(campaign_household_id: str) -> Any:
    """One household of a campaign, for who lives in it and who looks after the campaign."""
    session = db.session()
    return _shown(session, _row(session, "campaign-household:read", campaign_household_id))


@blp.route(_HOUSEHOLD + "/answers")
@requires("campaign-household:read_answers")
@blp.response(200, ReviewAnswersSchema)
def list_answers(campaign_household_id: str) -> Any:
    """What reviewers said of a household; nothing until all rounds are closed."""
    session = db.session()
    row = _row(session, "campaign-household:read_answers", campaign_household_id)
    if queries.get_campaign_by_id(session, row.campaign_id).status not in queries.UNBLINDED:
        raise StillBlind()
    return views.answer_views(session, row)


@blp.route(_HOUSEHOLD + "/visit", methods=["POST"])
@requires("campaign-household:visit")
@blp.arguments(CampaignVisitInSchema)
@blp.response(200, CampaignHouseholdSchema)
@transactional
def visit(data: dict[str, Any], campaign_household_id: str) -> Any:
    """Enter what the visit to a drawn household found."""
    session = db.session()
    row = _row(session, "campaign-household:visit", campaign_household_id)
    deciding.visit(
        session,
        row_id=row.id,
        result=data["result"],
        amount=data["amount"],
        remark=data["note"],
        **acting(),
    )
    return _shown(session, row)


@blp.route(_CAMPAIGN + "/publication", methods=["POST"])
@requires("campaign:run")
@blp.response(200, CampaignSchema)
@transactional
def publish(campaign_id: str) -> Any:
    """Show each household its own figure, and begin the objection period."""
    session = db.session()
    campaign = _campaign(session, "campaign:run", campaign_id)
    deciding.publish(session, campaign_id=campaign.id, **acting())
    return views.campaign_view(session, campaign)


@blp.route(_CAMPAIGN + "/objections")
@requires("campaign:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CampaignObjectionSchema))
def list_objections(args: dict[str, Any], campaign_id: str) -> Page:
    """Objections and their answers: all for officers and auditors, else one's own."""
    session = db.session()
    campaign = _campaign(session, "campaign:read", campaign_id)
    everybody = may("campaign:read_all", campaign_facts(session, campaign))
    statement = queries.list_objections(
        campaign.id, objector_id=None if everybody else caller().member_id
    )
    page = paginate(session, statement, key=CampaignObjection.id, args=args)
    return Page(views.objection_views(session, campaign, page.items), page.next_cursor)


@blp.route(_CAMPAIGN + "/objections", methods=["POST"])
@requires("campaign:object")
@blp.arguments(CampaignObjectionInSchema)
@blp.response(201, CampaignObjectionSchema)
@transactional
def object_to(data: dict[str, Any], campaign_id: str) -> Any:
    """Object to what is proposed for a household, one's own or another's, with a reason."""
    session = db.session()
    campaign = _campaign(session, "campaign:object", campaign_id)
    # Who is no member of the village and who is none at all look the same from here.
    found = members.find_members(session, [data["member"]]).get(data["member"])
    row = queries.find_household(
        session,
        campaign_id=campaign.id,
        household_id=None if found is None else found.household_id,
    )
    if row is None:
        raise CampaignHouseholdNotFound()
    objection = deciding.object_to(session, row_id=row.id, reason=data["reason"], **acting())
    return views.objection_views(session, campaign, [objection])[0]


@blp.route("/campaign-objections/<pid(cob):objection_id>/answer", methods=["POST"])
@requires("campaign-objection:answer")
@blp.arguments(CampaignObjectionAnswerInSchema)
@blp.response(200, CampaignObjectionSchema)
@transactional
def answer_objection(data: dict[str, Any], objection_id: str) -> Any:
    """Answer an objection: reject it, change the grant, or stop it."""
    session = db.session()
    objection = queries.get_objection(session, objection_id)
    permit("campaign-objection:answer", objection_facts(session, objection))
    deciding.answer_objection(
        session,
        objection_id=objection.id,
        outcome=data["outcome"],
        amount=data["amount"],
        text=data["answer"],
        **acting(),
    )
    row = session.get_one(CampaignHousehold, objection.campaign_household_id)
    campaign = queries.get_campaign_by_id(session, row.campaign_id)
    return views.objection_views(session, campaign, [objection])[0]


@blp.route(_CAMPAIGN + "/grants", methods=["POST"])
@requires("campaign:run")
@limited("heavy")
@blp.response(200, GrantRunSchema)
@blp.alt_response(202, schema=GrantRunSchema, description="Some households are left: ask again.")
def grant(campaign_id: str) -> tuple[dict[str, Any], int]:
    """Grant every household its standing and sub-limit; 202 while some are left, then ask again."""
    session = db.session()

    def first() -> int:
        return _campaign(session, "campaign:run", campaign_id).id

    row_id = in_transaction(first)
    deadline = time.monotonic() + REQUEST_SECONDS
    left = grant_all(
        session, campaign_id=row_id, **acting(), enough=lambda: time.monotonic() > deadline
    )
    campaign = queries.get_campaign(session, campaign_id)
    view = {
        "campaign": views.campaign_view(session, campaign),
        "left": left.households,
        "hindrances": [
            {"type": code, "households": count} for code, count in sorted(left.hindrances.items())
        ],
    }
    return view, 202 if left.households else 200


@blp.route(_HOUSEHOLD + "/revocation", methods=["POST"])
@requires("campaign-household:revoke")
@blp.arguments(CampaignReasonSchema)
@blp.response(200, CampaignHouseholdSchema)
@transactional
def revoke(data: dict[str, Any], campaign_household_id: str) -> Any:
    """Take back what a household was granted; loans that rest on it keep their cover."""
    session = db.session()
    row = _row(session, "campaign-household:revoke", campaign_household_id)
    granting.revoke(session, row_id=row.id, reason=data["reason"], **acting())
    return _shown(session, row)


@blp.route(_CAMPAIGN + "/cancellation", methods=["POST"])
@requires("campaign:run")
@blp.arguments(CampaignReasonSchema)
@blp.response(200, CampaignSchema)
@transactional
def cancel(data: dict[str, Any], campaign_id: str) -> Any:
    """Give a campaign up before anything is granted."""
    session = db.session()
    campaign = _campaign(session, "campaign:run", campaign_id)
    granting.cancel(session, campaign_id=campaign.id, reason=data["reason"], **acting())
    return views.campaign_view(session, campaign)


def _campaign(session: Session, action: str, public_id: str) -> Campaign:
    campaign = queries.get_campaign(session, public_id)
    permit(action, campaign_facts(session, campaign))
    return campaign


def _row(session: Session, action: str, public_id: str) -> CampaignHousehold:
    row = queries.get_household(session, public_id)
    permit(action, household_facts(session, row))
    return row


def _shown(session: Session, row: CampaignHousehold) -> dict[str, Any]:
    campaign = queries.get_campaign_by_id(session, row.campaign_id)
    return views.household_views(session, campaign, [row])[0]


def _member(session: Session, public_id: str) -> int:
    return members.get_member(session, public_id).id
