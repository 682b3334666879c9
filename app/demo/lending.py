"""Loans from the application to the last instalment, alone and as a group."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.demo import failing
from app.demo.cast import CIRCLE, CURRENCY, TRADE, YUAN, Neighbour, Place, Play
from app.demo.grouping import leader_of
from app.demo.stories import DAYS_PLAYED, FAILING, UNDECIDED, Ending, Story, make_stories
from community.credit import service as credit
from community.credit.explain import CreditLimit
from community.loans import service as loans
from community.loans.models import Instalment, LoanStatus
from community.loans.queries import list_shares
from community.money import Money

_PURPOSES = (
    "买化肥和地膜", "修缮鸡舍", "农用三轮车换发动机", "小卖部进货", "更换水泵", "购进仔猪",
    "豆腐坊添置石磨", "孩子学费", "租用收割机", "修屋顶", "养蜂添箱", "购买饲料",
)  # fmt: skip
_TRADE_PURPOSES = ("大棚换膜", "安装滴灌", "购买番茄苗", "冷库租金", "新建日光温室")
_SEASON_PURPOSES = ("种子、化肥", "机耕、农药", "地租、雇工")
# The smallest loan that somebody would ask for, in yuan.
_LEAST = {TRADE: 5_000, CIRCLE: 200}
_LEAST_OF_VILLAGE = 800
# From the application to the money it takes a week.
_WEEK = 7
# Group loans are asked for so many days before the last; that of the last week is not paid out.
_GROUP_LOANS = (300, 45)
_GROUP_LOAN_NOT_PAID_OUT = 6


def plan_loans(play: Play) -> None:
    """Draw all stories and plan their first steps."""
    stories = make_stories(
        play.draw,
        households=play.size.households,
        villages=[place.key for place in play.villages()],
        trade=TRADE,
        circle=CIRCLE,
        seasons=play.crops,
        last=play.last,
    )
    for story in stories:
        ahead = 0 if story.ending in UNDECIDED else _WEEK
        play.life.at(story.day - timedelta(days=ahead), partial(_apply, play, story))
    for turn, place in enumerate(play.villages()):
        for back in _GROUP_LOANS:
            day = DAYS_PLAYED - back - 3 * turn
            play.on_day(day, partial(_apply_as_group, play, place, paid_out=True))
    for place in play.villages()[:2]:
        day = DAYS_PLAYED - _GROUP_LOAN_NOT_PAID_OUT
        play.on_day(day, partial(_apply_as_group, play, place, paid_out=False))


def _apply(play: Play, story: Story) -> None:
    wanted = play.places[story.place]
    # In a small village everybody may be borrowing already: then somebody elsewhere asks.
    others = [place for place in play.villages() if place is not wanted]
    found = next(
        (
            (place, *borrower)
            for place in [wanted, *(others if wanted.is_village else [])]
            for borrower in _borrowers(play, place, story)
        ),
        None,
    )
    if found is None:
        play.refused["(nobody could borrow)"] += 1
        return
    place, borrower, principal = found
    seasonal = story.season is not None
    loan = play.attempt(
        loans.apply,
        community_id=place.community_id,
        borrower_id=borrower.member_id,
        product_id=place.seasonal if seasonal else place.monthly,
        principal=principal,
        purpose=_purpose(play, place, story.season),
        instalments=None if seasonal else story.months,
        season_id=play.seasons[story.season] if story.season is not None else None,
        actor_id=borrower.member_id,
        **play.today(),
    )
    if loan is None:
        return
    loan_id = loan.id
    borrower.borrowing = True
    borrower.in_trouble |= story.ending in FAILING or story.ending is Ending.LATE
    if story.ending is Ending.APPLIED:
        return
    if story.ending is Ending.WITHDRAWN:
        play.after(2, partial(_withdraw, play, loan_id, borrower))
        return
    play.after(1, partial(_endorse, play, place, loan_id, borrower))
    if story.ending is Ending.REJECTED:
        play.after(3, partial(_reject, play, loan_id, "用途不属于章程允许的范围"))
    elif story.ending is not Ending.ENDORSED:
        play.after(4, partial(_approve, play, place, story, loan_id, borrower))


def _purpose(play: Play, place: Place, season: str | None) -> str:
    if season is None:
        return play.draw.choice(_TRADE_PURPOSES if place.key == TRADE else _PURPOSES)
    crop = next(crop.crop for crop in play.crops if crop.code == season)
    return f"{crop}：{play.draw.choice(_SEASON_PURPOSES)}"


def _borrowers(play: Play, place: Place, story: Story) -> Iterator[tuple[Neighbour, Money]]:
    """Somebody who may borrow enough; for a loan that will fail, mostly on others' word."""
    free = [
        person
        for person in place.people
        if not (person.borrowing or person.in_trouble or person is place.officer)
        and (person.head or not place.is_village)
    ]
    play.draw.shuffle(free)
    failing_one = story.ending in FAILING
    least = _LEAST.get(place.key, _LEAST_OF_VILLAGE) * YUAN
    fitting: list[tuple[int, Neighbour, int]] = []
    for person in free[: 8 if failing_one else 5]:
        limit = play.attempt(
            credit.credit_limit,
            community_id=place.community_id,
            member_id=person.member_id,
            on=play.on,
        )
        if limit is None:
            continue
        worth, amount = _asked(play, place, story, limit)
        if amount < least or (failing_one and worth * 4 < least):
            continue
        if not failing_one:
            yield person, Money(amount, CURRENCY)
        fitting.append((worth, person, amount))
    for _, person, amount in sorted(fitting, key=lambda item: (-item[0], item[1].member_id)):
        yield person, Money(amount, CURRENCY)


def _asked(play: Play, place: Place, story: Story, limit: CreditLimit) -> tuple[int, int]:
    """How well somebody suits a story, and how much they ask for (whole hundreds).

    A loan that fails is a story only if guarantors are asked for more than their stakes pay.
    """
    most = limit.amount_minor
    if place.key == CIRCLE or story.ending not in FAILING:
        return most, most * play.draw.randint(35, 85) // 100 // 10_000 * 10_000
    further = story.ending is Ending.FURTHER_OUT
    if further:
        wanted = limit.own_minor + limit.direct_minor + limit.second_minor * 7 // 10
    else:
        wanted = limit.own_minor + (limit.direct_minor + limit.second_minor) * 8 // 10
    by_hand: dict[int, int] = {}
    for path in limit.paths:
        owner = path.standing_of.member_id
        if len(path.vouches) == 2 or (not further and path.vouches):
            by_hand[owner] = by_hand.get(owner, 0) + path.amount_minor
    unpaid = sum(max(0, part - place.staked.get(owner, 0)) for owner, part in by_hand.items())
    amount = min(most, wanted) // 10_000 * 10_000
    # The nearest cover is used first: what is left for those asked by hand?
    nearer = limit.own_minor + (limit.direct_minor if further else 0)
    return min(unpaid, max(0, amount - nearer)), amount


def _endorse(play: Play, place: Place, loan_id: int, borrower: Neighbour) -> None:
    others = [
        person
        for person in place.people
        if person.home != borrower.home and (person.head or not place.is_village)
    ]
    for endorser in play.draw.sample(others, 2 if place.key == TRADE else 1):
        play.attempt(
            loans.endorse,
            loan_id=loan_id,
            endorser_id=endorser.member_id,
            comment="知根知底，信得过",
            **play.today(),
        )


def _withdraw(play: Play, loan_id: int, borrower: Neighbour) -> None:
    play.attempt(
        loans.withdraw,
        loan_id=loan_id,
        actor_id=borrower.member_id,
        reason="自己凑够了",
        **play.today(),
    )
    borrower.borrowing = False


def _reject(play: Play, loan_id: int, reason: str) -> None:
    play.attempt(
        loans.reject,
        loan_id=loan_id,
        actor_id=play.cooperative_id,
        reason=reason,
        **play.today(),
    )


def _approve(play: Play, place: Place, story: Story, loan_id: int, borrower: Neighbour) -> None:
    approved = play.attempt(
        credit.approve_loan, loan_id=loan_id, actor_id=play.cooperative_id, **play.today()
    )
    if approved is None:
        # What was there at the application is gone: somebody else borrowed on it, or is late.
        borrower.borrowing = borrower.in_trouble = False
        _reject(play, loan_id, "审批时超过授信额度")
    elif story.ending is not Ending.APPROVED:
        play.life.at(story.day, partial(_pay_out, play, place, story, loan_id, borrower))


def _pay_out(play: Play, place: Place, story: Story, loan_id: int, borrower: Neighbour) -> None:
    loan = play.attempt(
        loans.disburse, loan_id=loan_id, actor_id=play.cooperative_id, **play.today()
    )
    if loan is not None:
        _plan_payments(play, place, story, loan_id, borrower)


def _plan_payments(
    play: Play, place: Place, story: Story, loan_id: int, borrower: Neighbour
) -> None:
    rows = play.do(_rows_of, loan_id=loan_id)
    # Some pay the whole rest early, once half of it is paid.
    whole_rest = story.ending is Ending.CLOSED and play.draw.random() < 0.3
    for number, due_on, total in rows:
        if story.unpaid_from is not None and number >= story.unpaid_from:
            failing.plan_failure(play, place, story, loan_id, borrower, due_on)
            return
        shift = play.draw.choice((-4, -2, -1, 0, 0, 0, 1))
        if story.season is not None and play.draw.random() < 0.12:
            shift = play.draw.randint(6, 24)
        wanted = None if whole_rest and number >= len(rows) / 2 else total
        play.life.at(
            due_on + timedelta(days=shift),
            partial(failing.repay, play, place, loan_id, borrower, wanted),
        )
        if wanted is None:
            return


def _rows_of(session: Session, loan_id: int) -> list[tuple[int, date, int]]:
    rows = session.scalars(
        select(Instalment).where(Instalment.loan_id == loan_id).order_by(Instalment.number)
    )
    return [(row.number, row.due_on, row.principal_minor + row.interest_minor) for row in rows]


def _apply_as_group(play: Play, place: Place, paid_out: bool) -> None:
    """Three of a group buy something together, each with a share of the loan."""
    found = _ready_group(place)
    if found is None:
        return
    group_id, people, able = found
    shares = {
        person.member_id: 100 * YUAN * play.draw.randint(5, 11)
        for person in play.draw.sample(able, 3)
    }
    loan = play.attempt(
        loans.apply_as_group,
        group_id=group_id,
        product_id=place.monthly,
        shares=shares,
        total=Money(sum(shares.values()), CURRENCY),
        purpose="合买一台旋耕机，各家分摊",
        instalments=3,
        actor_id=leader_of(people).member_id,
        **play.today(),
    )
    if loan is None:
        return
    for person in able:
        person.borrowing |= person.member_id in shares
    homes = {person.home for person in people}
    outside = [p for p in place.people if p.head and p.home not in homes]
    endorser = play.draw.choice(outside)
    play.after(1, partial(_endorse_group, play, loan.id, endorser.member_id))
    play.after(3, partial(_approve_group, play, place, loan.id, paid_out, list(shares)))


def _ready_group(place: Place) -> tuple[int, list[Neighbour], list[Neighbour]] | None:
    """A group without trouble in which three can borrow: its id, its people, and those."""
    for group_id, people in place.groups:
        able = [person for person in people if not person.borrowing]
        if len(able) >= 3 and not any(person.in_trouble for person in people):
            return group_id, people, able
    return None


def _endorse_group(play: Play, group_loan_id: int, endorser_id: int) -> None:
    play.attempt(
        loans.endorse_group_loan,
        group_loan_id=group_loan_id,
        endorser_id=endorser_id,
        **play.today(),
    )


def _approve_group(
    play: Play, place: Place, group_loan_id: int, paid_out: bool, borrowers: list[int]
) -> None:
    facts: dict[str, Any] = {"group_loan_id": group_loan_id, "actor_id": play.cooperative_id}
    if play.attempt(credit.approve_group_loan, **facts, **play.today()) is None:
        play.attempt(
            loans.end_group_application,
            **facts,
            to=LoanStatus.REJECTED,
            reason="审批时超过授信额度",
            **play.today(),
        )
        for member_id in borrowers:
            place.by_id(member_id).borrowing = False
    elif paid_out:
        play.after(2, partial(_pay_out_group, play, place, group_loan_id))


def _pay_out_group(play: Play, place: Place, group_loan_id: int) -> None:
    paid = play.attempt(
        loans.disburse_group_loan,
        group_loan_id=group_loan_id,
        actor_id=play.cooperative_id,
        **play.today(),
    )
    if paid is None:
        return
    story = Story(Ending.CURRENT, place.key, play.on, 3)
    for loan_id, borrower_id in play.do(_shares_of, group_loan_id=group_loan_id):
        _plan_payments(play, place, story, loan_id, place.by_id(borrower_id))


def _shares_of(session: Session, group_loan_id: int) -> list[tuple[int, int]]:
    return [(loan.id, loan.borrower_id) for loan in list_shares(session, group_loan_id)]
