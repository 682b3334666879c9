"""What if: the form with its sliders, read from the address, and what it comes to.

A slider's name carries what it is about: `limit.vch_…`, `lock.mem_…`; `replace` and `fails` may
come more than once. What is left where it stands is not supposed to change.
"""

import contextlib
from dataclasses import dataclass
from datetime import date
from typing import Any

import marshmallow as ma
from flask import request, url_for
from sqlalchemy.orm import Session

from app.pages.forms import Form
from app.pages.riskdesk.views import circle_label
from app.pages.words import Words
from app.risk.routes import changes_in
from app.risk.schemas import WhatIfAskSchema
from community.communities.models import Community
from community.errors import CommunityError, Invalid
from community.members import queries as members
from community.members.models import Member
from community.money import CURRENCY_EXPONENTS, format_minor, parse_minor
from community.risk import queries
from community.risk.actions import change_bps
from community.risk.book import read_desk
from community.risk.losses import Cost
from community.risk.models import CircleName
from community.risk.what_if import CallPlan, WhatIf, promises_within, what_if

# Sliders for so many promises and so many members; the API takes more.
_PROMISES, _LOCKS = 8, 4


@dataclass(frozen=True, slots=True)
class Slider:
    """Something that may be moved between nothing and what it is now, or could be."""

    name: str
    public_id: str
    giver: str
    taker: str
    now: str
    most: str
    step: str
    in_use_minor: int
    most_minor: int
    is_replaced: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure as it is and as it would be."""

    word: str
    before_minor: int
    after_minor: int

    @property
    def change_bps(self) -> int:
        """In ten-thousandths of what it is."""
        return change_bps(self.before_minor, self.after_minor)


@dataclass(frozen=True, slots=True)
class WhatIfPage:
    """The form and its answer."""

    community: Community
    name: CircleName
    label: str
    form: Form
    promises: tuple[Slider, ...]
    locks: tuple[Slider, ...]
    # Public id and name of those who may be supposed to fail.
    debtors: tuple[tuple[str, str], ...]
    fails: str
    found: WhatIf | None
    figures: tuple[Compared, ...]
    plan: CallPlan | None
    calls: tuple["CallLine", ...]


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call that would be made."""

    guarantor: str
    for_guarantor: str
    ground: str
    amount_minor: int
    paid_minor: int
    on: date
    deadline_on: date


def what_if_page(
    session: Session, name: CircleName, community: Community, on: date, words: Words
) -> WhatIfPage:
    """The form, and if something is asked, what it comes to."""
    file = queries.circle_file(session, name)
    inside = [seat.member_id for seat in file.members]
    desk = read_desk(session, community=community, on=on)
    promised = promises_within(session, desk, inside, most=_PROMISES)
    who = members.get_members_by_id(session, inside)
    form = Form(values=dict(request.args.items()))
    replaced = set(request.args.getlist("replace"))
    promises = tuple(
        _slider(
            f"limit.{promise.vouch}",
            promise.vouch,
            who[promise.voucher_id].name,
            who[promise.borrower_id].name,
            promise.amount_minor,
            promise.amount_minor,
            promise.reserved_minor,
            community.currency,
            is_replaced=promise.vouch in replaced,
        )
        for promise in promised
    )
    able = sorted(
        (
            (seat.guaranteed_minor, seat.member_id)
            for seat in file.members
            if seat.member_id in desk.book.purses
            and desk.book.purses[seat.member_id].assessed_minor > 0
        ),
        reverse=True,
    )[:_LOCKS]
    locks = tuple(
        _slider(
            f"lock.{who[member_id].public_id}",
            who[member_id].public_id,
            who[member_id].name,
            "",
            0,
            desk.book.purses[member_id].assessed_minor,
            0,
            community.currency,
        )
        for _, member_id in able
    )
    debtors = tuple(
        (who[seat.member_id].public_id, who[seat.member_id].name)
        for seat in file.members
        if seat.member_id in desk.book.loans_of
    )
    found = None
    if "ask" in request.args:
        try:
            asked = WhatIfAskSchema().load(_asked(promises, locks, replaced, community.currency))
            found = what_if(
                session,
                community=community,
                inside=inside,
                changes=changes_in(asked, community.currency),
                on=on,
                desk=desk,
            )
        except ma.ValidationError:
            form.errors, form.status = {"": ["characters"]}, 422
        except CommunityError as refusal:
            form.refuse(refusal)
    plan = None if found is None else found.plan_after
    return WhatIfPage(
        community=community,
        name=name,
        label=circle_label(words, name.number),
        form=form,
        promises=promises,
        locks=locks,
        debtors=debtors,
        fails=request.args.get("fails", ""),
        found=found,
        figures=() if found is None else _figures(found),
        plan=plan,
        calls=() if plan is None else call_lines(plan, words),
    )


def call_lines(plan: CallPlan, words: Words) -> tuple[CallLine, ...]:
    """Calls with names; who is from outside has none."""

    def named(people: "dict[int, Member]", member_id: int | None) -> str:
        if member_id is None:
            return ""
        return people[member_id].name if member_id in people else words("somebody_outside")

    people = dict(plan.people)
    return tuple(
        CallLine(
            named(people, planned.call.guarantor_id),
            named(people, planned.call.for_guarantor_id),
            planned.call.ground.value,
            planned.call.amount_minor,
            planned.call.paid_minor,
            planned.on,
            planned.deadline_on,
        )
        for planned in plan.calls
    )


def plan_address(community: Community, member: Member) -> str:
    """Where a member's call plan stands."""
    return url_for(
        "riskdesk.call_plan", community_id=community.public_id, member_id=member.public_id
    )


def _slider(
    name: str,
    public_id: str,
    giver: str,
    taker: str,
    now_minor: int,
    most_minor: int,
    in_use_minor: int,
    currency: str,
    *,
    is_replaced: bool = False,
) -> Slider:
    exponent = CURRENCY_EXPONENTS[currency]
    is_whole = most_minor % 10**exponent == 0
    given = request.args.get(name, "")[:30]
    now = given or format_minor(now_minor, currency)
    # Browsers send 299 where 299.00 was meant; what is no amount the schema refuses.
    with contextlib.suppress(Invalid):
        now = format_minor(parse_minor(now, currency), currency)
    return Slider(
        name=name,
        public_id=public_id,
        giver=giver,
        taker=taker,
        now=now,
        most=format_minor(most_minor, currency),
        step="1" if is_whole else f"0.{'1'.zfill(exponent)}",
        in_use_minor=in_use_minor,
        most_minor=most_minor,
        is_replaced=is_replaced,
    )


def _asked(
    promises: tuple[Slider, ...], locks: tuple[Slider, ...], replaced: set[str], currency: str
) -> dict[str, Any]:
    """What is supposed, as the API takes it."""

    def moved(slider: Slider, resting: str) -> bool:
        return slider.name in request.args and slider.now not in (resting, "")

    def amount(slider: Slider) -> dict[str, str]:
        return {"amount": slider.now, "currency": currency}

    nothing = format_minor(0, currency)
    # Promises named in the address that have no slider are asked all the same.
    shown = {slider.name for slider in promises}
    more = [
        {"vouch": name.removeprefix("limit."), "amount": {"amount": value, "currency": currency}}
        for name, value in request.args.items()
        if name.startswith("limit.") and name not in shown
    ]
    return {
        "limits": [
            {"vouch": slider.public_id, "amount": amount(slider)}
            for slider in promises
            if moved(slider, slider.most)
        ]
        + more,
        "replaced": sorted(replaced),
        "locked": [
            {"member": slider.public_id, "amount": amount(slider)}
            for slider in locks
            if moved(slider, nothing)
        ],
        "fails": [value for value in request.args.getlist("fails") if value],
    }


def _figures(found: WhatIf) -> tuple[Compared, ...]:
    def cost(word: str, figure: str) -> Compared:
        def of(each: Cost) -> int:
            return int(getattr(each, f"{figure}_minor"))

        return Compared(word, of(found.before), of(found.after))

    return (
        cost("expected_pool", "expected_pool"),
        cost("expected_members", "expected_members"),
        cost("worst_pool", "worst_pool"),
        cost("worst_members", "worst_members"),
    )
