"""Savings, stakes, the villages' blind review, and who stands behind whom."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.demo.cast import CIRCLE, CURRENCY, TRADE, YUAN, Neighbour, Place, Play, yuan
from app.demo.registers import bring_savings, bring_ties
from app.demo.stories import scaled
from community.money import Money
from community.savings import service as savings
from community.trust import service as trust
from community.trust.models import AssessmentKind, Vouch, VouchKind, VouchSide, VouchStatus
from community.vouching.records import figures_of


def collect_savings(play: Play, first: bool) -> None:
    """A day on which the officers go round with the sheet."""
    rows = []
    number = count(1)
    for place in play.lenders():
        for person in place.people:
            if first:
                saves = person.head or play.draw.random() < 0.15
                amount = min(9_000, 50 * round(play.draw.lognormvariate(3.3, 0.7)))
            else:
                saves = person.member_id in place.saved and play.draw.random() < 0.55
                amount = 10 * play.draw.randint(5, 30)
            if not saves:
                continue
            amount = max(100, amount) * (5 if place.key == TRADE else 1)
            kept = place.saved.get(person.member_id, 0)
            place.saved[person.member_id] = kept + amount * YUAN
            rows.append(_sheet_row(play, place, person, amount, "deposit", next(number)))
    bring_savings(play, rows)
    if play.on.month in (1, 2):
        _withdraw_for_the_festival(play)


def _sheet_row(
    play: Play, place: Place, person: Neighbour, amount: int, kind: str, number: int
) -> tuple[Any, ...]:
    receipt = f"demo-{play.on:%Y%m%d}-{number:05d}"
    return receipt, place.reference, person.reference, f"{amount}.00", play.on, kind


def _withdraw_for_the_festival(play: Play) -> None:
    for place in play.villages():
        for person in place.people:
            free = place.saved.get(person.member_id, 0)
            if free >= 800 * YUAN and play.draw.random() < 0.08:
                amount = yuan(100 * play.draw.randint(1, 3))
                place.saved[person.member_id] = free - amount.amount_minor
                play.do(
                    savings.withdraw,
                    community_id=place.community_id,
                    member_id=person.member_id,
                    amount=amount,
                    actor_id=place.officer.member_id,
                    **play.today(),
                )


def lock_stakes(play: Play) -> None:
    """Most who saved something lock a part of it."""
    rows = []
    number = count(1)
    for place in play.lenders():
        for person in place.people:
            free = place.saved.get(person.member_id, 0)
            if free < 400 * YUAN or play.draw.random() > 0.72:
                continue
            amount = free // YUAN * play.draw.randint(4, 8) // 500 * 50
            if amount:
                place.saved[person.member_id] = free - amount * YUAN
                place.staked[person.member_id] = amount * YUAN
                rows.append(_sheet_row(play, place, person, amount, "stake_lock", next(number)))
    bring_savings(play, rows)


def assess(play: Play) -> None:
    """The villages' blind review, and a look at the accounts of the growers."""
    for place in play.lenders():
        if place.key == CIRCLE:
            continue
        for number, person in enumerate(place.people, start=1):
            # Some grants run out while the play is on, some soon after it.
            days = play.draw.choices((500, 610, 1000), (4, 8, 88))[0]
            if place.key == TRADE:
                amount = 10_000 * play.draw.randint(3, 9)
                evidence = f"近三年账目核查，第 {number} 号"
                capacity = AssessmentKind.REPAYMENT_CAPACITY
                _grant(play, place, person, capacity, 2 * amount, evidence, 720)
                _grant(play, place, person, AssessmentKind.STANDING, amount, evidence, 720)
            elif person.head and play.draw.random() < 0.42:
                amount = min(12_000, 500 * round(play.draw.lognormvariate(2.1, 0.6)))
                evidence = f"背靠背评议，{play.on} 会议记录第 {number} 号"
                standing = AssessmentKind.STANDING
                _grant(play, place, person, standing, max(500, amount), evidence, days)


def _grant(
    play: Play,
    place: Place,
    person: Neighbour,
    kind: AssessmentKind,
    amount: int,
    evidence: str,
    days: int,
) -> None:
    play.do(
        trust.grant_assessment,
        community_id=place.community_id,
        member_id=person.member_id,
        kind=kind,
        amount=yuan(amount),
        evidence=evidence,
        expires_on=play.on + timedelta(days=days),
        actor_id=play.cooperative_id,
        **play.today(),
    )


def bring_promises(play: Play) -> None:
    """The first promises, given at the founding meetings: both sides' words on one list."""
    rows: list[tuple[Any, ...]] = []
    for place in play.lenders():
        pairs: set[tuple[str, str]] = set()
        for _ in range(2):
            for voucher, borrower in _neighbours(play, place, 0.95):
                if (voucher.reference, borrower.reference) in pairs:
                    continue
                pairs.add((voucher.reference, borrower.reference))
                amount, days = _worth(play, place)
                for side in ("voucher", "borrower"):
                    # A few have not been answered: they stay offers and run out.
                    if side == "voucher" or play.draw.random() < 0.93:
                        until = play.on + timedelta(days=days)
                        rows.append(
                            (
                                place.reference,
                                voucher.reference,
                                borrower.reference,
                                f"{amount}.00",
                                side,
                                until,
                            )
                        )
    bring_ties(play, rows)


def promise(play: Play, share: float) -> None:
    """Neighbours offer promises or ask for them; the answer comes days later."""
    for place in play.lenders():
        for voucher, borrower in _neighbours(play, place, share):
            if not voucher.in_trouble:
                _offer(play, place, voucher, borrower)


def _neighbours(play: Play, place: Place, share: float) -> list[tuple[Neighbour, Neighbour]]:
    """Pairs who know each other: houses next to each other, at times farther away."""
    people = [person for person in place.people if person.head or not place.is_village]
    found = []
    for at, person in enumerate(people):
        if play.draw.random() > share:
            continue
        near = at + play.draw.choice((-3, -2, -1, 1, 2, 3))
        far = play.draw.randrange(len(people))
        other = people[(near if play.draw.random() < 0.8 else far) % len(people)]
        if other.home != person.home:
            found.append((person, other))
    return found


def _worth(play: Play, place: Place) -> tuple[int, int]:
    """How much is promised, in yuan, and for how many days."""
    if place.key == TRADE:
        return 10_000 * play.draw.randint(1, 5), 720
    if place.key == CIRCLE:
        return 100 * play.draw.randint(3, 20), 360
    return 500 * play.draw.randint(1, 10), play.draw.choice((365, 560, 655, 900, 1000))


def _offer(play: Play, place: Place, voucher: Neighbour, borrower: Neighbour) -> None:
    amount, days = _worth(play, place)
    asked = play.draw.random() < 0.3
    first, second = (borrower, voucher) if asked else (voucher, borrower)
    vouch = play.attempt(
        trust.offer_vouch,
        community_id=place.community_id,
        voucher_id=voucher.member_id,
        borrower_id=borrower.member_id,
        side=VouchSide.BORROWER if asked else VouchSide.VOUCHER,
        limit=yuan(amount),
        expires_on=play.on + timedelta(days=days),
        actor_id=first.member_id,
        records_of=figures_of,
        **play.today(),
    )
    if vouch is None or vouch.status is not VouchStatus.OFFERED:
        return
    answer = play.draw.random()
    if answer < 0.75:
        wait = play.draw.randint(1, 6)
        play.after(wait, partial(_accept, play, vouch.id, second.member_id))
    elif answer < 0.87:
        play.after(4, partial(_end, play, trust.decline_vouch, vouch.id, second.member_id))
    elif answer < 0.95:
        play.after(9, partial(_end, play, trust.withdraw_vouch, vouch.id, first.member_id))


def _accept(play: Play, vouch_id: int, member_id: int) -> None:
    play.attempt(
        trust.accept_vouch,
        vouch_id=vouch_id,
        actor_id=member_id,
        records_of=figures_of,
        **play.today(),
    )


def _end(play: Play, end: Callable[..., Any], vouch_id: int, member_id: int) -> None:
    play.attempt(end, vouch_id=vouch_id, actor_id=member_id, now=play.life.now)


def change_promises(play: Play) -> None:
    """Some take their word back, some lower it as far as loans let them."""
    for place in play.villages():
        live = play.do(_live_promises, community_id=place.community_id)
        wanted = 2 * scaled(4, play.size.households)
        chosen = play.draw.sample(live, min(wanted, len(live)))
        for turn, (vouch_id, voucher_id, limit, used) in enumerate(chosen):
            facts = {"vouch_id": vouch_id, "actor_id": voucher_id, "now": play.life.now}
            if turn % 2 == 0:
                play.attempt(trust.revoke_vouch, **facts)
            elif used < limit:
                lower = Money(max(used, limit // 2), CURRENCY)
                play.attempt(trust.lower_vouch, limit=lower, **facts)


def _live_promises(session: Session, community_id: int) -> list[tuple[int, int, int, int]]:
    used = Vouch.reserved_minor + Vouch.spent_minor
    rows = session.execute(
        select(Vouch.id, Vouch.voucher_id, Vouch.limit_minor, used)
        .where(
            Vouch.community_id == community_id,
            Vouch.status == VouchStatus.LIVE,
            Vouch.kind == VouchKind.PERSONAL,
        )
        .order_by(Vouch.id)
    )
    return [(vouch_id, voucher_id, limit, int(used)) for vouch_id, voucher_id, limit, used in rows]


def leave_offers_open(play: Play) -> None:
    """Offers that nobody has answered yet, and promises that soon run out."""
    for place in play.villages():
        heads = [person for person in place.people if person.head and not person.in_trouble]
        for turn in range(2 * scaled(4, play.size.households)):
            voucher, borrower = play.draw.sample(heads, 2)
            soon = turn % 2 == 1
            until: date = play.on + timedelta(days=35 if soon else 365)
            vouch = play.attempt(
                trust.offer_vouch,
                community_id=place.community_id,
                voucher_id=voucher.member_id,
                borrower_id=borrower.member_id,
                side=VouchSide.VOUCHER,
                limit=yuan(500 * play.draw.randint(2, 8)),
                expires_on=until,
                actor_id=voucher.member_id,
                records_of=figures_of,
                **play.today(),
            )
            if soon and vouch is not None and vouch.status is VouchStatus.OFFERED:
                play.after(1, partial(_accept, play, vouch.id, borrower.member_id))
