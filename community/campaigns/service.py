"""A campaign's review: opened, drawn, answered blind, closed round by round.

What comes after is in `deciding` (findings, visits, publication, objections) and `granting`.
Each step locks the campaign, then what it works on; a reviewer's answer locks only its assignment,
so that a whole village can answer at once.
"""

import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from community.campaigns import outcomes, queries
from community.campaigns.draw import DrawImpossible, DrawInputs, Shortage, draw
from community.campaigns.errors import (
    AssignmentNotFound,
    CampaignNotFound,
    CampaignRunning,
    NoDraw,
    NoHouseholds,
    NotAHolder,
    NotAReviewer,
    NowYourHousehold,
    RoundClosed,
    WrongLine,
)
from community.campaigns.findings import TO_DECIDE, Assessed, Verdict
from community.campaigns.models import (
    Campaign,
    CampaignAnswer,
    CampaignAssignment,
    CampaignFinding,
    CampaignHousehold,
    CampaignReviewer,
    CampaignRound,
    CampaignStatus,
    Debts,
    HouseholdStatus,
)
from community.campaigns.states import Step, after
from community.communities import queries as communities
from community.communities.models import Community
from community.errors import CurrencyMismatch, Invalid
from community.groups import queries as groups
from community.ledger.events import record_event
from community.lines.models import LineStatus
from community.lines.queries import get_line_by_id
from community.locks import lock, lock_one, lock_where
from community.members import queries as members
from community.money import Money

# A second panel is drawn where the first says too little.
_ASK_AGAIN = frozenset({Verdict.TOO_FAR_APART, Verdict.TOO_FEW_KNOW})


def open_campaign(
    session: Session,
    *,
    community_id: int,
    name: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    seed: str | None = None,
    reviewer_ids: Collection[int] | None = None,
    holder_ids: Collection[int] = (),
    kin: Iterable[tuple[int, int]] = (),
    line_id: int | None = None,
) -> Campaign:
    """Open a campaign over all households with an active person in them; all may review by default.

    Who holds a household's credit is the one named, else whoever was entered first. Households,
    reviewers, kin and seed are fixed here: nobody can try draws until one suits them. Locks the
    community. Raises CampaignRunning, NoHouseholds, NotAHolder, NotAReviewer, WrongLine.
    """
    lock_one(session, Community, community_id)
    community = communities.get_community_by_id(session, community_id)
    charter = communities.charter_on(session, community_id, on)
    running = queries.find_running(session, community_id)
    if running is not None:
        raise CampaignRunning(campaign=running.public_id)
    people = queries.people_with_a_household(session, community_id)
    if not people:
        raise NoHouseholds()
    granted = dict(queries.live_grants_of(session, community_id=community_id).values())
    holders = _holders(people, holder_ids, granted)
    chosen = sorted(people) if reviewer_ids is None else sorted(set(reviewer_ids))
    if not set(chosen) <= people.keys():
        raise NotAReviewer(field="reviewers")
    _check_line(session, community_id, line_id)
    campaign = Campaign(
        community_id=community_id,
        name=name,
        currency=community.currency,
        status=CampaignStatus.OPEN,
        charter_id=charter.charter_id,
        line_id=line_id,
        seed=seed or secrets.token_hex(16),
        kin=sorted([min(pair), max(pair)] for pair in {tuple(pair) for pair in kin}),
        opened_on=on,
        created_at=now,
    )
    campaign.round = 0
    session.add(campaign)
    session.flush()  # its rows name it
    session.execute(
        insert(CampaignReviewer),
        [
            {"campaign_id": campaign.id, "member_id": who, "household_id": people[who]}
            for who in chosen
        ],
    )
    session.add_all(
        CampaignHousehold(
            campaign_id=campaign.id,
            household_id=home,
            holder_id=holder,
            status=HouseholdStatus.REVIEWED,
            grounds={},
        )
        for home, holder in sorted(holders.items())
    )
    note(
        session,
        campaign,
        "opened",
        actor_id,
        now,
        {
            "on": on.isoformat(),
            "seed": campaign.seed,
            "households": len(holders),
            "reviewers": len(chosen),
            "kin": len(campaign.kin),
            "charter_version": charter.version,
        },
    )
    return campaign


def draw_reviewers(
    session: Session, *, campaign_id: int, on: date, now: datetime, actor_id: int | None
) -> Campaign:
    """Draw the first round: every household gets its panel, nobody their own.

    Locks the campaign. Raises NoDraw with whom it fails for.
    """
    campaign = locked(session, campaign_id)
    campaign.status = after(campaign.status, Step.DRAW)
    homes = session.scalars(
        select(CampaignHousehold.household_id).where(CampaignHousehold.campaign_id == campaign.id)
    ).all()
    inputs = _inputs(session, campaign, homes)
    try:
        _draw_round(session, campaign, inputs, on, now, actor_id)
    except DrawImpossible as shortage:
        raise _no_draw(session, shortage) from None
    return campaign


def answer(
    session: Session,
    *,
    assignment_id: int,
    knows: bool,
    debts: Debts,
    now: datetime,
    actor_id: int,
    reputation: int | None = None,
    limit: Money | None = None,
    against: str | None = None,
) -> CampaignAssignment:
    """A reviewer says what they know of a household; it may be changed until the round closes.

    Who does not know the household says so and nothing of money. Locks the assignment. Raises
    RoundClosed, NowYourHousehold, NotAMember, Invalid, CurrencyMismatch.
    """
    assignment = lock(session, CampaignAssignment, [assignment_id]).get(assignment_id)
    if assignment is None:
        raise AssignmentNotFound()
    if assignment.is_closed:
        raise RoundClosed(round=assignment.round)
    campaign = queries.get_campaign_by_id(session, assignment.campaign_id)
    communities.require_active(
        session, community_id=campaign.community_id, member_id=assignment.reviewer_id
    )
    home = members.households_of(session, [assignment.reviewer_id])[assignment.reviewer_id]
    if home == assignment.household_id:
        raise NowYourHousehold()
    if knows and limit is None:
        raise Invalid("Who knows a household suggests a limit; 0 is one.", field="limit")
    if knows and reputation is None:
        raise Invalid("Who knows a household says how it stands, 1 to 5.", field="reputation")
    if not knows and (limit is not None or reputation is not None or against is not None):
        raise Invalid("Who does not know a household says nothing else of it.", field="knows")
    if limit is not None and limit.currency != campaign.currency:
        raise CurrencyMismatch(
            f"The community keeps its books in {campaign.currency}.",
            expected=campaign.currency,
            given=limit.currency,
        )
    if limit is not None and limit.amount_minor < 0:
        raise Invalid("A limit is not below zero.", field="limit")
    assignment.knows = knows
    assignment.reputation = reputation
    assignment.debts = debts
    assignment.limit_minor = None if limit is None else limit.amount_minor
    assignment.against = against
    assignment.answered_at = now
    return assignment


def close_round(
    session: Session, *, campaign_id: int, on: date, now: datetime, actor_id: int | None
) -> Campaign:
    """Close the open round: its answers are frozen and, after the last, looked at.

    Where answers lie too far apart, or too few know the household, others are drawn for a second
    round if the charter has one; a household for which there are no others waits for no one. Locks
    the campaign, the round's assignments, the reviewers and the households.
    """
    campaign = locked(session, campaign_id)
    after(campaign.status, Step.CLOSE)
    _freeze(session, campaign, now, actor_id)
    found = outcomes.assessed(session, campaign)
    if campaign.round < queries.rules_of(session, campaign).campaign_rounds_max:
        again = [one.household for one in found.outcomes if one.verdict in _ASK_AGAIN]
        if again and _second_round(session, campaign, again, on, now, actor_id):
            return campaign
    campaign.status = after(campaign.status, Step.CLOSE)
    rows = lock_where(session, CampaignHousehold, CampaignHousehold.campaign_id == campaign.id)
    outcomes.propose(session, campaign, rows.values(), found)
    _keep_findings(session, campaign, found, on)
    note(
        session,
        campaign,
        "review_closed",
        actor_id,
        now,
        {
            "on": on.isoformat(),
            "rounds": campaign.round,
            "proposed": sum(one.verdict is Verdict.PROPOSED for one in found.outcomes),
            "findings": len(found.findings),
            "visits": sum(row.is_sampled for row in rows.values()),
        },
    )
    return campaign


def answers_digest(answers: Iterable[CampaignAnswer]) -> str:
    """The SHA-256 of a round's answers, which the chain of events keeps."""
    lines = [
        [
            one.assignment_id,
            one.knows,
            one.reputation,
            one.debts.value,
            one.limit_minor,
            one.against,
        ]
        for one in sorted(answers, key=lambda one: one.assignment_id)
    ]
    return hashlib.sha256(json.dumps(lines, ensure_ascii=False).encode()).hexdigest()


def locked(session: Session, campaign_id: int) -> Campaign:
    """The campaign, locked, its version counted up. Raises CampaignNotFound."""
    campaign = lock(session, Campaign, [campaign_id]).get(campaign_id)
    if campaign is None:
        raise CampaignNotFound()
    campaign.version += 1
    return campaign


def note(
    session: Session,
    campaign: Campaign,
    what: str,
    actor_id: int | None,
    now: datetime,
    facts: dict[str, object],
) -> None:
    """An event of the campaign in the community's book."""
    record_event(
        session,
        community_id=campaign.community_id,
        kind=f"campaign.{what}",
        subject=campaign.public_id,
        actor_id=actor_id,
        now=now,
        facts=facts,
    )


def _holders(
    people: dict[int, int], named: Collection[int], granted: dict[int, int]
) -> dict[int, int]:
    """Who holds a household's credit, by household; `granted`: who holds that of a live grant."""
    holders: dict[int, int] = {}
    for member_id in sorted(set(named)):
        home = people.get(member_id)
        if home is None or home in holders:
            raise NotAHolder(
                "One active person of each household holds its credit.", field="holders"
            )
        if granted.get(home, member_id) != member_id:
            raise NotAHolder(
                "Another person holds what an earlier campaign granted this household: revoke that"
                " first.",
                field="holders",
            )
        holders[home] = member_id
    for home, member_id in sorted(granted.items()):
        if people.get(member_id) == home:
            holders.setdefault(home, member_id)
    for member_id, home in sorted(people.items()):
        holders.setdefault(home, member_id)
    return holders


def _check_line(session: Session, community_id: int, line_id: int | None) -> None:
    if line_id is None:
        return
    line = get_line_by_id(session, line_id)
    if (
        line.community_id != community_id
        or line.group_id is not None
        or line.status is LineStatus.CLOSED
    ):
        raise WrongLine(field="credit_line")


def _inputs(session: Session, campaign: Campaign, homes: Sequence[int]) -> DrawInputs:
    reviewers = session.scalars(
        select(CampaignReviewer).where(CampaignReviewer.campaign_id == campaign.id)
    ).all()
    at_home = {one.member_id: one.household_id for one in reviewers}
    return DrawInputs(
        reviewers=at_home,
        households=tuple(sorted(homes)),
        barred=frozenset(_barred(session, campaign, at_home, frozenset(homes))),
        per_household=queries.rules_of(session, campaign).campaign_reviewers_per_household,
    )


def _barred(
    session: Session, campaign: Campaign, at_home: dict[int, int], homes: frozenset[int]
) -> set[tuple[int, int]]:
    """Whom a reviewer may not look at: kin that are known, and whom they looked at before."""
    people = queries.people_with_a_household(session, campaign.community_id)
    by_home: dict[int, set[int]] = {}
    for member_id, home in people.items():
        by_home.setdefault(home, set()).add(member_id)
    barred: set[tuple[int, int]] = set()
    for one, other in campaign.kin:
        for who, relative in ((one, other), (other, one)):
            # Whoever lives with a relative is one.
            home = people.get(who, at_home.get(who, 0))
            for reviewer in by_home.get(home, set()) | {who}:
                barred.add((reviewer, people.get(relative, 0)))
    # Who was counted in one household before is kin too, both ways.
    for member_id, before in groups.households_counted_in(session, people).items():
        for home in before - {people[member_id]}:
            barred.add((member_id, home))
            barred |= {(other, people[member_id]) for other in by_home.get(home, ())}
    looked = session.execute(
        select(CampaignAssignment.reviewer_id, CampaignAssignment.household_id).where(
            CampaignAssignment.campaign_id == campaign.id
        )
    )
    barred |= {(reviewer_id, home) for reviewer_id, home in looked}
    return {(who, home) for who, home in barred if who in at_home and home in homes}


def _draw_round(
    session: Session,
    campaign: Campaign,
    inputs: DrawInputs,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    number = campaign.round + 1
    places = draw(inputs, seed=f"{outcomes.seed_of(campaign)}:{number}")
    campaign.round = number
    session.add(
        CampaignRound(
            campaign_id=campaign.id,
            number=number,
            inputs=inputs.document(),
            drawn_on=on,
            drawn_by_id=actor_id,
            drawn_at=now,
        )
    )
    session.add_all(
        CampaignAssignment(
            campaign_id=campaign.id,
            round=number,
            reviewer_id=place.reviewer,
            reviewer_household_id=inputs.reviewers[place.reviewer],
            household_id=place.household,
        )
        for place in places
    )
    document = json.dumps(inputs.document(), sort_keys=True)
    note(
        session,
        campaign,
        "drawn",
        actor_id,
        now,
        {
            "on": on.isoformat(),
            "round": number,
            "households": len(inputs.households),
            "places": len(places),
            "inputs_hash": hashlib.sha256(document.encode()).hexdigest(),
        },
    )


def _second_round(
    session: Session,
    campaign: Campaign,
    homes: list[int],
    on: date,
    now: datetime,
    actor_id: int | None,
) -> bool:
    """Draw others for these households, those left out for whom there are none."""
    idle: set[int] = set()
    while homes:
        inputs = _inputs(session, campaign, homes)
        some = {who: home for who, home in inputs.reviewers.items() if who not in idle}
        if not some:
            return False
        try:
            _draw_round(session, campaign, replace(inputs, reviewers=some), on, now, actor_id)
        except DrawImpossible as shortage:
            if shortage.shortage is Shortage.TOO_FEW_HOUSEHOLDS:
                idle.add(shortage.reviewers[0])
            else:
                homes = [home for home in homes if home not in shortage.households]
        else:
            campaign.status = after(campaign.status, Step.DRAW_AGAIN)
            return True
    return False


def _freeze(session: Session, campaign: Campaign, now: datetime, actor_id: int | None) -> None:
    assignments = lock_where(
        session,
        CampaignAssignment,
        (CampaignAssignment.campaign_id == campaign.id)
        & (CampaignAssignment.round == campaign.round),
    )
    homes = members.households_of(session, {one.reviewer_id for one in assignments.values()})
    frozen = []
    for one in assignments.values():
        one.is_closed = True
        # Whoever moved in meanwhile would judge their own.
        moved_in = homes[one.reviewer_id] == one.household_id
        if one.answered_at is None or one.knows is None or one.debts is None or moved_in:
            continue
        frozen.append(
            CampaignAnswer(
                assignment_id=one.id,
                campaign_id=campaign.id,
                round=one.round,
                reviewer_id=one.reviewer_id,
                household_id=one.household_id,
                knows=one.knows,
                reputation=one.reputation,
                debts=one.debts,
                limit_minor=one.limit_minor,
                against=one.against,
                answered_at=one.answered_at,
            )
        )
    session.add_all(frozen)
    session.flush()  # they are read below
    note(
        session,
        campaign,
        "round_closed",
        actor_id,
        now,
        {
            "round": campaign.round,
            "asked": len(assignments),
            "answers": len(frozen),
            "answers_hash": answers_digest(frozen),
        },
    )


def _keep_findings(session: Session, campaign: Campaign, found: Assessed, on: date) -> None:
    for finding in found.findings:
        session.add(
            CampaignFinding(
                campaign_id=campaign.id,
                kind=finding.kind,
                reviewers=list(finding.reviewers),
                rule=finding.rule,
                facts=dict(finding.facts),
                found_on=on,
                needs_decision=finding.kind in TO_DECIDE,
            )
        )


def _no_draw(session: Session, shortage: DrawImpossible) -> NoDraw:
    named = {
        home: members.get_household_by_id(session, home).public_id
        for home in shortage.households[:20]
    }
    text = {
        "too_few_reviewers": "Too few reviewers may look at a household: their own and their kin's"
        " are not for them.",
        "load_not_even": "Some households together have too few reviewers, if nobody is to have"
        " more than one household more than anybody else.",
        "too_few_households": "Some reviewers may look at too few households to have as many as"
        " the others, less one: leave them out.",
    }[shortage.shortage.value]
    return NoDraw(
        f"{text} {shortage.needed} places are needed, {shortage.available} are there.",
        rule="campaign_reviewers_per_household",
        shortage=shortage.shortage.value,
        households=sorted(named.values()),
        needed=shortage.needed,
        available=shortage.available,
    )
