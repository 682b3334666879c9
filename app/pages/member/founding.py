"""A group from the first word to the day it binds: begun, invited to, written down, in force."""

from typing import Any

from flask import Response, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.fields import PublicId
from app.grouplife.views import found_warnings, warnings_kept
from app.groups.binding import give_up, let_bind
from app.groups.facts import group_facts
from app.groups.schemas import GroupChangeSchema, GroupInSchema, InvitationInSchema
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page
from app.pages.member.groups import group_page, permitted, step_on
from app.pages.member.room import pages
from app.permissions import Facts, permit, requires
from app.products.facts import offer_facts
from community.communities import queries as communities
from community.communities.models import Community, MembershipStatus
from community.groups import queries, service
from community.members import queries as members
from community.money import format_minor
from community.products import queries as products
from community.products.errors import ProductNotFound
from community.products.models import Product
from community.risk.errors import FirstVouchHeld
from community.trust.queries import overdue_members

_GROUP = "/me/groups/<pid(grp):group_id>"
PRODUCTS_MAX = 60


class NewGroup(GroupInSchema):
    """And in which community."""

    community = PublicId("com", required=True)


@pages.route("/me/groups/new", methods=["GET", "POST"])
@requires("community:form_group")
def form_group() -> Any:
    """Begin a group: the caller is its first member."""
    session, me = db.session(), caller().member_id
    permit("community:form_group", Facts(member_ids=frozenset({me})))

    def work(data: dict[str, Any]) -> str:
        unit = db.session()
        community = communities.get_community(unit, data["community"])
        permit("community:form_group", community_facts(unit, community))
        product = None
        if data["product"] is not None:
            product = products.get_product(unit, data["product"])
            if product.community_id not in community.path_ids:
                raise ProductNotFound(field="product")
        group = service.form_group(
            unit,
            community_id=community.id,
            product_id=None if product is None else product.id,
            product_name=None if product is None else product.name,
            founder_id=me,
            name=data["name"],
            pair_cap=data["pair_cap"],
            vouch_expires_on=data["vouch_expires_on"],
            on=today(),
            now=now(),
            actor_id=me,
        )
        return url_for("member.group", group_id=group.public_id)

    def show(form: Form) -> Response:
        places = [
            community
            for membership, community in communities.memberships_of(session, me)
            if membership.status is MembershipStatus.ACTIVE
        ]
        return page(
            "member/group_new.html",
            form=form,
            places=places,
            products=_products(session, places),
        )

    return answer(NewGroup, work, show, said=("member", "group_formed_said"))


@pages.route(_GROUP + "/terms", methods=["GET", "POST"])
@requires("group:change")
def change_terms(group_id: str) -> Any:
    """Another name, cap or end, while the group forms."""
    session = db.session()
    found = permitted("group:change", group_id)
    currency = communities.get_community_by_id(session, found.community_id).currency

    def work(data: dict[str, Any]) -> str:
        group = permitted("group:change", group_id)
        service.change_terms(db.session(), **step_on(group), **data)
        return _here(group_id)

    start = {
        "name": found.name,
        "pair_cap": format_minor(found.pair_cap_minor, currency),
        "vouch_expires_on": found.vouch_expires_on.isoformat(),
    }
    return answer(
        GroupChangeSchema,
        work,
        lambda form: page(
            "member/group_terms.html",
            form=form,
            group=queries.get_group(db.session(), group_id),
            currency=currency,
        ),
        start=start,
        said=("member", "terms_changed_said"),
    )


@pages.post(_GROUP + "/invitations")
@requires("group:invite")
def invite(group_id: str) -> Any:
    """Ask another member of the community to join."""

    def work(data: dict[str, Any]) -> str:
        group = permitted("group:invite", group_id)
        service.invite(
            db.session(),
            **step_on(group),
            member_id=members.get_member(db.session(), data["member"]).id,
            inviter_id=caller().member_id,
        )
        return _here(group_id)

    return answer(
        InvitationInSchema,
        work,
        lambda form: group_page(group_id, form),
        said=("member", "invited_said"),
    )


@pages.post(_GROUP + "/fixing")
@requires("group:fix_agreement")
def fix_agreement(group_id: str) -> Any:
    """Write down what everybody is to sign; nobody joins any more."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        group = permitted("group:fix_agreement", group_id)
        ids = [place.member_id for place in queries.living_members(session, group.id)]
        service.fix_agreement(
            session,
            **step_on(group),
            overdue_ids=overdue_members(session, ids),
            warnings=warnings_kept(found_warnings(session, group, ids)),
        )
        return _here(group_id)

    return answer(
        Nothing, work, lambda form: group_page(group_id, form), said=("member", "fixed_said")
    )


@pages.post(_GROUP + "/reopening")
@requires("group:reopen")
def reopen(group_id: str) -> Any:
    """Return to forming, to change who or how much; signatures are void."""

    def work(data: dict[str, Any]) -> str:
        service.reopen(db.session(), **step_on(permitted("group:reopen", group_id)))
        return _here(group_id)

    return answer(
        Nothing,
        work,
        lambda form: group_page(group_id, form),
        said=("member", "reopened_group_said"),
    )


@pages.post(_GROUP + "/activation")
@requires("group:activate")
def activate(group_id: str) -> Any:
    """Let the agreement bind once the cooling-off period is over: mutual vouches are written."""

    def work(data: dict[str, Any]) -> str:
        let_bind(db.session(), permitted("group:activate", group_id))
        return _here(group_id)

    return answer(
        Nothing,
        work,
        lambda form: group_page(group_id, form),
        said=("member", "in_force_said"),
        gate=FirstVouchHeld,
    )


@pages.post(_GROUP + "/dissolution")
@requires("group:dissolve")
def dissolve(group_id: str) -> Any:
    """Give up a group that does not bind yet, or end one in which nothing is live."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        group = permitted("group:dissolve", group_id)
        give_up(session, group, group_facts(session, group))
        return url_for("member.groups")

    return answer(
        Nothing, work, lambda form: group_page(group_id, form), said=("member", "dissolved_said")
    )


def _here(group_id: str) -> str:
    return url_for("member.group", group_id=group_id)


def _products(session: Session, places: list[Community]) -> list[tuple[str, str]]:
    """What a group may be for alone, in the communities of the caller."""
    ids: set[int] = set()
    for community in places:
        permit("product:read", offer_facts(session, community))
        ids |= set(community.path_ids)
    found = session.scalars(
        products.list_products(ids).order_by(Product.name, Product.id).limit(PRODUCTS_MAX)
    )
    return [(product.public_id, product.name) for product in found]
