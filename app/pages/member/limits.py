"""Why a limit is what it is, and what would raise it."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from app.communities.facts import membership_facts
from app.extensions import db
from app.fields import Money, PublicId, Schema
from app.marks import limited
from app.pages.forms import Form, read_query
from app.pages.layout import page
from app.pages.member.room import pages
from app.permissions import permit, requires
from community.communities import queries as communities
from community.communities.models import Community
from community.credit import service as credit
from community.credit.errors import WhatIfNotKnown
from community.credit.explain import CreditLimit, Growth, WhatIf
from community.errors import CommunityError
from community.members import queries as members
from community.members.models import Member
from community.members.queries import Named
from community.trust import queries as trust
from community.trust.models import Vouch, VouchStatus

# More than this many are for the API.
NEIGHBOURS_MAX = 100
RAISES_MAX = 8


class WhatIfArgs(Schema):
    """What if this neighbour vouched so much more?"""

    voucher = PublicId("mem", required=True)
    amount = Money(required=True)


@dataclass(frozen=True, slots=True)
class Supposed:
    """What the limit would be, and what is supposed."""

    voucher: Named
    amount_minor: int
    limit_minor: int
    gain_minor: int
    binding: str


@pages.get("/me/limits/<pid(com):community_id>")
@requires("limit:read")
@limited("heavy")
def limit(community_id: str) -> Response:
    """My limit in one community: every reason, what would raise it, and "what if"."""
    session, on = db.session(), today()
    community = communities.get_community(session, community_id)
    member = members.get_member_by_id(session, caller().member_id)
    permit("limit:read", membership_facts(community, member))
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    found = credit.credit_limit(session, community_id=community.id, member_id=member.id, on=on)
    form, supposed = Form(), None
    if _is_asked():
        form, data = read_query(WhatIfArgs())
        if not form.errors:
            try:
                supposed = _suppose(session, community, member, found, data, on)
            except CommunityError as refusal:
                form.refuse(refusal)
    return page(
        "member/limit.html",
        status=form.status,
        community=community,
        limit=found,
        raises=helpful(found),
        neighbours=neighbours(session, community, member),
        form=form,
        supposed=supposed,
    )


def helpful(found: CreditLimit) -> list[Growth]:
    """Whose promise or standing would raise the limit by growing: the most helpful first."""
    gains = [item for item in found.raises if item.limit_gain_minor > 0]
    return sorted(gains, key=lambda item: -item.limit_gain_minor)[:RAISES_MAX]


def neighbours(session: Session, community: Community, member: Member) -> list[Named]:
    """Those with whom the member has to do here: of whom one may ask "what if"."""
    ends = session.execute(
        select(Vouch.voucher_id, Vouch.borrower_id)
        .where(
            Vouch.community_id == community.id,
            (Vouch.voucher_id == member.id) | (Vouch.borrower_id == member.id),
            Vouch.status.in_([VouchStatus.LIVE, VouchStatus.OFFERED]),
        )
        .order_by(Vouch.id)
        .limit(NEIGHBOURS_MAX)
    )
    ids = {end for pair in ends for end in pair} - {member.id}
    return sorted(
        members.names_of(session, ids).values(), key=lambda one: (one.name, one.public_id)
    )


def _is_asked() -> bool:
    return "voucher" in request.args or "amount" in request.args


def _suppose(
    session: Session,
    community: Community,
    member: Member,
    before: CreditLimit,
    data: dict[str, Any],
    on: date,
) -> Supposed:
    voucher = members.get_member(session, data["voucher"])
    if voucher.id == member.id or not trust.are_connected(
        session, community_id=community.id, member_id=member.id, other_id=voucher.id
    ):
        raise WhatIfNotKnown(field="voucher")
    amount_minor = data["amount"].amount_minor
    after = credit.credit_limit(
        session,
        community_id=community.id,
        member_id=member.id,
        on=on,
        what_if=[WhatIf(voucher.id, amount_minor)],
    )
    return Supposed(
        voucher=Named(voucher.id, voucher.public_id, voucher.name),
        amount_minor=amount_minor,
        limit_minor=after.amount_minor,
        gain_minor=after.amount_minor - before.amount_minor,
        binding=after.binding.name,
    )
