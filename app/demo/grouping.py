"""Joint-liability groups, through every step; some are still on their way on the last day."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from app.demo.cast import CIRCLE, TRADE, Neighbour, Place, Play, yuan
from app.demo.stories import DAYS_PLAYED, scaled
from community.groups import service as groups
from community.trust import service as trust
from community.vouching.records import figures_of

_NAMES = (
    *("东头", "西头", "河湾", "老井", "桥南", "桥北", "槐树下", "打谷场"),
    *("新街", "后坡", "水库", "磨坊", "柿子林", "竹园", "南塘", "北塘"),
    *("石榴园", "官道", "渡口", "祠堂前", "梨园", "山口", "东渠", "西渠"),
)
# How many for 320 households, by place; villages have the last number each.
_WANTED = {TRADE: 2, CIRCLE: 2}
_WANTED_OF_VILLAGE = 5
_NEXT_ELECTION = 330
# How far a group of the last weeks comes, and how many days before the last it begins.
_LATE = (("accepted", 8), ("fixed", 10), ("signed", 12), ("dissolved", 30))


def plan_groups(play: Play) -> None:
    """Say who will stand together, and when they begin."""
    names = _names(play)
    for place in play.lenders():
        wanted = scaled(_WANTED.get(place.key, _WANTED_OF_VILLAGE), play.size.households)
        for turn in range(wanted):
            people = _company(play, place)
            if people:
                play.after(turn * 4, partial(_form, play, place, people, next(names), "active"))
    for place, (until, back) in zip(play.villages(), _LATE, strict=True):
        play.on_day(DAYS_PLAYED - back, partial(_form_late, play, place, next(names), until))


def _names(play: Play) -> Iterator[str]:
    order = play.draw.sample(_NAMES, len(_NAMES))
    for suffix in ("", "二", "三", "四", "五"):
        for name in order:
            yield f"{name}{suffix}联保小组"


def _company(play: Play, place: Place) -> list[Neighbour]:
    """People of different homes who stand in no group here; empty if there are too few."""
    least, most = (3, 5) if place.key == TRADE else (5, 7)
    size = play.draw.randint(least, most)
    free = [
        person
        for person in place.people
        if not (person.grouped or person.in_trouble or person is place.officer)
        and (person.head or not place.is_village)
    ]
    start = play.draw.randrange(max(1, len(free)))
    found: dict[str, Neighbour] = {}
    for person in free[start:] + free[:start]:
        if len(found) < size:
            found.setdefault(person.home, person)
    if len(found) < least:
        return []
    for person in found.values():
        person.grouped = True
    return list(found.values())


def _form_late(play: Play, place: Place, name: str, until: str) -> None:
    people = _company(play, place)
    if people:
        _form(play, place, people, name, until)


def _form(play: Play, place: Place, people: list[Neighbour], name: str, until: str) -> None:
    """The founder states what each would stand for; the steps that follow are planned here."""
    cap = {TRADE: 20_000, CIRCLE: 500}.get(place.key, 500 * play.draw.randint(2, 5))
    days = {TRADE: 720, CIRCLE: 360}.get(place.key, 900)
    founder = people[0].member_id
    group = play.attempt(
        groups.form_group,
        community_id=place.community_id,
        founder_id=founder,
        name=name,
        pair_cap=yuan(cap),
        vouch_expires_on=play.on + timedelta(days=days),
        actor_id=founder,
        **play.today(),
    )
    if group is None:
        return
    group_id = group.id
    half = len(people) // 2
    play.after(1, partial(_gather, play, group_id, people))
    if until == "accepted":
        return
    play.after(3, partial(_elect, play, group_id, people))
    if until == "dissolved":
        play.after(6, partial(_dissolve, play, group_id, people))
        return
    play.after(4, partial(_fix, play, group_id, people))
    if until == "fixed":
        play.after(5, partial(_sign, play, group_id, people[:2]))
        return
    play.after(6, partial(_sign, play, group_id, people[:half]))
    play.after(9, partial(_sign, play, group_id, people[half:]))
    if until == "active":
        wait = 17 if place.key == TRADE else 13  # the trade thinks longer
        play.after(wait, partial(_activate, play, place, group_id, people))


def _gather(play: Play, group_id: int, people: list[Neighbour]) -> None:
    play.do(_gather_now, play=play, group_id=group_id, people=people)


def _gather_now(session: Session, play: Play, group_id: int, people: list[Neighbour]) -> None:
    """One evening: the founder asks the others in, they accept."""
    founder = people[0].member_id
    facts: dict[str, Any] = {"group_id": group_id, **play.today()}
    for person in people[1:]:
        member_id = person.member_id
        groups.invite(session, member_id=member_id, inviter_id=founder, actor_id=founder, **facts)
        groups.accept_invitation(session, member_id=member_id, actor_id=member_id, **facts)


def _elect(play: Play, group_id: int, people: list[Neighbour]) -> None:
    play.do(_elect_now, play=play, group_id=group_id, people=people)


def _elect_now(session: Session, play: Play, group_id: int, people: list[Neighbour]) -> None:
    """All but the founder, who votes for themself, want the second of the list."""
    for turn, person in enumerate(people):
        groups.vote_leader(
            session,
            group_id=group_id,
            voter_id=person.member_id,
            candidate_id=people[0 if turn == 0 else 1].member_id,
            actor_id=person.member_id,
            **play.today(),
        )


def leader_of(people: list[Neighbour]) -> Neighbour:
    """Whom the group elected."""
    return people[1]


def _dissolve(play: Play, group_id: int, people: list[Neighbour]) -> None:
    play.do(
        groups.dissolve,
        group_id=group_id,
        now=play.life.now,
        actor_id=leader_of(people).member_id,
    )
    for person in people:
        person.grouped = False


def _fix(play: Play, group_id: int, people: list[Neighbour]) -> None:
    play.attempt(
        groups.fix_agreement,
        group_id=group_id,
        actor_id=leader_of(people).member_id,
        **play.today(),
    )


def _sign(play: Play, group_id: int, people: list[Neighbour]) -> None:
    """Everybody answers what it could cost them; some need a second try; then they sign."""
    for person in people:
        facts = {"play": play, "group_id": group_id, "member_id": person.member_id}
        if play.draw.random() < 0.25:
            play.attempt(_answer, **facts, rightly=False)
        play.attempt(_answer, **facts, rightly=True)


def _answer(session: Session, play: Play, group_id: int, member_id: int, rightly: bool) -> None:
    asked = groups.questionnaire(session, group_id=group_id, member_id=member_id)
    answers = {question.id: question.expected for question in asked.questions}
    facts: dict[str, Any] = {
        "group_id": group_id,
        "member_id": member_id,
        "agreement_hash": asked.agreement_hash,
        "now": play.life.now,
        "actor_id": member_id,
    }
    if not rightly:
        answers["exposure_all"] = yuan(1)
    groups.answer_questions(session, answers=answers, **facts)
    if rightly:
        groups.sign(session, on=play.on, **facts)


def _activate(play: Play, place: Place, group_id: int, people: list[Neighbour]) -> None:
    active = play.attempt(
        trust.activate_group,
        group_id=group_id,
        actor_id=leader_of(people).member_id,
        records_of=figures_of,
        **play.today(),
    )
    if active is not None:
        place.groups.append((group_id, people))
        # Leaders are elected for a term; before it ends, the group votes again.
        play.after(_NEXT_ELECTION, partial(_elect, play, group_id, people))
