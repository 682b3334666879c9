"""What a member does in a village review, and what they read of it: never what others said."""

from typing import Any

import marshmallow as ma
from flask import Response, url_for
from sqlalchemy import select

from app.auth import caller
from app.campaigns import views
from app.campaigns.facts import assignment_facts, campaign_facts, own_facts
from app.clock import now, today
from app.extensions import db
from app.fields import Money, PublicId, Schema, Text, Whole
from app.pages.entry import language
from app.pages.forms import Form, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.vouches import known_people
from app.pages.room import Room
from app.pages.words import Words
from app.permissions import may, permit, requires
from community.campaigns import deciding, queries, service, wording
from community.campaigns.models import (
    Campaign,
    CampaignAssignment,
    CampaignHousehold,
    CampaignObjection,
    Debts,
)
from community.campaigns.states import Step, steps_in
from community.communities import queries as communities
from community.communities.models import MembershipStatus
from community.errors import Invalid
from community.members import queries as members
from community.money import format_minor

pages = Room("review", __name__.rpartition(".")[0], kinds=("member",))

_REVIEW = "/me/reviews/<pid(cmp):campaign_id>"
OBJECTIONS_SHOWN = 20
HOMES_OFFERED = 50
_OTHER = "other"
MISSING = "Missing data for required field."


class AnswerForm(Schema):
    """What a reviewer knows of a household; who does not know it says only that."""

    knows = ma.fields.String(required=True, validate=ma.validate.OneOf(("yes", "no")))
    reputation = Whole(1, 5, load_default=None)
    debts = ma.fields.Enum(Debts, by_value=ma.fields.String, load_default=Debts.UNKNOWN)
    limit = Money(zero=True, load_default=None)
    against = Text(500, load_default=None)

    @ma.validates_schema
    def _all_of_it(self, data: dict[str, Any], **_: Any) -> None:
        for name in ("reputation", "limit") if data["knows"] == "yes" else ():
            if data[name] is None:
                raise ma.ValidationError(MISSING, name)

    @ma.post_load
    def _only_of_whom_one_knows(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        # What was filled in before "no" was chosen is not shown any more.
        if data["knows"] == "no":
            data |= {"reputation": None, "debts": Debts.UNKNOWN, "limit": None, "against": None}
        return data


class ObjectionForm(Schema):
    """Against which household, by somebody who lives in it, and why."""

    about = ma.fields.String(required=True)
    member = PublicId("mem", load_default=None)
    reason = Text(500, required=True)

    @ma.validates_schema
    def _somebody(self, data: dict[str, Any], **_: Any) -> None:
        if data["about"] == _OTHER and data["member"] is None:
            raise ma.ValidationError(MISSING, "member")


@pages.listed("village_reviews")
@pages.get("/me/reviews")
@requires("page:read")
def home() -> Response:
    """The village reviews of my communities, newest first, and what in them waits for me."""
    permit("page:read")
    session, me = db.session(), caller().member_id
    places = {
        community.id: community
        for membership, community in communities.memberships_of(session, me)
        if membership.status is MembershipStatus.ACTIVE
    }
    statement = select(Campaign).where(Campaign.community_id.in_(places))
    found, older, first = listed(session, statement, Campaign.id)
    return page(
        "review/home.html",
        campaigns=found.items,
        places=places,
        waiting=queries.waiting_for(session, [each.id for each in found.items], reviewer_id=me),
        older=older,
        first=first,
    )


@pages.get(_REVIEW)
@requires("campaign:read")
def campaign(campaign_id: str) -> Response:
    """One review: whom I am to review, what is proposed for my household, what I objected to."""
    session, me = db.session(), caller().member_id
    row = queries.get_campaign(session, campaign_id)
    facts = campaign_facts(session, row)
    permit("campaign:read", facts)
    found, older, first = listed(
        session,
        queries.assignments_of(row.id, reviewer_id=me),
        CampaignAssignment.id,
        newest_first=False,
    )
    home = _own_household(row)
    is_own = home is not None and may("campaign-household:read_own", own_facts(session, row, home))
    objections = session.scalars(
        queries.list_objections(row.id, objector_id=me)
        .order_by(CampaignObjection.id.desc())
        .limit(OBJECTIONS_SHOWN)
    ).all()
    return page(
        "review/campaign.html",
        view=views.campaign_view(session, row),
        community=communities.get_community_by_id(session, row.community_id),
        assignments=views.assignment_views(session, row, found.items),
        household=views.household_views(session, row, [home])[0]
        if is_own and home is not None
        else None,
        objections=views.objection_views(session, row, objections),
        may_object=Step.OBJECT in steps_in(row.status)
        and row.objections_until_on is not None
        and today() <= row.objections_until_on
        and may("campaign:object", facts),
        older=older,
        first=first,
    )


@pages.route("/me/reviews/households/<pid(cas):assignment_id>", methods=["GET", "POST"])
@requires("campaign-assignment:answer")
def review(assignment_id: str) -> Any:
    """Say what I know of a household; it may be changed until the round closes."""
    session = db.session()
    row = queries.get_assignment(session, assignment_id)
    permit("campaign-assignment:answer", assignment_facts(session, row))
    of = queries.get_campaign_by_id(session, row.campaign_id)

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = queries.get_assignment(session, assignment_id)
        permit("campaign-assignment:answer", assignment_facts(session, found))
        service.answer(
            session,
            assignment_id=found.id,
            knows=data["knows"] == "yes",
            reputation=data["reputation"],
            debts=data["debts"],
            limit=data["limit"],
            against=data["against"],
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("review.campaign", campaign_id=of.public_id)

    def show(form: Form) -> Response:
        [view] = views.assignment_views(db.session(), of, [row])
        return page(
            "review/household.html", form=form, view=view, campaign=of, asks=wording.QUESTIONS
        )

    given = views.assignment_views(session, of, [row])[0]
    start: dict[str, Any] = {"debts": Debts.UNKNOWN.value}
    if given["answered_at"] is not None:
        start |= {
            "knows": "yes" if given["knows_household"] else "no",
            "reputation": given["reputation"] or "",
            "debts": given["debts"].value,
            "limit": _plain(given["limit_minor"], of.currency),
            "against": given["reason_against"] or "",
        }
    return answer(AnswerForm, work, show, start=start, said=("review", "answer_kept"))


@pages.route(_REVIEW + "/objection", methods=["GET", "POST"])
@requires("campaign:object")
def object_to(campaign_id: str) -> Any:
    """Object to what is proposed for a household, mine or another's, with a reason."""
    session = db.session()
    row = queries.get_campaign(session, campaign_id)
    permit("campaign:object", campaign_facts(session, row))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = queries.get_campaign(session, campaign_id)
        permit("campaign:object", campaign_facts(session, found))
        public_id = data["member"] if data["about"] == _OTHER else data["about"]
        person = members.find_members(session, [public_id or ""]).get(public_id or "")
        home = queries.find_household(
            session,
            campaign_id=found.id,
            household_id=None if person is None else person.household_id,
        )
        if home is None:
            # Who is no member of the village and who is none at all look the same from here.
            raise Invalid("No household of this review has such a member.", field="member")
        deciding.object_to(
            session,
            row_id=home.id,
            reason=data["reason"],
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("review.campaign", campaign_id=campaign_id)

    def show(form: Form) -> Response:
        return page(
            "review/object.html", form=form, campaign=row, homes=_known_homes(row), other=_OTHER
        )

    return answer(ObjectionForm, work, show, said=("review", "objection_raised"))


def _own_household(row: Campaign) -> CampaignHousehold | None:
    session = db.session()
    me = members.get_member_by_id(session, caller().member_id)
    return queries.find_household(session, campaign_id=row.id, household_id=me.household_id)


def _known_homes(row: Campaign) -> list[tuple[str, str]]:
    """Households that the caller may name by their people.

    Their own, those they review, and those of people whom they know here. Each of the last is
    offered by their own name: who else lives there is not said.
    """
    session, me = db.session(), caller().member_id
    own = members.get_member_by_id(session, me)
    t = Words("review", language())
    is_there = _own_household(row) is not None
    found = [(own.public_id, t("my_home", name=own.name))] if is_there else []
    place = communities.get_community_by_id(session, row.community_id)
    known = known_people(session, [place], own)
    mine = session.scalars(
        queries.assignments_of(row.id, reviewer_id=me)
        .order_by(CampaignAssignment.id)
        .limit(HOMES_OFFERED)
    ).all()
    homes = [
        view["people"] for view in views.assignment_views(session, row, mine) if view["people"]
    ]
    found += [(home[0].public_id, t("comma").join(one.name for one in home)) for home in homes]
    named = {one.public_id for home in homes for one in home}
    others = [one for one in known if one.public_id not in named]
    there = queries.taking_part(
        session, campaign_id=row.id, member_ids=[one.member_id for one in others]
    )
    return found + [(one.public_id, one.name) for one in others if one.member_id in there]


def _plain(amount_minor: int | None, currency: str) -> str:
    return "" if amount_minor is None else format_minor(amount_minor, currency)
