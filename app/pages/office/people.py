"""Members of a community: taking applicants in, and handing out codes to sign in with."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import marshmallow as ma
from flask import Response, current_app, url_for

from app.auth import caller
from app.clock import now, today
from app.communities.admitting import ask_the_gate
from app.communities.facts import membership_facts
from app.extensions import db
from app.fields import Schema, Text, Whole
from app.members.facts import member_facts
from app.members.permissions import MemberFacts
from app.pages.forms import Form, Nothing, answer, read, read_query
from app.pages.layout import say
from app.pages.lists import listed
from app.pages.office.room import can, enter, pages, show
from app.paging import PageArgs
from app.permissions import may, permit, requires
from app.savings import permissions as _permissions  # noqa: F401  declares savings:read
from app.transaction import in_transaction
from community.communities import queries, service
from community.communities.models import Community, Membership, MembershipStatus
from community.errors import CommunityError, NotAllowed, NotFound
from community.members import queries as members
from community.members import service as member_service
from community.members import signin
from community.members.models import Member, MemberKind
from community.reasons import because
from community.risk.errors import AdmissionHeld
from community.savings import queries as savings
from community.savings.models import SavingsMovement

# Of a member's savings; their own page has all.
_MOVEMENTS_SHOWN = 5


class PeopleArgs(PageArgs):
    """A page of the members in one state."""

    status = ma.fields.Enum(
        MembershipStatus, by_value=ma.fields.String, load_default=MembershipStatus.ACTIVE
    )


class Registration(Schema):
    """A new member, who applies to the community at once."""

    name = Text(120, required=True)
    reference = Text(64, load_default=None)
    birth_year = Whole(1800, 2200, load_default=None)


class Reason(Schema):
    """Why somebody is taken in."""

    reason = Text(500, required=True)


@pages.listed("people")
@pages.get("/office/<pid(com):community_id>/members")
@requires("community:list_members")
def people(community_id: str) -> Response:
    """The community's members in one state; applicants wait for an answer."""
    community = enter(community_id, "community:list_members")
    session = db.session()
    _, args = read_query(PeopleArgs())
    status = args.get("status", MembershipStatus.ACTIVE)
    found, older, first = listed(
        session,
        queries.list_memberships(community.id, status),
        Membership.id,
        newest_first=False,
        status=status.value,
    )
    return show(
        "people",
        community,
        state=status,
        statuses=list(MembershipStatus),
        people=found.items,
        may_register=can(community, "community:register_member"),
        older=older,
        first=first,
    )


@pages.route("/office/<pid(com):community_id>/members/new", methods=["GET", "POST"])
@requires("community:register_member")
def register(community_id: str) -> Any:
    """Register somebody, who has applied to the community at once."""
    community = enter(community_id, "community:register_member")

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        place = enter(community_id, "community:register_member")
        step: dict[str, Any] = {"now": now(), "actor_id": caller().member_id}
        member = member_service.register_member(
            session, kind=MemberKind.PERSON, household_id=None, **data, **step
        )
        service.apply_for_membership(
            session,
            community_id=place.id,
            member_id=member.id,
            on=today(),
            reason=because("registered"),
            **step,
        )
        return url_for("office.person", community_id=community_id, member_id=member.public_id)

    return answer(
        Registration,
        work,
        lambda form: show("register", community, form=form),
        said=("office", "registered"),
    )


@pages.get("/office/<pid(com):community_id>/members/<pid(mem):member_id>")
@requires("membership:read")
def person(community_id: str, member_id: str) -> Response:
    """A member's place in the community, and what can be done about it."""
    return _person_page(*place_of(community_id, member_id), Form())


@pages.route(
    "/office/<pid(com):community_id>/members/<pid(mem):member_id>/activation", methods=["POST"]
)
@requires("membership:decide")
def admit(community_id: str, member_id: str) -> Any:
    """Take an applicant in."""
    community, member = place_of(community_id, member_id)
    permit("membership:decide", membership_facts(community, member))

    def work(data: dict[str, Any]) -> str:
        place, applicant = place_of(community_id, member_id)
        permit("membership:decide", membership_facts(place, applicant))
        ask_the_gate(place.id, applicant.id)
        service.activate_membership(
            db.session(),
            community_id=place.id,
            member_id=applicant.id,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
            reason=data["reason"],
        )
        return url_for("office.person", community_id=community_id, member_id=member_id)

    done = answer(
        Reason, work, lambda form: _person_page(community, member, form), gate=AdmissionHeld
    )
    if done.status_code == 303:
        say("office", "taken_in")
    return done


@pages.route("/office/<pid(com):community_id>/members/<pid(mem):member_id>/code", methods=["POST"])
@requires("member:enrol")
def issue_code(community_id: str, member_id: str) -> Any:
    """Hand out a code to sign in with; it is shown this once, and ends the one before it."""
    community, member = place_of(community_id, member_id)
    permit("member:enrol", member_facts(db.session(), member))

    def work() -> tuple[str, Any]:
        who = place_of(community_id, member_id)[1]
        permit("member:enrol", member_facts(db.session(), who))
        code, secret = signin.issue_enrolment_code(
            db.session(),
            member_id=who.id,
            lifetime=timedelta(days=current_app.extensions["settings"].enrolment_code_days),
            now=now(),
            actor_id=caller().member_id,
        )
        return secret, code.expires_at

    form, _ = read(Nothing())
    try:
        # Not remembered like other forms: what was answered holds a secret. Sent twice, the first
        # code is worth nothing and the second is shown.
        secret, expires_at = in_transaction(work)
    except (NotFound, NotAllowed):
        raise
    except CommunityError as refusal:
        form.refuse(refusal)
        refused = _person_page(community, member, form)
        refused.status_code = form.status
        return refused
    community, member = place_of(community_id, member_id)
    return show("code", community, member=member, code=secret, expires_at=expires_at)


def place_of(community_id: str, member_id: str) -> tuple[Community, Member]:
    """A community that the caller looks after or audits, and somebody who is or was in it."""
    community = enter(community_id)
    member = members.get_member(db.session(), member_id)
    permit("membership:read", membership_facts(community, member))
    return community, member


def _person_page(community: Community, member: Member, form: Form) -> Response:
    session = db.session()
    membership = queries.get_membership(session, community_id=community.id, member_id=member.id)
    facts: MemberFacts = member_facts(session, member)
    place = membership_facts(community, member)
    may_decide = may("membership:decide", place)
    balances = None
    movements: Sequence[SavingsMovement] = ()
    if may("savings:read", place):
        permit("savings:read", place)
        whose = {"community_id": community.id, "member_id": member.id}
        balances = savings.balances(session, **whose)
        movements = session.scalars(
            savings.list_movements(**whose)
            .order_by(SavingsMovement.id.desc())
            .limit(_MOVEMENTS_SHOWN)
        ).all()
    return show(
        "person",
        community,
        form=form,
        member=member,
        details=may("member:details", facts),
        membership=membership,
        changes=queries.list_changes(session, membership.id),
        may_admit=may_decide and membership.status is MembershipStatus.APPLIED,
        may_enrol=may("member:enrol", facts),
        balances=balances,
        movements=movements,
    )
