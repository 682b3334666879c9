"""Profiles (会员画像): mine, and of others as much as my relation to them shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from app.communities.facts import membership_facts
from app.extensions import db
from app.fields import PublicId, Schema
from app.marks import limited
from app.pages.entry import language
from app.pages.forms import read_query
from app.pages.layout import date_text, money_text, page, percent_text
from app.pages.member.room import pages
from app.pages.words import Words
from app.permissions import Facts, permit, requires
from app.profiles.facts import viewed
from community.communities import queries as communities
from community.communities.models import Community, MembershipStatus
from community.errors import CommunityError, NotFound
from community.members import queries as members
from community.members.models import Member
from community.money import Money
from community.profiles.profile import Profile, Seen, profile_of, ties_between
from community.profiles.relations import Relation, Scope

_SEEN_IN_HOME = (MembershipStatus.ACTIVE, MembershipStatus.SUSPENDED)


class PersonArgs(Schema):
    """In which community."""

    community = PublicId("com", required=True)


@dataclass(frozen=True, slots=True)
class FigureView:
    """One figure in words."""

    name: str
    lines: tuple[tuple[str, str], ...]
    rows: int
    from_on: date | None
    rules: tuple[str, ...]
    # How much of it is seen: nothing is said where it is all.
    part: str = ""


@dataclass(frozen=True, slots=True)
class PlaceProfile:
    """The member's profile in one community; else why there is none."""

    community: Community
    figures: tuple[FigureView, ...]
    reason: CommunityError | None = None


@pages.listed("profile")
@pages.get("/me/profile")
@requires("profile:read")
@limited("heavy")
def profile() -> Response:
    """What each of my communities knows of me."""
    session, me = db.session(), caller().member_id
    permit("profile:read", Facts(owner_ids=frozenset({me})))
    member = members.get_member_by_id(session, me)
    words = Words("member", language())
    return page(
        "member/profile.html",
        member=member,
        places=[
            _place(session, community, member, words)
            for membership, community in communities.memberships_of(session, me)
            if membership.status in _SEEN_IN_HOME
        ],
    )


@pages.get("/me/people/<pid(mem):member_id>")
@requires("profile:read")
@limited("heavy")
def person(member_id: str) -> Response:
    """Another member, as much of them as my relation to them shows."""
    session = db.session()
    form, asked = read_query(PersonArgs())
    if form.errors:
        raise NotFound()
    member = members.get_member(session, member_id)
    community = communities.get_community(session, asked["community"])
    seen = viewed(session, community, member)
    permit("profile:read", seen.facts)
    found = profile_of(
        session,
        community_id=community.id,
        member_id=member.id,
        viewer_id=caller().member_id,
        relations=seen.relations,
        ties=seen.ties,
        on=today(),
    )
    words = Words("member", language())
    return page(
        "member/person.html",
        member=member,
        community=community,
        relations=sorted(found.relations),
        figures=[_figure(one, words) for one in found.figures],
        since_on=found.since_on,
        is_me=member.id == caller().member_id,
    )


def _place(session: Session, community: Community, member: Member, words: Words) -> PlaceProfile:
    permit("profile:read", membership_facts(community, member))
    on = today()
    try:
        found: Profile = profile_of(
            session,
            community_id=community.id,
            member_id=member.id,
            viewer_id=member.id,
            relations=frozenset({Relation.SELF}),
            ties=ties_between(
                session,
                community_id=community.id,
                member_id=member.id,
                viewer_id=member.id,
                on=on,
            ),
            on=on,
        )
    except CommunityError as refusal:
        return PlaceProfile(community, (), refusal)
    return PlaceProfile(community, tuple(_figure(seen, words) for seen in found.figures))


def _figure(seen: Seen, words: Words) -> FigureView:
    return FigureView(
        name=words.of("figure", seen.figure),
        lines=tuple(
            (words.of("value", name), _said(name, value, words))
            for name, value in seen.values.items()
            # Bands of days late are a table of their own in the API.
            if not isinstance(value, list) and words.find(f"value.{name}") is not None
        ),
        rows=sum(seen.rows.values()),
        from_on=seen.from_on,
        rules=tuple(rule.rule for rule in seen.rules),
        part=words("stop").join(
            words.of("scope", scope) for scope in sorted(seen.scopes) if scope is not Scope.ALL
        ),
    )


def _said(name: str, value: Any, words: Words) -> str:
    if value is None:
        return "–"
    if isinstance(value, Money):
        return money_text(words.language, value.amount_minor, value.currency)
    if name.endswith("_ppm"):
        return percent_text(value, 1_000_000)
    if name.endswith("_on"):
        return date_text(words.language, date.fromisoformat(value))
    if name == "status":
        return words.of("membership_status", value)
    if isinstance(value, Mapping):
        return words("comma").join(str(item) for item in value.values())
    return f"{value:g}" if isinstance(value, float) else str(value)
