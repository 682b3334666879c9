"""Campaigns joined with what they point at, for dumping; each caller sees what is theirs."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.campaigns.facts import campaign_facts
from app.permissions import may
from community.campaigns import queries, wording
from community.campaigns.findings import FindingKind
from community.campaigns.models import (
    Campaign,
    CampaignAssignment,
    CampaignFinding,
    CampaignHousehold,
    CampaignObjection,
    CampaignReviewer,
)
from community.campaigns.outcomes import seed_of
from community.campaigns.states import steps_in
from community.communities import queries as communities
from community.communities.charter import BoardView
from community.lines.queries import public_ids as line_ids
from community.members import queries as members
from community.members.models import Household
from community.members.queries import Named, names_of
from community.money import Money
from community.trust.models import Assessment


def campaign_views(session: Session, campaigns: Iterable[Campaign]) -> list[dict[str, Any]]:
    """Campaigns with what of them the caller may see."""
    return [campaign_view(session, campaign) for campaign in campaigns]


def campaign_view(session: Session, campaign: Campaign) -> dict[str, Any]:
    """A campaign; officers and auditors see its seed, and its sums as soon as it is unblinded."""
    keeper = may("campaign:read_all", campaign_facts(session, campaign))
    return {
        "id": campaign.public_id,
        "community": communities.get_community_by_id(session, campaign.community_id).public_id,
        "name": campaign.name,
        "currency": campaign.currency,
        "status": campaign.status,
        "round": campaign.round,
        "charter_version": queries.charter_of(session, campaign).version,
        "credit_line": line_ids(session, [campaign.line_id]).get(campaign.line_id),
        "opened_on": campaign.opened_on,
        "published_on": campaign.published_on,
        "objections_until_on": campaign.objections_until_on,
        "grants_until_on": campaign.grants_until_on,
        "seed": seed_of(campaign) if keeper else None,
        "steps": [step.value for step in steps_in(campaign.status)],
        "board": _board(session, campaign, keeper),
        "version": campaign.version,
    }


def assignment_views(
    session: Session, campaign: Campaign, assignments: Iterable[CampaignAssignment]
) -> list[dict[str, Any]]:
    """Households to review, with the people who live in them."""
    listed = list(assignments)
    homes = {one.household_id for one in listed}
    # Whoever lives there without being of the community is not shown.
    living = queries.people_with_a_household(session, campaign.community_id)
    names = names_of(session, [who for who, home in living.items() if home in homes])
    people: dict[int, list[Named]] = {home: [] for home in homes}
    for who, named in sorted(names.items()):
        people[living[who]].append(named)
    ids = _households(session, homes)
    return [
        {
            "id": one.public_id,
            "round": one.round,
            "household": ids[one.household_id],
            "people": people[one.household_id],
            "is_closed": one.is_closed,
            "answered_at": one.answered_at,
            "knows_household": one.knows,
            "reputation": one.reputation,
            "debts": one.debts,
            "limit_minor": one.limit_minor,
            "currency": campaign.currency,
            "reason_against": one.against,
            "questions": wording.QUESTIONS,
        }
        for one in listed
    ]


def reviewer_views(session: Session, reviewers: Iterable[CampaignReviewer]) -> list[dict[str, Any]]:
    """How far reviewers are."""
    listed = list(reviewers)
    people = names_of(session, [one.member_id for one in listed])
    return [
        {
            "reviewer": people[progress.reviewer.member_id],
            "assigned": progress.assigned,
            "answered": progress.answered,
            "excluded_on": progress.reviewer.excluded_on,
            "excluded_reason": progress.reviewer.excluded_reason,
        }
        for progress in queries.progress_of(session, listed)
    ]


def answer_views(session: Session, row: CampaignHousehold) -> dict[str, Any]:
    """All frozen answers on a household."""
    campaign = queries.get_campaign_by_id(session, row.campaign_id)
    answers = queries.answers_of(session, row.campaign_id, household_id=row.household_id)
    people = names_of(session, [one.reviewer_id for one in answers])
    return {
        "items": [
            {
                "reviewer": people[one.reviewer_id],
                "round": one.round,
                "knows_household": one.knows,
                "reputation": one.reputation,
                "debts": one.debts,
                "limit_minor": one.limit_minor,
                "currency": campaign.currency,
                "reason_against": one.against,
                "answered_at": one.answered_at,
            }
            for one in answers
        ]
    }


def household_views(
    session: Session, campaign: Campaign, rows: Iterable[CampaignHousehold]
) -> list[dict[str, Any]]:
    """Households with the figures that the caller may see by now."""
    listed = list(rows)
    keeper = may("campaign:read_all", campaign_facts(session, campaign))
    shown = campaign.status in (queries.UNBLINDED if keeper else queries.PUBLIC)
    people = names_of(session, [row.holder_id for row in listed])
    ids = _households(session, {row.household_id for row in listed})
    wanted = [row.assessment_id for row in listed if row.assessment_id is not None]
    found = session.execute(
        select(Assessment.id, Assessment.public_id).where(Assessment.id.in_(wanted))
    )
    papers = {paper.id: paper.public_id for paper in found}
    rules = queries.rules_of(session, campaign)
    version = queries.charter_of(session, campaign).version
    views = []
    for row in listed:
        view: dict[str, Any] = {
            "id": row.public_id,
            "campaign": campaign.public_id,
            "household": ids[row.household_id],
            "holder": people[row.holder_id],
            "status": row.status if shown else None,
            "verdict": row.verdict if shown else None,
            "grounds": None,
            "proposed": _money(campaign, row.proposed_minor if shown else None),
            "amount": _money(campaign, row.amount_minor if shown else None),
            "to_be_visited": row.is_sampled if keeper and shown else None,
            "visit": None,
            "granted_on": row.granted_on,
            "expires_on": row.expires_on,
            "assessment": papers.get(row.assessment_id or 0),
            "hindrance": row.hindrance if keeper else None,
            "revoked_on": row.revoked_on,
            "revoked_reason": row.revoked_reason,
        }
        if shown and row.verdict is not None:
            view["grounds"] = {
                "answers": row.grounds["answers"],
                "known": row.grounds["known"],
                "against": row.grounds["against"],
                "centre": _money(campaign, row.grounds["centre_minor"]),
                "spread_bps": row.grounds["spread_bps"],
                "charter_version": version,
                "text": wording.grounds_text(
                    verdict=row.verdict,
                    grounds=row.grounds,
                    amount_minor=row.amount_minor,
                    currency=campaign.currency,
                    share_bps=rules.campaign_grant_share_bps,
                    charter_version=version,
                ),
            }
        if shown and row.visit_result is not None:
            view["visit"] = {
                "result": row.visit_result,
                "note": row.visit_note,
                "on": row.visited_on,
            }
        views.append(view)
    return views


def finding_views(
    session: Session, campaign: Campaign, findings: Iterable[CampaignFinding]
) -> list[dict[str, Any]]:
    """Findings with names, and public ids in their facts."""
    listed = list(findings)
    people = names_of(
        session,
        [who for one in listed for who in (*one.reviewers, one.decided_by_id)],
    )
    homes = _households(session, {home for one in listed for home in _homes_in(one)})
    version = queries.charter_of(session, campaign).version
    return [
        {
            "id": one.public_id,
            "kind": one.kind,
            "reviewers": [people[who] for who in one.reviewers],
            "rule": one.rule,
            "charter_version": version,
            "facts": _outside(one, homes, people),
            "text": wording.finding_text(
                one.kind, [people[who].name for who in one.reviewers], one.facts
            ),
            "needs_decision": one.needs_decision,
            "decision": one.decision,
            "decided_reason": one.decided_reason,
            "decided_on": one.decided_on,
            "decided_by": people.get(one.decided_by_id or 0),
        }
        for one in listed
    ]


def objection_views(
    session: Session, campaign: Campaign, objections: Iterable[CampaignObjection]
) -> list[dict[str, Any]]:
    """Objections; to what somebody else's grant was changed is not the objector's to know."""
    listed = list(objections)
    keeper = may("campaign:read_all", campaign_facts(session, campaign))
    rows = {
        row.id: row
        for row in session.scalars(
            select(CampaignHousehold).where(
                CampaignHousehold.id.in_({one.campaign_household_id for one in listed})
            )
        )
    }
    homes = _households(session, {row.household_id for row in rows.values()})
    people = names_of(
        session, [*(one.objector_id for one in listed), *(row.holder_id for row in rows.values())]
    )
    own = members.households_of(session, [one.objector_id for one in listed])
    views = []
    for one in listed:
        row = rows[one.campaign_household_id]
        mine = own.get(one.objector_id) == row.household_id
        views.append(
            {
                "id": one.public_id,
                "household": homes[row.household_id],
                "holder": people[row.holder_id],
                "objector": people[one.objector_id],
                "reason": one.reason,
                "raised_on": one.raised_on,
                "status": one.status,
                "amount": _money(campaign, one.amount_minor if keeper or mine else None),
                "answer": one.answer,
                "answered_on": one.answered_on,
            }
        )
    return views


def _board(session: Session, campaign: Campaign, keeper: bool) -> dict[str, Any] | None:
    seen = queries.rules_of(session, campaign).campaign_board_sees
    if campaign.status not in (queries.UNBLINDED if keeper else queries.PUBLIC):
        return None
    if not keeper and seen is BoardView.NOTHING:
        return None
    board = queries.board_of(session, campaign.id)
    totals = keeper or seen is BoardView.TOTALS
    return {
        "households": board.households,
        "proposed": board.proposed,
        "granted": board.granted,
        "proposed_total": _money(campaign, board.proposed_minor if totals else None),
        "granted_total": _money(campaign, board.granted_minor if totals else None),
    }


def _homes_in(finding: CampaignFinding) -> set[int]:
    answers = finding.facts.get("answers")
    named = set(finding.facts.get("households", ()))
    if isinstance(answers, list):
        named |= {answer["household"] for answer in answers}
    return named


def _outside(
    finding: CampaignFinding, homes: dict[int, str], people: dict[int, Named]
) -> dict[str, Any]:
    """Facts as they go out: rows by their public ids."""
    facts = dict(finding.facts)
    if "households" in facts:
        facts["households"] = [homes[home] for home in facts["households"]]
    if finding.kind in (FindingKind.OUTLIER, FindingKind.RING):
        facts["answers"] = [
            answer
            | {"household": homes[answer["household"]]}
            | ({"reviewer": people[answer["reviewer"]].public_id} if "reviewer" in answer else {})
            for answer in facts["answers"]
        ]
    return facts


def _households(session: Session, ids: set[int]) -> dict[int, str]:
    if not ids:
        return {}
    rows = session.execute(select(Household.id, Household.public_id).where(Household.id.in_(ids)))
    return {row.id: row.public_id for row in rows}


def _money(campaign: Campaign, minor: int | None) -> Money | None:
    return None if minor is None else Money(minor, campaign.currency)
