"""What the pages about stress tests show: the form, how far a test is, the distribution drawn."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any

import marshmallow as ma
from flask import request, url_for
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.fields import Schema, Text, Whole
from app.pages.charts import Picture, columns_
from app.pages.layout import money_text, unit_text
from app.pages.riskdesk.views import circle_label
from app.pages.words import Words
from app.risk.schemas import DRAWS_MAX
from community.communities.charter import LiabilityMode
from community.communities.models import Community
from community.errors import Invalid
from community.members import queries as members
from community.members.models import Member
from community.money import CURRENCY_EXPONENTS
from community.products.models import Season
from community.risk import queries
from community.risk.errors import RiskRunNotFound
from community.risk.models import (
    ShockKind,
    StressCall,
    StressMember,
    StressStatus,
    StressTest,
)
from community.risk.stress_service import Asked

_CLASSES = 8
_CIRCLES, _VILLAGES = 30, 200
SHOWN = 40
_IDS = re.compile(r"[\s,;，；、]+")


class StressForm(Schema):
    """A stress test as it is asked for on the page: shares in per cent."""

    shock = ma.fields.Enum(ShockKind, by_value=ma.fields.String, required=True)
    # The members who fail: a circle's, or by their ids.
    circle = Text(40, load_default="")
    who = Text(2_000, load_default="")
    village = Text(40, load_default="")
    crop = Text(120, load_default="")
    fall = Whole(1, 100, from_text=True, load_default=None)
    severity = Whole(0, 100, from_text=True, load_default=100)
    background = ma.fields.Boolean(load_default=False)
    mode = ma.fields.String(
        load_default="", validate=ma.validate.OneOf(["", *(each.value for each in LiabilityMode)])
    )
    spread = ma.fields.Boolean(load_default=False)
    draws = Whole(1, DRAWS_MAX, from_text=True, load_default=1_000)
    seed = Whole(0, 2**31 - 1, from_text=True, load_default=1)


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from."""

    circles: tuple[tuple[str, str], ...]
    villages: tuple[tuple[str, str], ...]
    crops: tuple[str, ...]


def choices_of(session: Session, community: Community, words: Words) -> Choices:
    """The circles of the last search, the communities below, the crops of the seasons."""
    circles: tuple[tuple[str, str], ...] = ()
    try:
        run = queries.get_last_run(session, community.id)
    except RiskRunNotFound:
        pass
    else:
        circles = tuple(
            (name.public_id, circle_label(words, name.number))
            for _, name in queries.circles_of(session, run, limit=_CIRCLES)
        )
    below = session.execute(
        select(Community.public_id, Community.name)
        .where(Community.path.contains(f"/{community.id}/", autoescape=True))
        .order_by(Community.name)
        .limit(_VILLAGES)
    )
    crops = session.scalars(
        select(Season.crop)
        .where(Season.community_id.in_(community.path_ids))
        .distinct()
        .order_by(Season.crop)
        .limit(_VILLAGES)
    )
    return Choices(circles, tuple((code, name) for code, name in below), tuple(crops))


def asked_for(session: Session, community: Community, data: Mapping[str, Any]) -> Asked:
    """What the form supposes, as the service takes it: only what its kind of shock needs."""
    kind: ShockKind = data["shock"]
    who: list[str] = []
    if kind is ShockKind.MEMBER:
        who = [each for each in _IDS.split(data["who"]) if each]
        if data["circle"]:
            name = queries.get_name(session, data["circle"])
            if name.community_id != community.id:
                raise Invalid(field="circle")
            file = queries.circle_file(session, name)
            who += [file.people[seat.member_id].public_id for seat in file.members]
    takes_crop = kind in (ShockKind.CROP, ShockKind.PRICE)
    return Asked(
        kind=kind,
        members=tuple(dict.fromkeys(who)),
        village=data["village"] or None if kind is ShockKind.VILLAGE else None,
        crop=data["crop"] or None if takes_crop else None,
        fall_bps=100 * data["fall"] if kind is ShockKind.PRICE and data["fall"] else None,
        severity_bps=100 * data["severity"],
        background=data["background"],
        mode=LiabilityMode(data["mode"]) if data["mode"] else None,
        spread=data["spread"],
    )


@dataclass(frozen=True, slots=True)
class StressPage:
    """A stress test: how far it is; once it is done, what it came to."""

    community: Community
    test: StressTest
    view: Mapping[str, Any]
    is_done: bool
    is_failed: bool
    done_percent: int
    # Whether the page comes again by itself until the test is done, and where to change that.
    watched: bool
    watch_url: str
    hit: tuple[str, ...]
    pictures: tuple[Picture, ...]
    members: Sequence[tuple[StressMember, Member]]
    calls: Sequence[tuple[StressCall, str, Member, Member | None]]
    more_calls: bool


def stress_page(
    session: Session, test: StressTest, community: Community, view: Mapping[str, Any], words: Words
) -> StressPage:
    """A stress test as a page."""
    is_done = test.status is StressStatus.DONE
    calls: Sequence[tuple[StressCall, str, Member, Member | None]] = ()
    more = False
    touched: Sequence[tuple[StressMember, Member]] = ()
    pictures: tuple[Picture, ...] = ()
    if is_done:
        calls, more = queries.stress_calls(session, test, after=0, limit=SHOWN)
        touched = queries.stress_members(session, test, limit=SHOWN)
        draws = queries.stress_draws(session, test)
        pictures = tuple(
            _picture(title, figure, amounts, test, view, community, words)
            for title, figure, amounts in (
                (
                    words("distribution_lost"),
                    "lost",
                    [draw.pool_minor + draw.reserve_minor for draw in draws],
                ),
                (
                    words("distribution_members"),
                    "members",
                    [draw.members_minor for draw in draws],
                ),
            )
        )
    hit = test.spec.get("member_ids") or []
    named = members.names_of(session, hit[:SHOWN])
    waits = test.status in (StressStatus.QUEUED, StressStatus.RUNNING)
    return StressPage(
        community=community,
        test=test,
        view=view,
        is_done=is_done,
        is_failed=test.status is StressStatus.FAILED,
        done_percent=100 * test.done_draws // test.draws,
        watched=waits and request.args.get("watch") == "1",
        watch_url=url_for("riskdesk.stress", stress_id=test.public_id, watch=1),
        hit=tuple(named[member_id].name for member_id in hit[:SHOWN] if member_id in named),
        pictures=pictures,
        members=touched,
        calls=calls,
        more_calls=more,
    )


def _picture(
    title: str,
    figure: str,
    amounts: Sequence[int],
    test: StressTest,
    view: Mapping[str, Any],
    community: Community,
    words: Words,
) -> Picture:
    """How many draws lose how much; classes in the tail of the expected shortfall are marked."""
    unit = 10 ** CURRENCY_EXPONENTS[community.currency]
    lost = [amount / unit for amount in amounts]
    edges = _edges(max(lost, default=0))
    shortfall = view["result"][figure]["shortfall"]
    classes = list(pairwise(edges))
    counted = [
        sum(low <= each < high or (high == edges[-1] and each == high) for each in lost)
        for low, high in classes
    ]
    drawn = columns_(
        title,
        # Below a column stands where its class begins; the table has both ends.
        [(f"{low:,.0f}", float(many)) for (low, _), many in zip(classes, counted, strict=True)],
        columns=(words("lost_between"), words("draws")),
        text=lambda value: f"{value:.0f}",
        caption=words(
            "distribution_caption",
            currency=unit_text(words.language, community.currency),
            shortfall=money_text(words.language, shortfall.amount_minor, shortfall.currency),
            tail=view["result"]["tail_draws"],
            draws=test.draws,
        ),
    )
    at = count()

    def marked(found: "re.Match[str]") -> str:
        place = next(at)
        in_tail = edges[place + 1] >= shortfall.amount_minor / unit and shortfall.amount_minor
        return f'<rect class="tail"{found[1]}' if in_tail else found[0]

    head, mark, series = str(drawn.svg).partition('<g class="series columns">')
    svg = Markup(head + mark + re.sub(r"<rect( )", marked, series))  # noqa: S704  as it came
    return Picture(
        svg,
        drawn.title,
        drawn.columns,
        tuple(
            (f"{low:,.0f}–{high:,.0f}", str(many))
            for (low, high), many in zip(classes, counted, strict=True)
        ),
        drawn.caption,
        url_for("riskdesk.stress_draws_csv", stress_id=test.public_id),
    )


def _edges(most: float) -> list[float]:
    """Round steps from nothing to what is lost at most."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / _CLASSES
    power = 10.0 ** (len(str(int(raw))) - 1) if raw >= 1 else 1.0
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= raw)
    classes = int(-(-most // step))
    return [step * place for place in range(classes + 1)]
