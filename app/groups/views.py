"""Groups with the names of their members and the currency of their community."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from community.communities import queries as communities
from community.groups import queries
from community.groups.leadership import election_of
from community.groups.models import Group
from community.groups.service import Answered
from community.members import queries as members


def group_summaries(session: Session, rows: Sequence[Group]) -> list[dict[str, Any]]:
    """Groups in a list: a fixed number of statements."""
    places = communities.get_communities_by_id(session, (row.community_id for row in rows))
    leaders = members.names_of(session, (row.leader_id for row in rows))
    return [
        {
            "id": row.public_id,
            "community": places[row.community_id].public_id,
            "currency": places[row.community_id].currency,
            "name": row.name,
            "status": row.status,
            "pair_cap_minor": row.pair_cap_minor,
            "vouch_expires_on": row.vouch_expires_on,
            "leader": None if row.leader_id is None else leaders[row.leader_id],
            "leader_until_on": row.leader_until_on,
            "leader_acts_until_on": row.leader_acts_until_on,
            "product_name": row.product_name,
            "short_since_on": row.short_since_on,
            "whole_by_on": row.whole_by_on,
            "agreement_hash": row.agreement_hash,
            "charter_version": row.charter_version,
            "cooling_off_until": row.cooling_off_until,
            "activated_at": row.activated_at,
            "created_at": row.created_at,
        }
        for row in rows
    ]


def group_view(session: Session, group: Group) -> dict[str, Any]:
    """A group with everybody who is in it or invited."""
    summary = group_summaries(session, [group])[0]
    listed = [
        (place, member)
        for place, member in queries.members_of(session, group.id)
        if place.status in queries.LISTED
    ]
    names = {member.id: member.public_id for _, member in listed}
    votes = {place.member_id: place.vote_for_id for place, _ in listed}
    vote = votes.get(caller().member_id)
    living = [place for place, _ in listed if place.status in queries.LIVING]
    proposed = queries.open_amendment(session, group.id)
    return summary | {
        "members": [
            {
                "member": member,
                "status": place.status,
                "exposure_minor": place.exposure_minor,
                "currency": summary["currency"],
                "understood_at": place.understood_at,
                "signed_at": place.signed_at,
            }
            for place, member in listed
        ],
        "my_vote": None if vote is None else names.get(vote),
        "my_recall": any(
            place.recalls_leader for place in living if place.member_id == caller().member_id
        ),
        "election": election_of(group, len(living), today()),
        "must_dissolve": group.whole_by_on is not None and today() > group.whole_by_on,
        "amendment": None if proposed is None else proposed.public_id,
    }


def answered_view(answered: Answered) -> dict[str, Any]:
    """The outcome of a try: explanations only of what was wrong."""
    return {
        "passed": answered.passed,
        "verdicts": [
            {
                "question": verdict.question.id,
                "right": verdict.right,
                "explanation": None if verdict.right else verdict.question.explanation,
            }
            for verdict in answered.verdicts
        ],
        "again": answered.again,
    }
