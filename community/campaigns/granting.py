"""Granting what a campaign proposed, household by household; revoking it; letting it expire.

Each household is a unit of work of its own: a run that is killed half-way is simply run again, and
what is left is granted with the same amounts and the same last day.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.arithmetic.calendar import add_months
from community.campaigns import queries
from community.campaigns.deciding import check_not_own
from community.campaigns.errors import (
    CampaignHouseholdNotFound,
    CampaignUnfinished,
    GrantNotLive,
    NotInPeriod,
)
from community.campaigns.models import (
    Campaign,
    CampaignHousehold,
    CampaignObjection,
    HouseholdStatus,
    ObjectionStatus,
)
from community.campaigns.service import locked, note
from community.campaigns.states import Step, after, moved
from community.communities import queries as communities
from community.communities.errors import NotAMember
from community.errors import CommunityError
from community.ledger.events import record_event
from community.lines import service as lines
from community.lines.models import LineStatus
from community.lines.queries import find_share, get_line_by_id
from community.locks import lock, lock_one
from community.members import queries as members
from community.money import Money, format_minor
from community.trust.models import Assessment, AssessmentKind
from community.trust.standings import end_assessment, grant_assessment

_CAMPAIGN_ENDED = "the campaign's grant ended"


@dataclass(frozen=True, slots=True)
class Left:
    """What a run left ungranted: how many households, by the code of what hindered them."""

    households: int
    hindrances: dict[str, int]


def begin_granting(
    session: Session, *, campaign_id: int, on: date, now: datetime, actor_id: int | None
) -> Campaign:
    """Begin the run, or take it up again, once the objection period is over and all is answered.

    Until when grants run is settled the first time. Locks the campaign. Raises NotInPeriod,
    CampaignUnfinished.
    """
    campaign = locked(session, campaign_id)
    to = after(campaign.status, Step.BEGIN_GRANTING)
    if campaign.objections_until_on is None or on <= campaign.objections_until_on:
        raise NotInPeriod(
            "Objections can still be raised.",
            until_on=campaign.objections_until_on and campaign.objections_until_on.isoformat(),
        )
    waiting = session.scalars(
        select(CampaignObjection.public_id)
        .join(CampaignHousehold, CampaignHousehold.id == CampaignObjection.campaign_household_id)
        .where(
            CampaignHousehold.campaign_id == campaign.id,
            CampaignObjection.status == ObjectionStatus.OPEN,
        )
    ).all()
    if waiting:
        raise CampaignUnfinished(
            f"{len(waiting)} objections wait for an answer.", objections=sorted(waiting)[:20]
        )
    if campaign.grants_until_on is None:
        rules = queries.rules_of(session, campaign)
        today = communities.charter_on(session, campaign.community_id, on).rules
        campaign.granting_on = on
        # No assessment may run longer than a promise.
        campaign.grants_until_on = min(
            add_months(on, rules.campaign_expiry_months), on + timedelta(days=today.vouch_days_max)
        )
        note(
            session,
            campaign,
            "granting",
            actor_id,
            now,
            {"on": on.isoformat(), "grants_until_on": campaign.grants_until_on.isoformat()},
        )
    campaign.status = to
    return campaign


def next_to_grant(session: Session, *, campaign_id: int, after_id: int) -> int | None:
    """The next household that waits for its grant, up the ids."""
    return session.scalar(
        select(CampaignHousehold.id)
        .where(
            CampaignHousehold.campaign_id == campaign_id,
            CampaignHousehold.status == HouseholdStatus.PROPOSED,
            CampaignHousehold.id > after_id,
        )
        .order_by(CampaignHousehold.id)
        .limit(1)
    )


def grant(
    session: Session, *, row_id: int, on: date, now: datetime, actor_id: int
) -> CampaignHousehold:
    """Grant one household's assessed standing to its holder, and the sub-limit on the line.

    It replaces what an earlier campaign granted the household. Done already, it does nothing.
    Locks the household, then what the grant touches. Raises what `grant_assessment` and
    `change_sub_limit` raise, and OwnCampaignMatter: such a household is left for another run.
    """
    found = session.get(CampaignHousehold, row_id)
    if found is None:
        raise CampaignHouseholdNotFound()
    campaign = queries.get_campaign_by_id(session, found.campaign_id)
    earlier = queries.live_grants_of(
        session, community_id=campaign.community_id, household_id=found.household_id
    )
    rows = lock(session, CampaignHousehold, [row_id, *earlier])
    row = rows.pop(row_id)
    after(campaign.status, Step.GRANT)
    if row.status is not HouseholdStatus.PROPOSED:
        return row
    assert campaign.grants_until_on is not None
    check_not_own(session, actor_id, {row.household_id})
    amount = Money(row.amount_minor, campaign.currency)
    communities.require_active(
        session, community_id=campaign.community_id, member_id=row.holder_id, hold=True
    )
    # What an earlier campaign granted gives way: its last day then takes nothing away.
    for other in rows.values():
        other.version += 1
        reason = f"replaced by {campaign.public_id}"
        _end(session, other, HouseholdStatus.EXPIRED, reason, now, actor_id)
    granted = grant_assessment(
        session,
        community_id=campaign.community_id,
        member_id=row.holder_id,
        kind=AssessmentKind.STANDING,
        amount=amount,
        evidence=_evidence(session, campaign, row),
        expires_on=campaign.grants_until_on,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    if campaign.line_id is not None:
        lines.change_sub_limit(
            session,
            line_id=campaign.line_id,
            member_id=row.holder_id,
            limit=amount,
            reason=f"whole-village credit 整村授信 {campaign.public_id}",
            no_new_draws_until_below=True,
            on=on,
            now=now,
            actor_id=actor_id,
        )
    row.status = moved(row.status, HouseholdStatus.GRANTED)
    row.assessment_id, row.granted_on = granted.id, on
    row.expires_on, row.hindrance = campaign.grants_until_on, None
    row.version += 1
    note(
        session,
        campaign,
        "household_granted",
        actor_id,
        now,
        {
            "household": row.public_id,
            "holder": members.get_member_by_id(session, row.holder_id).public_id,
            "amount_minor": row.amount_minor,
            "assessment": granted.public_id,
            "expires_on": campaign.grants_until_on.isoformat(),
            "on": on.isoformat(),
        },
    )
    return row


def note_hindrance(
    session: Session, *, row_id: int, refusal: CommunityError, now: datetime, actor_id: int
) -> CampaignHousehold:
    """Remember why a household could not be granted; who has left the village, lapses."""
    row = lock_one(session, CampaignHousehold, row_id)
    if row.status is not HouseholdStatus.PROPOSED:
        return row
    row.hindrance = refusal.code
    row.version += 1
    if isinstance(refusal, NotAMember):
        _end(session, row, HouseholdStatus.LAPSED, refusal.detail, now, actor_id)
    return row


def finish(
    session: Session, *, campaign_id: int, on: date, now: datetime, actor_id: int | None
) -> Left:
    """End the run: granted, if no household is left. Locks the campaign."""
    campaign = locked(session, campaign_id)
    after(campaign.status, Step.FINISH)
    rows = session.execute(
        select(func.coalesce(CampaignHousehold.hindrance, "not-tried"), func.count())
        .where(
            CampaignHousehold.campaign_id == campaign.id,
            CampaignHousehold.status == HouseholdStatus.PROPOSED,
        )
        .group_by(CampaignHousehold.hindrance)
    )
    left = {row[0]: row[1] for row in rows}
    if not left:
        campaign.status = after(campaign.status, Step.FINISH)
        board = queries.board_of(session, campaign.id)
        note(
            session,
            campaign,
            "granted",
            actor_id,
            now,
            {
                "on": on.isoformat(),
                "households": board.granted,
                "granted_minor": board.granted_minor,
            },
        )
    return Left(sum(left.values()), left)


def revoke(
    session: Session,
    *,
    row_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int,
) -> CampaignHousehold:
    """Take back what a household was granted; one that still waits for its grant is refused it.

    The standing backs nothing new. Loans that rest on it keep it until they are repaid (law 2), and
    what is drawn on the line runs on. Locks the household, then the assessment, the standing and
    the line. Raises GrantNotLive, OwnCampaignMatter.
    """
    row = lock(session, CampaignHousehold, [row_id]).get(row_id)
    if row is None:
        raise CampaignHouseholdNotFound()
    campaign = queries.get_campaign_by_id(session, row.campaign_id)
    after(campaign.status, Step.REVOKE)
    check_not_own(session, actor_id, {row.household_id})
    row.version += 1
    if row.status is HouseholdStatus.PROPOSED:
        _end(session, row, HouseholdStatus.REFUSED, reason, now, actor_id)
        return row
    if row.status is not HouseholdStatus.GRANTED or row.assessment_id is None:
        raise GrantNotLive(state=row.status.value)
    grant_row = lock_one(session, Assessment, row.assessment_id)
    # Another grant may have replaced it.
    if grant_row.ended_at is None:
        end_assessment(session, assessment_id=row.assessment_id, on=on, now=now, actor_id=actor_id)
    _end_sub_limit(session, campaign, row, reason, on, now, actor_id)
    row.revoked_on, row.revoked_reason = on, reason
    _end(session, row, HouseholdStatus.REVOKED, reason, now, actor_id)
    return row


def expire_grants(
    session: Session, *, community_id: int, on: date, now: datetime, after_id: int, limit: int
) -> list[int]:
    """End the sub-limits of grants whose last day is over; returns the rows, up their ids.

    The standing backs nothing new from that day whether or not this has run. A sub-limit that an
    officer has changed since is theirs, and stays.
    """
    ids = queries.live_grant_ids(
        session, community_id=community_id, before=on, after_id=after_id, limit=limit
    )
    for row in lock(session, CampaignHousehold, ids).values():
        if row.status is not HouseholdStatus.GRANTED or row.expires_on is None:
            continue
        if row.expires_on >= on:
            continue
        campaign = queries.get_campaign_by_id(session, row.campaign_id)
        share = (
            None
            if campaign.line_id is None
            else find_share(session, line_id=campaign.line_id, member_id=row.holder_id)
        )
        if share is not None and share.limit_minor == row.amount_minor:
            _end_sub_limit(session, campaign, row, _CAMPAIGN_ENDED, on, now, None)
        row.version += 1
        _end(session, row, HouseholdStatus.EXPIRED, _CAMPAIGN_ENDED, now, None)
    return ids


def cancel(
    session: Session,
    *,
    campaign_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Campaign:
    """Give a campaign up before anything is granted. Locks the campaign."""
    campaign = locked(session, campaign_id)
    campaign.status = after(campaign.status, Step.CANCEL)
    note(
        session,
        campaign,
        "cancelled",
        actor_id,
        now,
        {"on": on.isoformat(), "reason": reason},
    )
    return campaign


def _end(
    session: Session,
    row: CampaignHousehold,
    to: HouseholdStatus,
    reason: str,
    now: datetime,
    actor_id: int | None,
) -> None:
    if to in (HouseholdStatus.LAPSED, HouseholdStatus.REFUSED):
        row.amount_minor = 0
    row.status = moved(row.status, to)
    campaign = queries.get_campaign_by_id(session, row.campaign_id)
    record_event(
        session,
        community_id=campaign.community_id,
        kind=f"campaign.household_{to.value}",
        subject=campaign.public_id,
        actor_id=actor_id,
        now=now,
        facts={"household": row.public_id, "reason": reason, "amount_minor": row.amount_minor},
    )


def _end_sub_limit(
    session: Session,
    campaign: Campaign,
    row: CampaignHousehold,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    if campaign.line_id is None:
        return
    line = get_line_by_id(session, campaign.line_id)
    share = find_share(session, line_id=line.id, member_id=row.holder_id)
    if line.status is LineStatus.CLOSED or share is None or share.limit_minor == 0:
        return
    lines.change_sub_limit(
        session,
        line_id=line.id,
        member_id=row.holder_id,
        limit=Money(0, campaign.currency),
        reason=f"{reason} ({campaign.public_id})"[:500],
        no_new_draws_until_below=True,
        on=on,
        now=now,
        actor_id=actor_id,
    )


def _evidence(session: Session, campaign: Campaign, row: CampaignHousehold) -> str:
    centre = row.grounds.get("centre_minor")
    said = "none" if centre is None else format_minor(centre, campaign.currency)
    version = queries.charter_of(session, campaign).version
    return (
        f"whole-village credit 整村授信 {campaign.public_id}: {row.grounds.get('known', 0)} who"
        f" know the household, centre {said}, charter version {version}, {row.public_id}"
    )
