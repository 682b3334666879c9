"""Offering a promise and accepting one, within a unit of work: the same for the API and for pages.

Both pass the newcomer gate: run them by `app.risk.gate.through_the_gate`, or by a form's `gate`.
"""

from typing import Any

from app.auth import caller
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.permissions import permit
from app.risk.gate import let_through
from app.trust.facts import vouch_facts
from community.communities import queries as communities
from community.members import queries as members
from community.risk import gate
from community.trust import queries, service
from community.trust.models import Vouch, VouchSide, VouchStatus
from community.vouching.records import figures_of


def offer(data: dict[str, Any], community_id: str) -> Vouch:
    """Offer, or meet the other's offer, which makes it a promise."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("vouch:offer", community_facts(session, community))
    me = caller().member_id
    other = members.get_member(session, data["other"]).id
    gives = data["side"] is VouchSide.VOUCHER
    pair = {"voucher_id": me if gives else other, "borrower_id": other if gives else me}
    place = {"community_id": community.id, **pair}
    if gate.offer_to_meet(session, side=data["side"], **place):
        let_through(gate.at_first_vouch(session, on=today(), **place))
    return service.offer_vouch(
        session,
        **place,
        side=data["side"],
        limit=data["limit"],
        expires_on=data["expires_on"],
        on=today(),
        now=now(),
        actor_id=me,
        records_of=figures_of,
    )


def accept(vouch_id: str) -> Vouch:
    """Say yes to an offer; the promise that is live now."""
    session = db.session()
    vouch = queries.get_vouch(session, vouch_id)
    permit("vouch:answer", vouch_facts(session, vouch))
    me = caller().member_id
    mine = VouchSide.VOUCHER if vouch.voucher_id == me else VouchSide.BORROWER
    # Any other will be refused.
    if vouch.status is VouchStatus.OFFERED and vouch.offered_by is not mine:
        let_through(
            gate.at_first_vouch(
                session,
                community_id=vouch.community_id,
                voucher_id=vouch.voucher_id,
                borrower_id=vouch.borrower_id,
                on=today(),
            )
        )
    return service.accept_vouch(
        session,
        vouch_id=vouch.id,
        on=today(),
        now=now(),
        actor_id=me,
        records_of=figures_of,
    )
