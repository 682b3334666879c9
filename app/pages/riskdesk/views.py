"""What the desk's pages show: the same rows that the API shows, in the reader's language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from flask import url_for
from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from app.auth import caller
from app.pages.charts import Picture, line
from app.pages.layout import date_text, money_text
from app.pages.network import Dot, network
from app.pages.network import Tie as NetworkTie
from app.pages.riskdesk.drawing import Field, Tie, draw_map
from app.pages.words import Words
from app.permissions import Facts, may
from community.communities.models import Community
from community.members.models import Member
from community.money import CURRENCY_EXPONENTS, format_minor
from community.monitoring import queries as monitoring
from community.monitoring.models import CaseStatus, RiskCase, RiskEvent, RiskEventPerson
from community.risk import queries
from community.risk.models import CircleName, RiskCircle, RiskRun
from community.risk.network_map import (
    OTHERS,
    OUTSIDE,
    MapCircle,
    RiskMap,
    binding,
    level_of,
    steps_of,
)
from community.risk.queries import CircleFile
from community.risk.words import say
from community.trust.models import Standing, Vouch

# On the map: so many circles by themselves, and members only where there are few.
DRAWN, NAMED = 30, 120
WEEKS = 26
_CASES = 12
_TIES = 400


@dataclass(frozen=True, slots=True)
class CircleLine:
    """A circle in the ranked list."""

    number: int
    url: str
    rank: int
    kind: str
    level: int
    size: int
    borrowers: int
    exposure_minor: int
    expected_minor: int
    worst_minor: int
    # None: no search of a week before, or the circle was not there.
    change_minor: int | None
    is_new: bool
    reasons: tuple[str, ...]
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MapPage:
    """The risk map."""

    community: Community
    run: RiskRun
    charter_version: int
    picture: Picture | None
    circles: tuple[CircleLine, ...]
    # By level from 4 to 0: above which expected loss it begins.
    legend: tuple[tuple[int, int], ...]
    others: int
    others_expected_minor: int
    others_worst_minor: int
    outside_members: int


def map_page(found: RiskMap, charter_version: int, community: Community, words: Words) -> MapPage:
    """The map as a page."""
    currency = community.currency
    lines = tuple(_circle_line(each, found, currency, words) for each in found.circles)
    low, middle, high = found.steps
    return MapPage(
        community=community,
        run=found.run,
        charter_version=charter_version,
        picture=_map_picture(found, lines, community, words) if lines else None,
        circles=lines,
        legend=((4, high), (3, middle), (2, low), (1, 0)),
        others=found.others,
        others_expected_minor=found.others_expected_minor,
        others_worst_minor=found.others_worst_minor,
        outside_members=found.outside_members,
    )


def circle_label(words: Words, number: int) -> str:
    """What a circle is called."""
    return words("circle_n", number=number)


def _circle_line(each: MapCircle, found: RiskMap, currency: str, words: Words) -> CircleLine:
    circle, before = each.circle, None if each.change is None else each.change.before
    return CircleLine(
        number=each.name.number,
        url=url_for("riskdesk.circle", circle_id=each.name.public_id),
        rank=circle.rank,
        kind=circle.kind.value,
        level=each.level,
        size=circle.size,
        borrowers=circle.borrowers,
        exposure_minor=circle.exposure_minor,
        expected_minor=each.expected_minor,
        worst_minor=each.worst_minor,
        change_minor=None if before is None else each.expected_minor - expected_of(before),
        is_new=each.change is not None and before is None,
        reasons=said(circle.reasons, found.people, currency, words),
        actions=said(circle.actions, found.people, currency, words),
    )


def said(
    facts: Sequence[Mapping[str, object]],
    people: Mapping[int, Member],
    currency: str,
    words: Words,
) -> tuple[str, ...]:
    """Reasons or suggestions as sentences in the reader's language."""
    names = {member_id: member.name for member_id, member in people.items()}
    return tuple(say(fact, currency=currency, names=names)[words.language] for fact in facts)


def expected_of(circle: RiskCircle) -> int:
    """Expected loss, to the pool and to members."""
    return circle.expected_pool_minor + circle.expected_members_minor


def worst_of(circle: RiskCircle) -> int:
    """Loss at worst, to the pool and to members."""
    return circle.worst_pool_minor + circle.worst_members_minor


def _map_picture(
    found: RiskMap, lines: Sequence[CircleLine], community: Community, words: Words
) -> Picture:
    currency = community.currency

    def money(minor: int) -> str:
        return money_text(words.language, minor, currency)

    fields = []
    for each, shown in zip(found.circles, lines, strict=True):
        # Who is in two circles is drawn in both.
        seats = [seat.member_id for seat in each.members]
        fields.append(
            Field(
                key=shown.rank,
                label=circle_label(words, shown.number),
                level_text=words.of("level", shown.level),
                level=shown.level,
                text=words(
                    "circle_text",
                    name=circle_label(words, shown.number),
                    level=words.of("level", shown.level),
                    size=shown.size,
                    expected=money(shown.expected_minor),
                ),
                url=shown.url,
                size=shown.size,
                members=tuple(seats) if found.is_named else (),
            )
        )
    if found.others:
        text = words("other_circles", count=found.others)
        fields.append(Field(OTHERS, text, "", 0, text, size=found.others, is_rest=True))
    if found.outside_members:
        text = words("outside_members", count=found.outside_members)
        fields.append(Field(OUTSIDE, text, "", 0, text, size=found.outside_members, is_rest=True))
    keys = {field.key for field in fields}
    ties = [
        Tie(tie.source, tie.target, max(tie.reserved_minor, tie.amount_minor // 20))
        for tie in sorted(found.ties, key=lambda tie: -tie.reserved_minor)[:_TIES]
        if tie.source in keys and tie.target in keys
    ]
    names = {OUTSIDE: words("outside"), OTHERS: words("others")}
    names |= {line.rank: circle_label(words, line.number) for line in lines}
    rows = [
        (names[tie.source], names[tie.target], tie)
        for tie in found.ties
        if tie.source in names and tie.target in names
    ]
    rows.sort(key=lambda row: (-row[2].reserved_minor, -row[2].amount_minor))
    address = {
        member.id: (
            member.name,
            url_for(
                "riskdesk.call_plan",
                community_id=community.public_id,
                member_id=member.public_id,
            ),
        )
        for member in found.people.values()
    }
    title = words("map_title")
    return Picture(
        svg=draw_map(title, words("map_caption"), fields, ties, found.promises, address),
        title=words("ties_title"),
        caption=words("map_caption"),
        columns=(
            (words("from"), ""),
            (words("to"), ""),
            (words("promises"), "n"),
            (words("promised"), "n"),
            (words("in_use"), "n"),
        ),
        rows=tuple(
            (
                source,
                target,
                str(tie.vouches),
                money(tie.amount_minor),
                money(tie.reserved_minor),
            )
            for source, target, tie in rows[:30]
        ),
        csv_url=url_for("riskdesk.map_csv", community_id=community.public_id),
        can_zoom=True,
    )


@dataclass(frozen=True, slots=True)
class SeatView:
    """A member of a circle."""

    member_id: int
    name: str
    url: str
    standing_minor: int
    owed_minor: int
    guaranteed_minor: int
    contingent_bps: int | None
    worst_paid_minor: int
    is_articulation: bool


@dataclass(frozen=True, slots=True)
class CaseLine:
    """An open case about a member of a circle."""

    url: str
    # Empty: it is about several, or about the community.
    name: str
    severity: str
    due_on: date
    is_late: bool


@dataclass(frozen=True, slots=True)
class CirclePage:
    """A circle."""

    community: Community
    name: CircleName
    label: str
    file: CircleFile
    level: int
    expected_minor: int
    worst_minor: int
    change_minor: int | None
    reasons: tuple[str, ...]
    actions: tuple[tuple[str, str], ...]
    picture: Picture
    seats: tuple[SeatView, ...]
    history: Picture | None
    weeks: tuple[tuple[date, int, int, int, int], ...]
    cases: tuple[CaseLine, ...]
    may_read_cases: bool
    joined: tuple[str, ...]
    left: tuple[str, ...]


def circle_page(
    session: Session, name: CircleName, community: Community, on: date, words: Words
) -> CirclePage:
    """A circle as it was last seen."""
    file = queries.circle_file(session, name)
    currency = community.currency
    label = circle_label(words, name.number)
    top = queries.circles_of(session, file.run, limit=1)
    steps = steps_of(expected_of(top[0][0]) if top else 0)
    before = None if file.change is None else file.change.before
    history = queries.history_of(session, name, limit=WEEKS)
    reads_cases = may("case-queue:read", Facts(path=community.path_ids))
    base = url_for("riskdesk.what_if_form", circle_id=name.public_id)
    return CirclePage(
        community=community,
        name=name,
        label=label,
        file=file,
        level=level_of(expected_of(file.circle), steps),
        expected_minor=expected_of(file.circle),
        worst_minor=worst_of(file.circle),
        change_minor=None if before is None else expected_of(file.circle) - expected_of(before),
        reasons=said(file.circle.reasons, file.people, currency, words),
        actions=tuple(
            (text, base + tried if (tried := _tried(action, file, currency)) else "")
            for text, action in zip(
                said(file.circle.actions, file.people, currency, words),
                file.circle.actions,
                strict=True,
            )
        ),
        picture=_circle_picture(session, file, name, community, on, words),
        seats=_seats(session, file, community),
        history=_history_picture(history, name, community, words),
        weeks=tuple(
            (run.on_day, circle.size, circle.exposure_minor, expected_of(circle), worst_of(circle))
            for run, circle in history
        ),
        cases=_cases(session, file, on) if reads_cases else (),
        may_read_cases=reads_cases,
        joined=_names(file, () if file.change is None else file.change.joined),
        left=_names(file, () if file.change is None else file.change.left),
    )


def _tried(action: Mapping[str, object], file: CircleFile, currency: str) -> str:
    """The query that supposes a suggestion in the what-if form; none for what it cannot take."""
    code, amount = action["code"], int(str(action["amount_minor"]))
    if code == "replace_vouch":
        return f"?ask=1&replace={action['vouch']}"
    if code == "lock_stake":
        member = file.people[int(str(action["member_id"]))]
        return f"?ask=1&lock.{member.public_id}={format_minor(amount, currency)}"
    return ""


def _names(file: CircleFile, ids: Sequence[int]) -> tuple[str, ...]:
    return tuple(file.people[member].name for member in ids)


def _seats(session: Session, file: CircleFile, community: Community) -> tuple[SeatView, ...]:
    ids = [seat.member_id for seat in file.members]
    standings = {
        member: stake + assessed
        for member, stake, assessed in session.execute(
            select(Standing.member_id, Standing.stake_minor, Standing.assessed_minor).where(
                Standing.community_id == community.id, Standing.member_id.in_(ids)
            )
        )
    }
    return tuple(
        SeatView(
            seat.member_id,
            file.people[seat.member_id].name,
            url_for(
                "riskdesk.call_plan",
                community_id=community.public_id,
                member_id=file.people[seat.member_id].public_id,
            ),
            standings.get(seat.member_id, 0),
            seat.owed_minor,
            seat.guaranteed_minor,
            seat.contingent_bps,
            seat.worst_paid_minor,
            seat.is_articulation,
        )
        for seat in file.members
    )


def promises_within(
    session: Session, file: CircleFile, community: Community, on: date, *, most: int | None = None
) -> Sequence[Row[int, int, int, int]]:
    """Who promised whom how much within a circle, and what of it is in use; the most used first."""
    ids = [seat.member_id for seat in file.members]
    binds, amount = binding(on)
    return session.execute(
        select(Vouch.voucher_id, Vouch.borrower_id, amount, Vouch.reserved_minor)
        .where(
            Vouch.community_id == community.id,
            binds,
            Vouch.voucher_id.in_(ids),
            Vouch.borrower_id.in_(ids),
        )
        .order_by(Vouch.reserved_minor.desc(), Vouch.id)
        .limit(most)
    ).all()


def _circle_picture(
    session: Session,
    file: CircleFile,
    name: CircleName,
    community: Community,
    on: date,
    words: Words,
) -> Picture:
    promised = promises_within(session, file, community, on, most=_TIES)
    most = max((seat.worst_paid_minor for seat in file.members), default=0)
    currency = community.currency
    dots = []
    for seat in file.members:
        member = file.people[seat.member_id]
        # Coloured by what they would pay at worst, as part of what the most burdened would.
        level = level_of(seat.worst_paid_minor, steps_of(most))
        dots.append(
            Dot(
                key=member.public_id,
                label=member.name,
                url=url_for(
                    "riskdesk.call_plan",
                    community_id=community.public_id,
                    member_id=member.public_id,
                ),
                level=level,
                size=seat.worst_paid_minor / most if most else 0.2,
                text=words(
                    "member_text",
                    name=member.name,
                    paid=money_text(words.language, seat.worst_paid_minor, currency),
                ),
            )
        )
    return network(
        words("promises_within"),
        dots,
        [
            NetworkTie(
                file.people[giver].public_id,
                file.people[taker].public_id,
                float(max(reserved, 1)),
            )
            for giver, taker, _, reserved in promised
        ],
        columns=(
            (words("from"), ""),
            (words("to"), ""),
            (words("promised"), "n"),
            (words("in_use"), "n"),
        ),
        rows=tuple(
            (
                file.people[giver].name,
                file.people[taker].name,
                money_text(words.language, int(total), currency),
                money_text(words.language, reserved, currency),
            )
            for giver, taker, total, reserved in promised[:60]
        ),
        caption=words("promises_caption"),
    ).with_csv(url_for("riskdesk.promises_csv", circle_id=name.public_id))


def _history_picture(
    history: Sequence[tuple[RiskRun, RiskCircle]],
    name: CircleName,
    community: Community,
    words: Words,
) -> Picture | None:
    if len(history) < 2:
        return None
    unit = 10 ** CURRENCY_EXPONENTS[community.currency]
    drawn = line(
        words("expected_by_week"),
        [
            (date_text(words.language, run.on_day), expected_of(circle) / unit)
            for run, circle in reversed(history)
        ],
        columns=(words("week"), words("expected")),
        text=lambda value: money_text(words.language, round(value * unit), community.currency),
    )
    return drawn.with_csv(url_for("riskdesk.history_csv", circle_id=name.public_id))


def _cases(session: Session, file: CircleFile, on: date) -> tuple[CaseLine, ...]:
    ids = [seat.member_id for seat in file.members]
    query = (
        monitoring.list_cases(
            file.run.community_id, reader_id=caller().member_id, status=CaseStatus.OPEN
        )
        .where(
            or_(
                RiskCase.member_id.in_(ids),
                # What is about several people, some of them in the circle.
                RiskCase.id.in_(
                    select(RiskEvent.case_id)
                    .join(RiskEventPerson, RiskEventPerson.event_id == RiskEvent.id)
                    .where(RiskEventPerson.member_id.in_(ids))
                ),
            )
        )
        .order_by(RiskCase.due_on, RiskCase.list_key)
        .limit(_CASES)
    )
    return tuple(
        CaseLine(
            url_for("riskdesk.case", case_id=case.public_id),
            "" if case.member_id is None else file.people[case.member_id].name,
            case.severity.value,
            case.due_on,
            case.due_on < on,
        )
        for case in session.scalars(query)
    )
