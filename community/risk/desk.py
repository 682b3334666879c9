"""The desk's part of the day: the night's search, and its findings as events and cases.

The search locks the community and then its book; cases lock members first. So they are two units
of work, and a search whose findings were not told yet is told by the next one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules, RiskRule
from community.monitoring.cases import Raised, raise_events, switched_on
from community.monitoring.models import RiskCase, RiskEvent, RiskEventPerson
from community.monitoring.signals import Looking, Signal, find_signals
from community.risk.models import RiskRun
from community.risk.service import find_circles, last_run
from community.risk.signals import DESK_FINDERS

# Those whose people change from day to day: they are followed by whom they have in common.
_FOLLOWED = (RiskRule.INVENTED_RING, RiskRule.UNUSUAL_PATTERN)
_WHOLE = 10_000


def search_due(session: Session, *, community_id: int, on: date, now: datetime) -> RiskRun | None:
    """Search a community for circles if the charter's days since the last search are over."""
    if communities.find_charter(session, community_id, on) is None:
        return None
    rules = communities.charter_on(session, community_id, on).rules
    last = last_run(session, community_id)
    if last is not None and (on - last.on_day).days < rules.risk_search_days:
        return None
    return find_circles(session, community_id=community_id, on=on, now=now, actor_id=None)


def watch_desk(
    session: Session, *, community_id: int, on: date, now: datetime, limit: int | None = None
) -> Raised:
    """What the desk finds becomes events, and cases by subject; at most `limit` of them now.

    Repeatable: what was told is told again only where it has grown by the charter's share.
    Locks the members concerned, the community and the cases.
    """
    if communities.find_charter(session, community_id, on) is None:
        return Raised()
    charter = communities.charter_on(session, community_id, on)
    community = communities.get_community_by_id(session, community_id)
    looking = Looking(session, community, charter.rules, on, today=True)
    rules = switched_on(charter.rules) & DESK_FINDERS.keys()
    signals = find_signals(looking, rules, DESK_FINDERS)
    if not signals:
        return Raised()
    return raise_events(
        session,
        community_id=community_id,
        signals=list(_news(session, community_id, signals, charter.rules)),
        charter=charter,
        on=on,
        now=now,
        limit=limit,
    )


@dataclass(slots=True)
class _Told:
    """What was told of one ring or pyramid: who was in it, each time."""

    people: list[set[int]] = field(default_factory=list)

    def shared(self, people: set[int]) -> int:
        """How many it has in common with others, where that is most of either."""
        shared = [
            len(before & people)
            for before in self.people
            if 2 * len(before & people) > min(len(before), len(people))
        ]
        return max(shared, default=0)


def _news(
    session: Session, community_id: int, signals: Iterable[Signal], rules: CharterRules
) -> Iterator[Signal]:
    """Signals with rings and pyramids under the subject that they were told under before.

    One that has not grown by `risk_grown_bps` since is no news.
    """
    told = _told(session, community_id)
    for signal in signals:
        if signal.rule not in _FOLLOWED:
            yield signal
            continue
        people = set(signal.people)
        shared, subject = max(
            ((one.shared(people), name) for name, one in told[signal.rule].items()),
            # Of two with as many, the one that was told first.
            key=lambda known: known[0],
            default=(0, ""),
        )
        if not shared:
            yield signal
            continue
        largest = max(map(len, told[signal.rule][subject].people))
        if len(people) * _WHOLE >= largest * (_WHOLE + rules.risk_grown_bps):
            yield replace(
                signal, subject=subject, finding=f"{subject}/{len(people)}", worse=signal.worse + 1
            )


def _told(session: Session, community_id: int) -> dict[RiskRule, dict[str, _Told]]:
    rows = session.execute(
        select(RiskEvent.id, RiskEvent.rule, RiskCase.subject, RiskEventPerson.member_id)
        .join(RiskCase, RiskCase.id == RiskEvent.case_id)
        .join(RiskEventPerson, RiskEventPerson.event_id == RiskEvent.id)
        .where(RiskEvent.community_id == community_id, RiskEvent.rule.in_(_FOLLOWED))
        .order_by(RiskEvent.id)
    ).all()
    people: dict[int, set[int]] = defaultdict(set)
    for event_id, *_, member_id in rows:
        people[event_id].add(member_id)
    found: dict[RiskRule, dict[str, _Told]] = {rule: {} for rule in _FOLLOWED}
    seen: set[int] = set()
    for event_id, rule, subject, _ in rows:
        if subject is not None and event_id not in seen:
            seen.add(event_id)
            found[rule].setdefault(subject, _Told()).people.append(people[event_id])
    return found
