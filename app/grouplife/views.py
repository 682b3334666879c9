"""Proposals, statements and warnings with the names of whom they concern."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from app.permissions import Facts, may
from community.communities import queries as communities
from community.groups import amendments, queries
from community.groups.agreement import version_of
from community.groups.models import (
    Group,
    GroupAgreement,
    GroupAmendment,
    GroupExpulsion,
    GroupStatus,
    Settlement,
)
from community.groups.proof import Paper
from community.groups.warnings import NAMED, GroupWarning, WarningKind
from community.guarantees import group_life
from community.guarantees.group_life import Viewer
from community.guarantees.group_warnings import group_warnings
from community.members import queries as members
from community.trust.group_suggestions import Suggestion, connections_of
from community.trust.queries import promised_elsewhere


def viewer(facts: Facts) -> Viewer:
    """As whom the caller is told what binds in a group."""
    return Viewer(caller().member_id, sees_all=may("group:see_all_bonds", facts))


def amendment_views(
    session: Session, group: Group, rows: Sequence[GroupAmendment]
) -> list[dict[str, Any]]:
    """Proposals to one group, each with who has signed."""
    currency = _currency(session, group)
    places = {place.id: member for place, member in queries.members_of(session, group.id)}
    by_public = {member.public_id: member for member in places.values()}
    people = members.names_of(session, (row.proposed_by_id for row in rows))
    found = []
    for row in rows:
        signed = [
            places[signature.group_member_id]
            for signature in queries.signatures_on(session, row.agreement_hash)
        ]
        named = [member["id"] for member in row.document["members"]]
        before = row.document["amends"]
        found.append(
            {
                "id": row.public_id,
                "group": group.public_id,
                "status": row.status,
                "version": version_of(row.document),
                "pair_cap_minor": row.pair_cap_minor,
                "vouch_expires_on": row.vouch_expires_on,
                "before_minor": before["pair_cap_minor"] * (len(before["members"]) - 1),
                "after_minor": row.pair_cap_minor * (len(named) - 1),
                "currency": currency,
                "joining": [by_public[public_id] for public_id in row.document["joining"]],
                "agreement_hash": row.agreement_hash,
                "replaces": row.base_hash,
                "reason": row.reason,
                "proposed_by": people[row.proposed_by_id],
                "proposed_at": row.proposed_at,
                "lapses_on": row.lapses_on,
                "cooling_off_until": row.cooling_off_until,
                "ended_at": row.ended_at,
                "signed": signed,
                "missing": [
                    by_public[public_id]
                    for public_id in named
                    if public_id not in {member.public_id for member in signed}
                ],
            }
        )
    return found


def amendment_file(session: Session, group: Group, row: GroupAmendment) -> dict[str, Any]:
    """A proposal with what everybody is to sign."""
    [shown] = amendment_views(session, group, [row])
    return shown | _document(row.document)


def agreement_versions(group: Group, rows: Sequence[GroupAgreement]) -> list[dict[str, Any]]:
    """The agreements of a group, old and in force."""
    return [
        {
            "version": row.version,
            "basis": row.basis,
            "agreement_hash": row.agreement_hash,
            "bound_at": row.bound_at,
            "is_in_force": group.status is GroupStatus.ACTIVE
            and row.agreement_hash == group.agreement_hash,
        }
        for row in rows
    ]


def agreement_file(session: Session, group: Group, row: GroupAgreement) -> dict[str, Any]:
    """One agreement, as it was bound, with its signatures."""
    [shown] = agreement_versions(group, [row])
    places = {place.id: member for place, member in queries.members_of(session, group.id)}
    signed = [
        places[signature.group_member_id]
        for signature in queries.signatures_on(session, row.agreement_hash)
    ]
    return shown | _document(row.document) | {"signed": signed}


def elsewhere_minor(session: Session, group: Group, member_id: int) -> int:
    """What a member stands for outside of a group, in the currency of its community."""
    currency = _currency(session, group)
    return sum(
        part.together_minor
        for part in promised_elsewhere(
            session, member_id=member_id, on=today(), besides_group=group.id
        )
        if part.currency == currency
    )


def statement(
    session: Session, group: Group, paper: Paper, amendment: GroupAmendment | None = None
) -> dict[str, Any]:
    """What the caller stands for under a paper, elsewhere, and together."""
    me = caller().member_id
    currency = _currency(session, group)
    parts = promised_elsewhere(session, member_id=me, on=today(), besides_group=group.id)
    places = communities.get_communities_by_id(session, (part.community_id for part in parts))
    here = paper.exposure_of(members.get_member_by_id(session, me).public_id)
    elsewhere = sum(part.together_minor for part in parts if part.currency == currency)
    leaves: list[str] = []
    if amendment is not None and amendment.ended_at is None:
        leaving = amendments.groups_to_leave(session, amendment, on=today())
        leaves = [left.public_id for left in leaving.get(me, [])]
    return {
        "agreement_hash": paper.agreement_hash,
        "here_minor": here,
        "elsewhere_minor": elsewhere,
        "together_minor": here + elsewhere,
        "currency": currency,
        "parts": [
            {
                "community": places[part.community_id].public_id,
                "personal_minor": part.personal_minor,
                "groups_minor": part.groups_minor,
                "currency": part.currency,
            }
            for part in parts
        ],
        "leaves": leaves,
    }


def may_be_asked(session: Session, group: Group, facts: Facts) -> list[tuple[str, str]]:
    """Whom the caller may ask to join: those they are connected with, by name.

    Others they need not know of.
    """
    if not may("group:invite", facts) or group.status not in (
        GroupStatus.FORMING,
        GroupStatus.ACTIVE,
    ):
        return []
    known = connections_of(session, community_id=group.community_id, member_id=caller().member_id)
    names = members.names_of(session, known - facts.related_ids)
    return sorted(((one.public_id, one.name) for one in names.values()), key=lambda pair: pair[1])


def found_warnings(
    session: Session, group: Group, member_ids: Sequence[int]
) -> tuple[GroupWarning, ...]:
    """What is worth a thought before these sign."""
    return group_warnings(
        session,
        community_id=group.community_id,
        member_ids=member_ids,
        on=today(),
        besides_group=group.id,
    )


def warnings_kept(found: Sequence[GroupWarning]) -> list[dict[str, Any]]:
    """As the record keeps them: what was pointed out, without whom."""
    return [
        {"kind": warning.kind.value, "rule": warning.rule, "count": len(warning.member_ids)}
        for warning in found
    ]


def warning_views(
    session: Session, found: Sequence[GroupWarning], *, sees_all: bool
) -> dict[str, Any]:
    """Warnings as the caller may see them: with names, or only how many."""
    people = members.names_of(session, (i for warning in found for i in warning.member_ids))
    shown = []
    for warning in found:
        # A pair is known to the two; of a livelihood everybody knows only their own.
        mine = warning.kind is WarningKind.MUTUAL_PAIR and caller().member_id in warning.member_ids
        named = sees_all or mine or warning.kind in NAMED
        shown.append(
            {
                "kind": warning.kind,
                "members": [people[i] for i in warning.member_ids] if named else [],
                "count": len(warning.member_ids),
                "rule": warning.rule,
                "source": warning.source,
                "text": warning.text if named else warning.unnamed,
            }
        )
    return {"warnings": shown}


def expulsion_views(
    session: Session, group: Group, rows: Sequence[GroupExpulsion]
) -> list[dict[str, Any]]:
    """Expulsions of one group, with who has consented."""
    me = caller().member_id
    living = [place.member_id for place in queries.living_members(session, group.id)]
    consents = {row.id: queries.consents_to(session, row.id) for row in rows}
    named = {i for row in rows for i in (row.member_id, row.proposed_by_id)}
    people = members.names_of(
        session, named | {c.member_id for given in consents.values() for c in given}
    )
    currency = _currency(session, group)
    return [
        {
            "id": row.public_id,
            "group": group.public_id,
            "member": people[row.member_id],
            "settlement": row.settlement,
            "status": row.status,
            "reason": row.reason,
            "proposed_by": people[row.proposed_by_id],
            "proposed_at": row.proposed_at,
            "lapses_on": row.lapses_on,
            "ended_at": row.ended_at,
            "consents": [
                {"member": people[given.member_id], "given_at": given.given_at}
                for given in consents[row.id]
            ],
            "needed": len([i for i in living if i != row.member_id]),
            "my_part_minor": group_life.covers_for(session, row, me)
            if row.settlement is Settlement.TAKEN_OVER
            and row.ended_at is None
            and me in living
            and me != row.member_id
            else None,
            "currency": currency,
        }
        for row in rows
    ]


def suggestion_view(session: Session, found: Suggestion, *, with_amounts: bool) -> dict[str, Any]:
    """A suggestion with names; what people promised each other only for whom it may concern."""
    ids = {i for group in found.groups for i in group.member_ids}
    people = members.names_of(session, ids | {*found.left_over, *found.not_suited})
    return {
        "groups": [
            {
                "members": [people[i] for i in group.member_ids],
                "trust_minor": group.trust_minor if with_amounts else None,
                "weakest": {
                    "members": [people[i] for i in group.weakest[:2]],
                    "trust_minor": group.weakest[2],
                    "currency": found.currency,
                }
                if with_amounts and group.weakest is not None
                else None,
                "currency": found.currency,
            }
            for group in found.groups
        ],
        "left_over": [people[i] for i in found.left_over],
        "because": found.because,
        "not_suited": [
            {"member": people[i], "why": why.value if with_amounts else None}
            for i, why in found.not_suited.items()
        ],
        "is_best": found.is_best,
        "trust_minor": found.trust_minor if with_amounts else None,
        "bound_minor": found.bound_minor if with_amounts else None,
        "currency": found.currency,
        "size_min": found.charter.rules.group_size_min,
        "size_max": found.charter.rules.group_size_max,
        "charter_version": found.charter.version,
    }


def _document(document: dict[str, Any]) -> dict[str, Any]:
    facts = dict(document)
    text = facts.pop("text")
    return {"facts": facts, "text": text}


def _currency(session: Session, group: Group) -> str:
    return communities.get_community_by_id(session, group.community_id).currency
