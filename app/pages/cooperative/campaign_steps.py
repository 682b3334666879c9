"""What people decide in a village review: on what is odd, after visits, on objections; grants."""

import time
from typing import Any

import marshmallow as ma
from flask import Response, request, url_for

from app.auth import acting
from app.campaigns import views
from app.campaigns.facts import campaign_facts, household_facts, objection_facts
from app.campaigns.routes import REQUEST_SECONDS
from app.campaigns.schemas import (
    CampaignObjectionAnswerInSchema,
    CampaignReasonSchema,
    CampaignVisitInSchema,
)
from app.campaigns.work import grant_all
from app.communities.facts import community_facts
from app.extensions import db
from app.fields import PublicId, Schema, Text
from app.pages.cooperative.people import People, read_people
from app.pages.entry import language
from app.pages.forms import Form, answer
from app.pages.layout import page, say
from app.pages.room import Room
from app.pages.words import Words, problem_titles
from app.permissions import may, permit, requires
from app.problems import all_problems
from community.campaigns import deciding, granting, queries, service
from community.campaigns.granting import Left
from community.campaigns.models import (
    Campaign,
    CampaignFinding,
    CampaignHousehold,
    Decision,
    HouseholdStatus,
    ObjectionStatus,
    VisitResult,
)
from community.campaigns.states import Step, steps_in
from community.communities import queries as communities
from community.errors import Invalid
from community.lines import queries as lines
from community.lines.models import CreditLine
from community.members import queries as members

_PLACE = "/cooperative/<pid(com):community_id>"
LINES_OFFERED = 50
SEED = "^[0-9A-Za-z._-]{1,64}$"
# A grant that is there is revoked, one that waits is refused.
_REVOCABLE = frozenset({HouseholdStatus.GRANTED, HouseholdStatus.PROPOSED})


class OpenForm(Schema):
    """A new campaign over all households; whoever lives in the village may review."""

    name = Text(120, required=True)
    seed = ma.fields.String(load_default=None, validate=ma.validate.Regexp(SEED))
    credit_line = PublicId("cln", load_default=None)
    kin = People(2, 5000)
    reviewers = People(1, 2000)
    holders = People(1, 2000)


class DecisionForm(Schema):
    """What becomes of the answers that were pointed out."""

    decision = ma.fields.Enum(Decision, by_value=ma.fields.String, required=True)
    reviewers = ma.fields.List(PublicId("mem"), load_default=list)
    reason = Text(500, required=True)


class VisitForm(CampaignVisitInSchema):
    """What a visit found."""

    @ma.validates_schema
    def _changed_to(self, data: dict[str, Any], **_: Any) -> None:
        _amount_of_a_change(data, data["result"] is VisitResult.CHANGED)


class AnswerForm(CampaignObjectionAnswerInSchema):
    """What becomes of an objection."""

    @ma.validates_schema
    def _changed_to(self, data: dict[str, Any], **_: Any) -> None:
        _amount_of_a_change(data, data["outcome"] is ObjectionStatus.CHANGED)


def _amount_of_a_change(data: dict[str, Any], is_changed: bool) -> None:
    """Asked for where it is one; else what stands in the field, which is not shown, is nothing."""
    if is_changed and data["amount"] is None:
        raise ma.ValidationError("Missing data for required field.", "amount")
    if not is_changed:
        data["amount"] = None


def add_routes(pages: Room) -> None:
    """Add them to the cooperative's room."""

    @pages.route(_PLACE + "/campaigns/new", methods=["GET", "POST"])
    @requires("campaign:open")
    def open_campaign(community_id: str) -> Any:
        """Open a village review; households and who may review are fixed by it."""
        session = db.session()
        community = communities.get_community(session, community_id)
        permit("campaign:open", community_facts(session, community))
        offered = session.scalars(
            lines.list_lines(community_id=community.id)
            .where(CreditLine.group_id.is_(None))
            .order_by(CreditLine.id.desc())
            .limit(LINES_OFFERED)
        ).all()

        def work(data: dict[str, Any]) -> str:
            session = db.session()
            place = communities.get_community(session, community_id)
            permit("campaign:open", community_facts(session, place))
            line = data["credit_line"]
            named = {
                name: read_people(place, name, data[name])
                for name in ("kin", "reviewers", "holders")
            }
            made = service.open_campaign(
                session,
                community_id=place.id,
                name=data["name"],
                seed=data["seed"],
                reviewer_ids=[one for one, *_ in named["reviewers"]] or None,
                holder_ids=[one for one, *_ in named["holders"]],
                kin=[(one, other) for one, other in named["kin"]],
                line_id=None if line is None else lines.get_line(session, line).id,
                **acting(),
            )
            return url_for("cooperative.campaign", campaign_id=made.public_id)

        return answer(
            OpenForm,
            work,
            lambda form: page(
                "cooperative/campaign_open.html", form=form, community=community, lines=offered
            ),
            said=("cooperative", "campaign_opened"),
        )

    @pages.route("/cooperative/campaign-findings/<pid(cfi):finding_id>", methods=["GET", "POST"])
    @requires("campaign-finding:read")
    def finding(finding_id: str) -> Any:
        """Something odd in the answers: what it rests on, and whether those answers count."""
        row, campaign = _finding(finding_id, "campaign-finding:read")
        facts = campaign_facts(db.session(), campaign)
        if request.method == "POST":
            permit("campaign-finding:decide", facts)

        def work(data: dict[str, Any]) -> str:
            session = db.session()
            found, of = _finding(finding_id, "campaign-finding:decide")
            people = members.find_members(session, data["reviewers"])
            deciding.decide(
                session,
                finding_id=found.id,
                decision=data["decision"],
                reason=data["reason"],
                # One that is nobody's is none of the finding's either.
                reviewer_ids=None
                if len(found.reviewers) == 1
                else [people[one].id if one in people else 0 for one in data["reviewers"]],
                **acting(),
            )
            return url_for("cooperative.campaign", campaign_id=of.public_id)

        def show(form: Form) -> Response:
            session = db.session()
            [view] = views.finding_views(session, campaign, [row])
            return page(
                "cooperative/finding.html",
                form=form,
                view=view,
                rule_said=_rule_said(view["rule"]),
                ticked=request.form.getlist("reviewers")
                if request.method == "POST"
                else [one.public_id for one in view["reviewers"]],
                may_decide=row.needs_decision
                and row.decision is None
                and Step.DECIDE in steps_in(campaign.status)
                and may("campaign-finding:decide", facts),
                **_around(campaign),
            )

        return answer(DecisionForm, work, show, said=("cooperative", "finding_decided"))

    @pages.route(
        "/cooperative/campaign-households/<pid(chh):campaign_household_id>",
        methods=["GET", "POST"],
    )
    @requires("campaign-household:read_answers")
    def campaign_household(campaign_household_id: str) -> Any:
        """One household: its figures, what was said, the visit, objections, taking back."""
        row, campaign = _household(campaign_household_id, "campaign-household:read_answers")
        facts = household_facts(db.session(), row)
        asked = request.form.get("act", "") if request.method == "POST" else ""
        schemas = {"visit": VisitForm, "revoke": CampaignReasonSchema}
        if request.method == "POST":
            if asked not in schemas:
                raise Invalid("There is no such button on this page.", field="act")
            permit(f"campaign-household:{asked}", facts)

        def work(data: dict[str, Any]) -> str:
            session = db.session()
            found, _ = _household(campaign_household_id, f"campaign-household:{asked}")
            if asked == "visit":
                deciding.visit(
                    session,
                    row_id=found.id,
                    result=data["result"],
                    amount=data["amount"],
                    remark=data["note"],
                    **acting(),
                )
            else:
                granting.revoke(session, row_id=found.id, reason=data["reason"], **acting())
            return url_for(
                "cooperative.campaign_household", campaign_household_id=campaign_household_id
            )

        def show(form: Form) -> Response:
            session = db.session()
            steps = steps_in(campaign.status)
            [view] = views.household_views(session, campaign, [row])
            told = campaign.status in queries.UNBLINDED
            objections = queries.objections_on(session, row.id) if told else []
            return page(
                "cooperative/household.html",
                form=form,
                acted=asked,
                view=view,
                answers=views.answer_views(session, row)["items"] if told else None,
                objections=views.objection_views(session, campaign, objections),
                hindrance=hindrance_said(view["hindrance"]),
                may_visit=Step.VISIT in steps
                and bool(view["to_be_visited"])
                and may("campaign-household:visit", facts),
                may_revoke=Step.REVOKE in steps
                and row.status in _REVOCABLE
                and may("campaign-household:revoke", facts),
                **_around(campaign),
            )

        return answer(
            schemas.get(asked, CampaignReasonSchema),
            work,
            show,
            said=("cooperative", "visit_entered" if asked == "visit" else "grant_revoked"),
        )

    @pages.route(
        "/cooperative/campaign-objections/<pid(cob):objection_id>", methods=["GET", "POST"]
    )
    @requires("campaign-objection:read")
    def objection(objection_id: str) -> Any:
        """An objection and its answer: it is rejected, the amount changed, or the grant stopped."""
        session = db.session()
        row = queries.get_objection(session, objection_id)
        facts = objection_facts(session, row)
        permit("campaign-objection:read", facts)
        if request.method == "POST":
            permit("campaign-objection:answer", facts)
        home = session.get_one(CampaignHousehold, row.campaign_household_id)
        campaign = queries.get_campaign_by_id(session, home.campaign_id)

        def work(data: dict[str, Any]) -> str:
            session = db.session()
            found = queries.get_objection(session, objection_id)
            permit("campaign-objection:answer", objection_facts(session, found))
            deciding.answer_objection(
                session,
                objection_id=found.id,
                outcome=data["outcome"],
                amount=data["amount"],
                text=data["answer"],
                **acting(),
            )
            return url_for("cooperative.campaign", campaign_id=campaign.public_id)

        def show(form: Form) -> Response:
            session = db.session()
            [view] = views.objection_views(session, campaign, [row])
            keeps = may("campaign:read_all", facts)
            shown = views.household_views(session, campaign, [home]) if keeps else [None]
            return page(
                "cooperative/objection.html",
                form=form,
                view=view,
                household=shown[0],
                may_answer=view["status"].value == "open"
                and Step.ANSWER_OBJECTION in steps_in(campaign.status)
                and may("campaign-objection:answer", facts),
                **_around(campaign, keeps),
            )

        return answer(
            AnswerForm,
            work,
            show,
            said=("cooperative", "objection_answered"),
        )


def run_grants(campaign_id: str) -> Left:
    """Grant household by household, for as long as a request may; what is left goes on later."""
    session = db.session()
    found = queries.get_campaign(session, campaign_id)
    permit("campaign:run", campaign_facts(session, found))
    row_id = found.id
    session.rollback()
    deadline = time.monotonic() + REQUEST_SECONDS
    return grant_all(
        session, campaign_id=row_id, **acting(), enough=lambda: time.monotonic() > deadline
    )


def say_granted(left: Left) -> None:
    """Tell on the next page how far the grants are."""
    if left.households:
        say("cooperative", "grants_left", count=left.households)
    else:
        say("cooperative", "all_granted")


def cancel(campaign_id: str, reason: str) -> None:
    """Give a campaign up before anything is granted."""
    session = db.session()
    found = queries.get_campaign(session, campaign_id)
    permit("campaign:run", campaign_facts(session, found))
    granting.cancel(session, campaign_id=found.id, reason=reason, **acting())


def hindrance_said(code: str | None) -> str:
    """Why a household still waits: the title of the refusal, in the reader's language."""
    if code is None:
        return ""
    if language() != "en" and code in problem_titles():
        return problem_titles()[code][0]
    return next((kind.title for kind in all_problems() if kind.code == code), code)


def _rule_said(name: str) -> str:
    """What a rule of the charter is called, by the words of the charter's page."""
    words = Words("office", language())
    return words.find(f"rule.{name}") or name


def _around(campaign: Campaign, keeps: bool = True) -> dict[str, Any]:
    return {
        "community": communities.get_community_by_id(db.session(), campaign.community_id),
        "campaign": campaign,
        "keeps": keeps,
    }


def _finding(public_id: str, action: str) -> tuple[CampaignFinding, Campaign]:
    session = db.session()
    row = queries.get_finding(session, public_id)
    campaign = queries.get_campaign_by_id(session, row.campaign_id)
    permit(action, campaign_facts(session, campaign))
    return row, campaign


def _household(public_id: str, action: str) -> tuple[CampaignHousehold, Campaign]:
    session = db.session()
    row = queries.get_household(session, public_id)
    permit(action, household_facts(session, row))
    return row, queries.get_campaign_by_id(session, row.campaign_id)
