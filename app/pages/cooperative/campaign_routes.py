"""Whole-village review: the board of a campaign, from drawing reviewers to granting."""

from collections.abc import Callable
from typing import Any

from flask import Response, request, url_for

from app.auth import caller
from app.campaigns import views
from app.campaigns.facts import campaign_facts
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.marks import limited
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page
from app.pages.room import Room
from app.paging import paginate
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
from community.errors import Invalid

_PLACE = "/cooperative/<pid(com):community_id>"
CAMPAIGNS_LISTED = 20
ROWS_LISTED = 20
# What the board's button does at each step; the rest is done household by household.
_RUNS: dict[str, Callable[..., Any]] = {
    "draw": service.draw_reviewers,
    "close": service.close_round,
    "publish": deciding.publish,
}
_BUTTONS = (("draw", Step.DRAW), ("close", Step.CLOSE), ("publish", Step.PUBLISH))


def add_routes(pages: Room) -> None:
    """Add them to the cooperative's room."""

    @pages.get(_PLACE + "/campaigns")
    @requires("campaign:read")
    def campaigns(community_id: str) -> Response:
        """A community's campaigns, newest first."""
        session = db.session()
        community = communities.get_community(session, community_id)
        permit("campaign:read", community_facts(session, community))
        args = {"limit": CAMPAIGNS_LISTED, "cursor": request.args.get("cursor", "")}
        query = queries.list_campaigns(community.id)
        found = paginate(session, query, key=Campaign.id, args=args, newest_first=True)
        here = url_for("cooperative.campaigns", community_id=community_id)
        return page(
            "cooperative/campaigns.html",
            community=community,
            campaigns=found.items,
            older=f"{here}?cursor={found.next_cursor}" if found.next_cursor else "",
            first=here if args["cursor"] else "",
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
        if act not in _RUNS:
            raise Invalid("There is no such button on this page.", field="act")
        permit("campaign:run", facts)

        def work(data: dict[str, Any]) -> str:
            found = queries.get_campaign(db.session(), campaign_id)
            step = {"on": today(), "now": now(), "actor_id": caller().member_id}
            _RUNS[act](db.session(), campaign_id=found.id, **step)
            return url_for("cooperative.campaign", campaign_id=campaign_id)

        return answer(Nothing, work, show, said=("cooperative", "step_done"))


def _board(campaign_id: str, form: Form, *, may_run: bool) -> Response:
    session = db.session()
    row = queries.get_campaign(session, campaign_id)
    args = {"limit": ROWS_LISTED, "cursor": request.args.get("cursor", "")}
    homes = paginate(session, queries.list_households(row.id), key=CampaignHousehold.id, args=args)
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
    here = url_for("cooperative.campaign", campaign_id=campaign_id)
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
        older=f"{here}?cursor={homes.next_cursor}" if homes.next_cursor else "",
        first=here if args["cursor"] else "",
        buttons=[name for name, step in _BUTTONS if step in steps] if may_run else [],
    )
