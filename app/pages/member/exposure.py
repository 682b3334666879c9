"""If everyone I stand behind fails: person by person, loan by loan."""

from dataclasses import dataclass

from flask import Response, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from app.communities.facts import membership_facts
from app.extensions import db
from app.marks import limited
from app.pages.charts import Picture, bars, csv_answer
from app.pages.entry import language
from app.pages.layout import money_text, page
from app.pages.member.room import pages
from app.pages.words import Words
from app.permissions import Facts, permit, requires
from community.communities import queries as communities
from community.communities.models import Community, MembershipStatus
from community.errors import CommunityError
from community.exposure.register import Register, register_of
from community.members import queries as members
from community.members.models import Member
from community.money import CURRENCY_EXPONENTS


@dataclass(frozen=True, slots=True)
class PlaceExposure:
    """What the member could owe for others in one community; else why it is not known."""

    community: Community
    register: Register | None
    picture: Picture | None
    reason: CommunityError | None = None


@pages.get("/me/exposure")
@requires("exposure:read")
@limited("heavy")
def exposure() -> Response:
    """What I would owe if everyone I stand behind failed."""
    session, me = db.session(), caller().member_id
    permit("exposure:read", Facts(owner_ids=frozenset({me})))
    member = members.get_member_by_id(session, me)
    places = [
        _place(session, community, member)
        for membership, community in communities.memberships_of(session, me)
        if membership.status is not MembershipStatus.APPLIED
    ]
    return page("member/exposure.html", places=places)


@pages.get("/me/exposure/<pid(com):community_id>.csv")
@requires("exposure:read")
@limited("heavy")
def exposure_csv(community_id: str) -> Response:
    """The numbers of the picture."""
    session = db.session()
    community = communities.get_community(session, community_id)
    member = members.get_member_by_id(session, caller().member_id)
    permit("exposure:read", membership_facts(community, member))
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    found = register_of(session, community_id=community.id, member_id=member.id, on=today())
    return csv_answer(_picture(community, found), "my-exposure")


def _place(session: Session, community: Community, member: Member) -> PlaceExposure:
    permit("exposure:read", membership_facts(community, member))
    try:
        found = register_of(session, community_id=community.id, member_id=member.id, on=today())
    except CommunityError as refusal:
        return PlaceExposure(community, None, None, refusal)
    return PlaceExposure(community, found, _picture(community, found) if found.most_minor else None)


def _picture(community: Community, found: Register) -> Picture:
    words = Words("member", language())
    sums: dict[str, tuple[str, int]] = {}
    for line in found.lines:
        name, before = sums.get(line.borrower.public_id, (line.borrower.name, 0))
        sums[line.borrower.public_id] = name, before + line.most_minor
    listed = sorted(sums.values(), key=lambda item: (-item[1], item[0]))
    unit = 10 ** CURRENCY_EXPONENTS[found.currency]
    chart = bars(
        words("most_by_person"),
        [(name, most / unit) for name, most in listed],
        columns=(words("for_whom"), words("signed_most")),
        text=lambda value: money_text(words.language, round(value * unit), found.currency),
        caption=words("most_by_person_help"),
    )
    return chart.with_csv(url_for("member.exposure_csv", community_id=community.public_id))
