"""The township, its villages, a trade, a circle of savers; charters, products, money to lend."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.demo.cast import (
    AUDITOR,
    CIRCLE,
    COOPERATIVE,
    CURRENCY,
    MONTHLY_PRODUCT,
    OPERATOR,
    TRADE,
    YUAN,
    Neighbour,
    Place,
    Play,
    yuan,
)
from app.demo.people import Village
from app.demo.registers import bring_people
from app.demo.seasons import crop_years
from app.demo.stories import scaled
from community.communities import service as communities
from community.communities import templates
from community.communities.models import CommunityKind
from community.credit import service as credit
from community.members import service as members
from community.members.models import Member, MemberKind
from community.members.principal import Role
from community.products import service as products

_ADULT = 18

_MONTHLY: dict[str, Any] = {
    "currency": CURRENCY,
    "principal_minor_min": 500 * YUAN,
    "principal_minor_max": 50_000 * YUAN,
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 84_000,
    "day_count": "30/360",
    "period_unit": "month",
    "period_length": 1,
    "instalments_min": 3,
    "instalments_max": 24,
    "instalment_multiple_minor": 1,
    "allocation_order": ["interest", "principal"],
    "cover_ratio_bps": 10_000,
    "liability_mode": "joint_and_several",
}
_SEASONAL = _MONTHLY | {
    "amortisation": "seasonal",
    "yearly_rate_ppm": 72_000,
    "day_count": "actual/365",
    "instalments_min": 1,
    "instalments_max": 4,
    "liability_mode": "several",
}
_GREENHOUSE = _MONTHLY | {
    "principal_minor_min": 5_000 * YUAN,
    "principal_minor_max": 200_000 * YUAN,
    "yearly_rate_ppm": 90_000,
    "liability_mode": "several",
}
_SISTERS = _MONTHLY | {
    "principal_minor_min": 100 * YUAN,
    "principal_minor_max": 5_000 * YUAN,
    "yearly_rate_ppm": 60_000,
    "cover_ratio_bps": 5_000,
    "liability_mode": "pledge_only",
}
_FIRMS = ("绿源家庭农场", "晨露蔬菜育苗场", "北坡温室合作经营部")
# What the lender puts into the pool for each member, in yuan.
_POOL = {TRADE: 30_000, CIRCLE: 1_200}
_POOL_OF_VILLAGE = 4_500
# So little at first that a loan fails beyond it.
_FIRST_RESERVE = 600


def found_township(play: Play) -> None:
    """The people who run it all, the cooperative, the township and its charter."""
    play.do(_found_township, play=play)


def _found_township(session: Session, play: Play) -> None:
    now = play.life.now
    operator, auditor, cooperative = (
        members.register_member(session, kind=kind, name=name, reference=reference, now=now)
        for kind, name, reference in (
            (MemberKind.PERSON, "沈静（平台运营）", OPERATOR),
            (MemberKind.PERSON, "顾明远（审计）", AUDITOR),
            (MemberKind.ENTERPRISE, "青禾乡农民专业合作社", COOPERATIVE),
        )
    )
    play.operator_id, play.cooperative_id = operator.id, cooperative.id
    play.township_id = _found(session, play, "township", CommunityKind.REGION, "青禾乡")
    _adopt(session, play, play.township_id, "village-cooperative", "青禾乡社员代表大会决议")
    for member_id, role, community_id in (
        (operator.id, Role.OPERATOR, None),
        (auditor.id, Role.AUDITOR, None),
        (cooperative.id, Role.OFFICER, play.township_id),
    ):
        members.grant_role(
            session, member_id=member_id, role=role, community_id=community_id, now=now
        )
    facts = {"community_id": play.township_id, "member_id": cooperative.id, **play.today()}
    communities.apply_for_membership(session, **facts, actor_id=cooperative.id)
    communities.activate_membership(session, **facts, actor_id=operator.id)


def found_village(play: Play, village: Village) -> None:
    """A village of the township; its register of people is brought in on the same day."""
    reference = f"demo-{village.code}"
    community_id = play.do(
        _found,
        play=play,
        key=village.code,
        kind=CommunityKind.REGION,
        name=village.name,
        parent_id=play.township_id,
    )
    rows: list[tuple[Any, ...]] = []
    insiders: list[tuple[str, str, bool, bool]] = []
    for home in village.homes:
        household = f"{reference}-{home.number:03d}"
        for number, person in enumerate(home.people, start=1):
            adult = play.on.year - person.birth_year > _ADULT
            joins = number == 1 or (adult and play.draw.random() < 0.45)
            place = (reference, "active", play.on) if joins else ("", "", "")
            member = f"{household}-{number}"
            rows.append((member, "person", person.name, household, person.birth_year, *place))
            if joins:
                insiders.append((member, household, person.woman, number == 1))
    bring_people(play, rows)
    ids = play.do(_ids_of, references=[row[0] for row in insiders])
    people = [
        Neighbour(ids[member], member, household, woman=woman, head=head)
        for member, household, woman, head in insiders
    ]
    _settle(play, Place(village.code, community_id, people[0], people))


def found_trade(play: Play) -> None:
    """Vegetable growers of all villages, and three firms."""
    heads = [
        person
        for place in play.villages()
        for person in place.people
        if person.head and person is not place.officer
    ]
    count = min(len(heads), scaled(16, play.size.households) + 5)
    _found_across(
        play,
        TRADE,
        CommunityKind.INDUSTRY,
        "青禾设施蔬菜种植协会",
        "trade-association",
        play.draw.sample(heads, count),
        _FIRMS,
    )


def found_circle(play: Play) -> None:
    """Women who save together."""
    women = [person for place in play.villages() for person in place.people if person.woman]
    count = min(len(women), scaled(36, play.size.households) + 9)
    _found_across(
        play,
        CIRCLE,
        CommunityKind.INTEREST,
        "月亮湾妇女互助储蓄会",
        "savers-circle",
        play.draw.sample(women, count),
        (),
    )


def _found_across(
    play: Play,
    key: str,
    kind: CommunityKind,
    name: str,
    template: str,
    people: Sequence[Neighbour],
    firms: Sequence[str],
) -> None:
    """A community of its own charter whose members live in several villages."""
    reference = f"demo-{key}"
    community_id = play.do(_found, play=play, key=key, kind=kind, name=name, template=template)
    names = play.do(_names_of, ids=[person.member_id for person in people])
    place = (reference, "active", play.on)
    rows: list[tuple[Any, ...]] = [
        (person.reference, "person", names[person.member_id], "", "", *place) for person in people
    ]
    rows += [
        (f"{reference}-firm-{number}", "enterprise", firm, "", "", *place)
        for number, firm in enumerate(firms, start=1)
    ]
    bring_people(play, rows)
    ids = play.do(_ids_of, references=[row[0] for row in rows])
    joined = [
        Neighbour(ids[person.reference], person.reference, person.home, person.woman, person.head)
        for person in people
    ]
    joined += [Neighbour(ids[row[0]], row[0], row[0]) for row in rows[len(people) :]]
    _settle(play, Place(key, community_id, joined[0], joined))


def _settle(play: Play, place: Place) -> None:
    """Its first member keeps the till and the minutes."""
    play.do(
        members.grant_role,
        member_id=place.officer.member_id,
        role=Role.OFFICER,
        community_id=place.community_id,
        now=play.life.now,
        actor_id=play.operator_id,
    )
    play.places[place.key] = place


def _found(
    session: Session,
    play: Play,
    key: str,
    kind: CommunityKind,
    name: str,
    parent_id: int | None = None,
    template: str | None = None,
) -> int:
    community = communities.create_community(
        session,
        kind=kind,
        name=name,
        reference=f"demo-{key}",
        currency=CURRENCY,
        parent_id=parent_id,
        now=play.life.now,
        actor_id=play.operator_id,
    )
    if template is not None:
        _adopt(session, play, community.id, template, f"{name}成立大会决议")
    return community.id


def _adopt(session: Session, play: Play, community_id: int, template: str, source: str) -> None:
    communities.adopt_charter(
        session,
        community_id=community_id,
        rules_document=templates.load(template)["rules"],
        valid_from=play.on,
        source=f"{source}（{play.on}）",
        now=play.life.now,
        actor_id=play.operator_id,
    )


def open_the_desk(play: Play) -> None:
    """Products, the calendar of crops, and money to lend."""
    play.crops = crop_years(play.first - timedelta(days=200), play.size.today + timedelta(days=220))
    for crop in play.crops:
        season = play.do(
            products.add_season,
            community_id=play.township_id,
            code=crop.code,
            crop=crop.crop,
            sow_from=crop.sow_from,
            sow_until=crop.sow_until,
            harvest_from=crop.harvest_from,
            selling=crop.document,
            now=play.life.now,
            actor_id=play.cooperative_id,
        )
        play.seasons[crop.code] = season.id
    offer = partial(play.do, _offer, play=play)
    monthly = offer(
        community_id=play.township_id, code=MONTHLY_PRODUCT, name="生产周转贷", terms=_MONTHLY
    )
    seasonal = offer(community_id=play.township_id, code="season", name="农时贷", terms=_SEASONAL)
    for place in play.villages():
        place.monthly, place.seasonal = monthly, seasonal
    for key, name, terms in ((TRADE, "大棚周转贷", _GREENHOUSE), (CIRCLE, "姐妹互助金", _SISTERS)):
        place = play.places[key]
        place.monthly = offer(community_id=place.community_id, code=key, name=name, terms=terms)
    for place in play.lenders():
        each = _POOL.get(place.key, _POOL_OF_VILLAGE)
        _fund(play, place, credit.fund_lending_pool, each * (len(place.people) + 10), "首期")
        if place.key != CIRCLE:
            _fund(play, place, credit.fund_reserve, _FIRST_RESERVE, "首期")


def fill_up_reserves(play: Play) -> None:
    """After the first losses the lender sets more aside."""
    for place in play.lenders():
        if place.key != CIRCLE:
            _fund(play, place, credit.fund_reserve, 60 * len(place.people), "补充")


def _fund(play: Play, place: Place, fund: Callable[..., Any], amount: int, part: str) -> None:
    play.do(
        fund,
        community_id=place.community_id,
        amount=yuan(amount),
        reference=f"{part} {play.on}",
        actor_id=play.operator_id,
        **play.today(),
    )


def _offer(
    session: Session, play: Play, community_id: int, code: str, name: str, terms: dict[str, Any]
) -> int:
    product = products.create_product(
        session,
        community_id=community_id,
        code=code,
        name=name,
        now=play.life.now,
        actor_id=play.operator_id,
    )
    products.publish_version(
        session,
        product_id=product.id,
        terms_document=terms,
        valid_from=play.on,
        source=f"信贷委员会决议（{play.on}）",
        actor_id=play.operator_id,
        **play.today(),
    )
    return product.id


def change_memberships(play: Play) -> None:
    """In every village one member is suspended, one leaves, one is suspended and comes back."""
    for place in play.villages():
        quiet = [
            person
            for person in place.people
            if not person.head and not person.grouped and person.member_id not in place.saved
        ]
        chosen = play.draw.sample(quiet, min(3, len(quiet)))
        for person, (step, reason) in zip(chosen, _CHANGES, strict=False):
            play.attempt(
                step,
                community_id=place.community_id,
                member_id=person.member_id,
                reason=reason,
                actor_id=place.officer.member_id,
                **play.today(),
            )
        if len(chosen) == len(_CHANGES):
            play.after(20, partial(_resume, play, place, chosen[-1]))


_CHANGES: tuple[tuple[Callable[..., Any], str], ...] = (
    (communities.suspend_membership, "连续三次缺席社员大会"),
    (communities.leave_community, "迁往外地"),
    (communities.suspend_membership, "资料待核实"),
)


def _resume(play: Play, place: Place, person: Neighbour) -> None:
    play.attempt(
        communities.resume_membership,
        community_id=place.community_id,
        member_id=person.member_id,
        reason="资料已补齐",
        actor_id=place.officer.member_id,
        **play.today(),
    )


def welcome_newcomers(play: Play) -> None:
    """In every village a new family asks to be taken in; nobody has decided yet."""
    for place, name in zip(play.villages(), ("卢小满", "蔡立夏", "袁白露", "许冬至"), strict=True):
        play.do(_newcomer, play=play, place=place, name=name)


def _newcomer(session: Session, play: Play, place: Place, name: str) -> None:
    reference = f"{place.reference}-new"
    household = members.register_household(session, reference=reference, now=play.life.now)
    member = members.register_member(
        session,
        kind=MemberKind.PERSON,
        name=name,
        reference=f"{reference}-1",
        household_id=household.id,
        birth_year=play.on.year - 27,
        now=play.life.now,
    )
    communities.apply_for_membership(
        session,
        community_id=place.community_id,
        member_id=member.id,
        actor_id=member.id,
        **play.today(),
    )


def _ids_of(session: Session, references: Sequence[str]) -> dict[str, int]:
    found = _rows(session, Member.reference, Member.reference_index, references)
    return {reference: row[0] for reference, row in found}


def _names_of(session: Session, ids: Sequence[int]) -> dict[int, str]:
    return {member_id: row[1] for member_id, row in _rows(session, Member.id, Member.id, ids)}


def _rows(
    session: Session, shown: Any, key: Any, wanted: Sequence[Any]
) -> Iterator[tuple[Any, tuple[int, str]]]:
    for start in range(0, len(wanted), 500):
        portion = wanted[start : start + 500]
        statement = select(shown, Member.id, Member.name).where(key.in_(portion))
        for found, member_id, name in session.execute(statement):
            yield found, (member_id, name)
