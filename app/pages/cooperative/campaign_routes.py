"""Whole-village review: the board of a campaign, from drawing reviewers to granting."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, redirect, request, url_for
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.auth import acting
from app.campaigns import views
from app.campaigns.facts import campaign_facts
from app.campaigns.schemas import CampaignReasonSchema
from app.communities.facts import community_facts
from app.extensions import db
from app.marks import limited
from app.pages.cooperative import campaign_steps
from app.pages.forms import Form, Nothing, answer, read
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.room import Room
from app.permissions import may, permit, requires
from community.campaigns import deciding, queries, service
from community.campaigns.models import (
    Campaign,
    CampaignFinding,
    CampaignHousehold,
    CampaignObjection,
    CampaignReviewer,
    ObjectionStatus,
)
from community.campaigns.states import Step, steps_in
from community.communities import queries as communities
from community.errors import CommunityError, Invalid, NotAllowed, NotFound

_PLACE = "/cooperative/<pid(com):community_id>"
ROWS_LISTED = 20
# What the board's button does at each step; the rest is done household by household.
_RUNS: dict[str, Callable[..., Any]] = {
    "draw": service.draw_reviewers,
    "close": service.close_round,
    "publish": deciding.publish,
}
_BUTTONS = (
    ("draw", Step.DRAW),
    ("close", Step.CLOSE),
    ("publish", Step.PUBLISH),
    ("grant", Step.BEGIN_GRANTING),
)


def add_routes(pages: Room) -> None:
    """Add them to the cooperative's room."""

    @pages.get(_PLACE + "/campaigns")
    @requires("campaign:read")
    def campaigns(community_id: str) -> Response:
        """A community's campaigns, newest first."""
        session = db.session()
        community = communities.get_community(session, community_id)
        permit("campaign:read", community_facts(session, community))
        found, older, first = listed(session, queries.list_campaigns(community.id), Campaign.id)
        return page(
            "cooperative/campaigns.html",
            community=community,
            campaigns=found.items,
            older=older,
            first=first,
            may_open=may("campaign:open", community_facts(session, community)),
        )

    @pages.route("/cooperative/campaigns/<pid(cmp):campaign_id>", methods=["GET", "POST"])
    @requires("campaign-household:list")
    @limited("heavy")
    def campaign(campaign_id: str) -> Any:
        """The board: how far reviewers are, what is odd, what is proposed, who objects.

        While a round is open nobody is told an answer; the views keep it so for everybody.
        """
        facts = campaign_facts(db.session(), queries.get_campaign(db.session(), campaign_id))
        permit("campaign-household:list", facts)
        act = request.form.get("act", "") if request.method == "POST" else ""

        def show(form: Form) -> Response:
            return _board(campaign_id, form, may_run=may("campaign:run", facts))

        if not act:
            return show(Form())
        if act not in _RUNS and act not in ("grant", "cancel"):
            raise Invalid("There is no such button on this page.", field="act")
        permit("campaign:run", facts)
        here = url_for("cooperative.campaign", campaign_id=campaign_id)

        def work(data: dict[str, Any]) -> str:
            if act == "cancel":
                campaign_steps.cancel(campaign_id, data["reason"])
            elif act in _RUNS:
                found = queries.get_campaign(db.session(), campaign_id)
                _RUNS[act](db.session(), campaign_id=found.id, **acting())
            return here

        if act != "grant":
            schema = CampaignReasonSchema if act == "cancel" else Nothing
            return answer(schema, work, show, said=("cooperative", "step_done"))
        # Every household is a commit of its own: pressed again, it goes on where it stopped.
        form, _ = read(Nothing())
        try:
            left = campaign_steps.run_grants(campaign_id)
        except (NotFound, NotAllowed):
            raise
        except CommunityError as refusal:
            form.refuse(refusal)
            shown = show(form)
            shown.status_code = form.status
            return shown
        campaign_steps.say_granted(left)
        return redirect(here, 303)


def _board(campaign_id: str, form: Form, *, may_run: bool) -> Response:
    session = db.session()
    row = queries.get_campaign(session, campaign_id)
    homes, older, first = listed(
        session,
        queries.list_households(row.id),
        CampaignHousehold.id,
        newest_first=False,
        rows=ROWS_LISTED,
    )
    reviewers = session.scalars(
        queries.list_reviewers(row.id).order_by(CampaignReviewer.id).limit(ROWS_LISTED)
    ).all()
    findings = session.scalars(
        queries.list_findings(row.id).order_by(CampaignFinding.id).limit(ROWS_LISTED)
    ).all()
    objections = session.scalars(
        queries.list_objections(row.id, objector_id=None)
        .order_by(CampaignObjection.id.desc())
        .limit(ROWS_LISTED)
    ).all()
    steps = steps_in(row.status)
    told = views.reviewer_views(session, reviewers)
    return page(
        "cooperative/campaign.html",
        form=form,
        view=views.campaign_view(session, row),
        community=communities.get_community_by_id(session, row.community_id),
        rounds=queries.rounds_of(session, row.id),
        reviewers=told,
        assigned=sum(one["assigned"] for one in told),
        answered=sum(one["answered"] for one in told),
        findings=views.finding_views(session, row, findings),
        households=views.household_views(session, row, homes.items),
        objections=views.objection_views(session, row, objections),
        open_objections=sum(one.status is ObjectionStatus.OPEN for one in objections),
        older=older,
        first=first,
        buttons=[name for name, step in _BUTTONS if step in steps] if may_run else [],
        may_cancel=may_run and Step.CANCEL in steps,
        hindrance_said=campaign_steps.hindrance_said,
        waiting=_waiting(session, row),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """What officers have to do before a campaign goes on."""

    findings: list[dict[str, Any]]
    visits: list[dict[str, Any]]
    objections: list[dict[str, Any]]


def _waiting(session: Session, row: Campaign) -> Waiting:
    """The first of them, wherever they stand in the lists below."""
    steps = steps_in(row.status)
    findings = queries.list_findings(row.id).where(
        CampaignFinding.needs_decision, CampaignFinding.decision.is_(None)
    )
    homes = queries.list_households(row.id).where(
        CampaignHousehold.is_sampled, CampaignHousehold.visited_on.is_(None)
    )
    objections = queries.list_objections(row.id, objector_id=None).where(
        CampaignObjection.status == ObjectionStatus.OPEN
    )

    def first(step: Step, statement: Select[Any], key: Any) -> list[Any]:
        if step not in steps:
            return []
        return list(session.scalars(statement.order_by(key).limit(ROWS_LISTED)))

    return Waiting(
        findings=views.finding_views(
            session, row, first(Step.DECIDE, findings, CampaignFinding.id)
        ),
        visits=views.household_views(session, row, first(Step.VISIT, homes, CampaignHousehold.id)),
        objections=views.objection_views(
            session, row, first(Step.ANSWER_OBJECTION, objections, CampaignObjection.id)
        ),
    )
