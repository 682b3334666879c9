"""The newcomer gate: what admission and first promises look like, and what the charter does then.

A warning goes to officers only: as an event of the rule `newcomer` and a case under the newcomer's
own subject, which they do not see. Where the charter says `hold`, it waits until that case is
closed as a false alarm, or as put right.

- **Admission**: somebody of no known household, when so many are here already whom nobody knows.
- **First promise**, given or taken: between two who are both hardly known. A newcomer's first
  promise is with somebody who is known; invented members have each other.

Where nobody is known yet, as in a community's first days, nobody can be asked to be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules, GateWay, RiskRule
from community.members.models import Member
from community.monitoring.cases import raise_events
from community.monitoring.models import CaseOutcome, RiskCase, RiskEvent
from community.monitoring.signals import Signal
from community.risk.alarms import Alarm, AlarmKind, Standpoint, stand_of
from community.trust.models import Vouch, VouchKind, VouchSide, VouchStatus

# An officer has looked, and it may go on.
_CLEARED = (CaseOutcome.FALSE_ALARM, CaseOutcome.RESOLVED)


class Stage(StrEnum):
    """At which door somebody stands."""

    ADMISSION = "admission"
    FIRST_VOUCH = "first_vouch"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Somebody at a door of whom officers have to know, and whether they have to wait there."""

    stage: Stage
    community_id: int
    alarm: Alarm
    finding: str
    subject: str
    is_held: bool


def at_admission(
    session: Session, *, community_id: int, member_id: int, on: date
) -> list[Suspicion]:
    """What an officer has to know before they take somebody in. Reads only. Raises NoCharter."""
    rules = communities.charter_on(session, community_id, on).rules
    if rules.gate_admission is GateWay.OFF:
        return []
    here = stand_of(session, community_id=community_id, on=on, rules=rules)
    if not here.known or _has_known_household(session, here, member_id):
        return []
    crowd = [
        other
        for other in here.hardly_known
        if other != member_id and not _has_known_household(session, here, other)
    ]
    if len(crowd) + 1 < rules.gate_crowd_min:
        return []
    facts = {
        "code": "crowd",
        "unknown": len(crowd) + 1,
        "days": rules.newcomer_days,
        "crowd_min": rules.gate_crowd_min,
    }
    alarm = Alarm(AlarmKind.NEWCOMER, (member_id,), facts)
    return [_suspicion(session, Stage.ADMISSION, community_id, alarm, rules.gate_admission)]


def at_first_vouch(
    session: Session, *, community_id: int, voucher_id: int, borrower_id: int, on: date
) -> list[Suspicion]:
    """What officers have to know of a promise that is the first that somebody gives, or takes.

    Reads only. Raises NoCharter.
    """
    rules = communities.charter_on(session, community_id, on).rules
    if rules.gate_first_vouch is GateWay.OFF:
        return []
    first = [
        member_id
        for member_id, side in (
            (voucher_id, Vouch.voucher_id),
            (borrower_id, Vouch.borrower_id),
        )
        if not session.scalar(
            select(func.count())
            .select_from(Vouch)
            .where(
                Vouch.community_id == community_id,
                side == member_id,
                Vouch.kind == VouchKind.PERSONAL,
                Vouch.accepted_at.is_not(None),
            )
        )
    ]
    if not first:
        return []
    here = stand_of(session, community_id=community_id, on=on, rules=rules)
    if not here.known or not {voucher_id, borrower_id} <= here.hardly_known.keys():
        return []
    return [
        _suspicion(
            session,
            Stage.FIRST_VOUCH,
            community_id,
            _first_vouch(session, member_id, {voucher_id, borrower_id}, here, rules),
            rules.gate_first_vouch,
        )
        for member_id in sorted(first)
    ]


def offer_to_meet(
    session: Session, *, community_id: int, voucher_id: int, borrower_id: int, side: VouchSide
) -> bool:
    """Whether an offer of this side meets one of the other, and so becomes a promise."""
    found = session.scalar(
        select(Vouch.id).where(
            Vouch.community_id == community_id,
            Vouch.voucher_id == voucher_id,
            Vouch.borrower_id == borrower_id,
            Vouch.status == VouchStatus.OFFERED,
            Vouch.offered_by != side,
        )
    )
    return found is not None


def tell(session: Session, *, suspicions: Sequence[Suspicion], on: date, now: datetime) -> None:
    """Suspicions become events and cases, once each, if the charter has the rule `newcomer` on.

    Locks the members, the community and the cases. Raises NoCharter.
    """
    for community_id in sorted({one.community_id for one in suspicions}):
        raise_events(
            session,
            community_id=community_id,
            signals=[
                Signal(
                    RiskRule.NEWCOMER,
                    on,
                    one.finding,
                    facts={"stage": one.stage.value, **one.alarm.facts},
                    subject=one.subject,
                    people=one.alarm.member_ids,
                )
                for one in suspicions
                if one.community_id == community_id
            ],
            charter=communities.charter_on(session, community_id, on),
            on=on,
            now=now,
        )


def case_of(session: Session, suspicion: Suspicion) -> RiskCase | None:
    """The case in which a suspicion was told; None: the charter has the rule off."""
    return session.scalar(
        select(RiskCase)
        .join(RiskEvent, RiskEvent.case_id == RiskCase.id)
        .where(
            RiskEvent.community_id == suspicion.community_id,
            RiskEvent.rule == RiskRule.NEWCOMER,
            RiskEvent.finding == suspicion.finding,
        )
    )


def _suspicion(
    session: Session, stage: Stage, community_id: int, alarm: Alarm, way: GateWay
) -> Suspicion:
    member = session.get_one(Member, alarm.member_ids[0])
    one = Suspicion(
        stage,
        community_id,
        alarm,
        f"{stage.value}/{member.public_id}",
        f"newcomer/{member.public_id}",
        is_held=False,
    )
    if way is not GateWay.HOLD:
        return one
    case = case_of(session, one)
    if case is not None and case.outcome in _CLEARED:
        return one
    return Suspicion(stage, community_id, alarm, one.finding, one.subject, is_held=True)


def _first_vouch(
    session: Session, member_id: int, pair: set[int], here: Standpoint, rules: CharterRules
) -> Alarm:
    [other_id] = pair - {member_id}
    newcomer, other = here.hardly_known[member_id], here.hardly_known[other_id]
    facts = {
        "code": "first_vouch",
        "joined_on": newcomer.joined_on.isoformat(),
        "other_joined_on": other.joined_on.isoformat(),
        "trust_bps": newcomer.trust_bps,
        "limit_bps": rules.newcomer_trust_bps,
        "ties": newcomer.ties,
        "ties_to_known": newcomer.ties_to_known,
        "other": session.get_one(Member, other_id).public_id,
    }
    return Alarm(AlarmKind.NEWCOMER, (member_id, other_id), facts)


def _has_known_household(session: Session, here: Standpoint, member_id: int) -> bool:
    home = session.get_one(Member, member_id).household_id
    if home is None:
        return False
    mates = session.scalars(select(Member.id).where(Member.household_id == home))
    return bool(here.known & set(mates))
