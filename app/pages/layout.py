"""How a page is written: words, money and dates in the reader's language, navigation, headers."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from flask import Response, current_app, g, render_template, request, session, url_for
from markupsafe import Markup

from app.clock import today
from app.extensions import db
from app.pages.entry import FORM_FIELD, form_proof, language
from app.pages.room import Entry, Room
from app.pages.words import LANGUAGES, Words
from app.problems import TooManyRequests, status_of
from community.errors import CommunityError
from community.groups.queries import leads_some_group
from community.members import queries as members
from community.members.principal import Principal, Role
from community.money import format_minor
from community.reasons import read_because
from config.settings import ROOT

STATIC = ROOT / "app" / "pages" / "static"
# Nothing but our own stylesheet, script, pictures and forms; no style or script inside a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_COMMUNITY = re.compile("com_[a-z0-9]{16}")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_NO_BREAK = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def _has_role(role: Role) -> Callable[[Principal], bool]:
    return lambda principal: any(grant.role is role for grant in principal.grants)


def _has_office(principal: Principal) -> bool:
    return bool(principal.grants)


def _leads(principal: Principal) -> bool:
    return leads_some_group(db.session(), principal.member_id)


# The kinds of people, in the order of the navigation. Somebody may be of several.
KINDS: dict[str, Callable[[Principal], bool]] = {
    "member": lambda principal: True,
    "leader": _leads,
    "cooperative": _has_role(Role.OFFICER),
    "office": _has_office,
    "operator": _has_role(Role.OPERATOR),
    "auditor": _has_role(Role.AUDITOR),
}


@dataclass(frozen=True, slots=True)
class Link:
    """A line of the navigation."""

    text: str
    url: str
    is_here: bool


def page(template: str, *, status: int = 200, **facts: Any) -> Response:
    """A page: `page("member/home.html", view=view)`. Its room is the first part of the name."""
    room = template.partition("/")[0]
    here = language()
    words = Words(room, here)
    text = render_template(
        template,
        t=words,
        language=here,
        languages=_languages(here),
        form_proof=Markup('<input type="hidden" name="{}" value="{}">').format(
            FORM_FIELD, form_proof()
        ),
        proof_name=FORM_FIELD,
        kinds=_kinds(room, here),
        entries=_entries(room, here),
        signed_in=_signed_in_name(),
        said=_what_was_said(here),
        static=static_url,
        today=today(),
        **_filters(here),
        **facts,
    )
    answer = Response(text, status, mimetype="text/html")
    answer.headers["Content-Language"] = here
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["Vary"] = "Accept-Language, Cookie"
    return answer


def refusal_page(refusal: CommunityError) -> Response:
    """A refusal as a page: what it is, what helps, and the way back."""
    title, detail = Words("common", language()).problem(refusal)
    answer = page(
        "common/refusal.html",
        status=status_of(type(refusal)),
        title=title,
        detail=detail,
        code=refusal.code,
    )
    if isinstance(refusal, TooManyRequests):
        answer.headers["Retry-After"] = str(refusal.members.get("retry_after_seconds", 60))
    g.problem = refusal.code
    return answer


def say(room: str, key: str, **facts: Any) -> None:
    """Tell the reader on the next page what was done: a key of the room's words."""
    session["said"] = [room, key, {name: str(value) for name, value in facts.items()}]


def csv_link(endpoint: str, **values: Any) -> str:
    """Where the numbers of a picture come as CSV."""
    return url_for(endpoint, **values)


@cache
def static_url(name: str) -> str:
    """The address of a static file, which changes with its content: it may be kept for ever."""
    version = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/pages/{name}?v={version}"


def money_text(here: str, amount_minor: int, currency: str) -> str:
    """'1,234.50 元' or 'CNY 1,234.50'; what is below zero has a real minus."""
    digits = figure_text(amount_minor, currency)
    if here == "en":
        return f"{currency}{_NO_BREAK}{digits}"
    return f"{digits}{_NO_BREAK}{unit_text(here, currency)}"


def unit_text(here: str, currency: str) -> str:
    """What amounts are counted in: '元' or 'CNY'."""
    return "元" if (here, currency) == ("zh-CN", "CNY") else currency


def figure_text(amount_minor: int, currency: str) -> str:
    """'1,234.50', in a table that names the currency once."""
    whole, point, decimals = format_minor(abs(amount_minor), currency).partition(".")
    return f"{_MINUS if amount_minor < 0 else ''}{int(whole):,}{point}{decimals}"


def date_text(here: str, day: date) -> str:
    """'2026年5月4日' or '4 May 2026'."""
    if here == "en":
        return f"{day.day}{_NO_BREAK}{_MONTHS[day.month - 1]} {day.year}"
    return f"{day.year}年{day.month}月{day.day}日"


def percent_text(value: int, of: int = 10_000) -> str:
    """Basis points as '12.5%'; with `of=1_000_000` parts per million."""
    text = f"{abs(value) * 100 / of:.2f}".rstrip("0").rstrip(".")
    return f"{_MINUS if value < 0 else ''}{text}%"


def reason_text(here: str, reason: str, currency: str) -> str:
    """The reason of a step: the platform's own in this language, what was typed as it is."""
    found = read_because(reason)
    if found is None:
        return reason

    def said(name: str, value: int | str) -> str:
        if name.endswith("_minor"):
            return money_text(here, int(value), currency)
        return (
            date_text(here, date.fromisoformat(str(value))) if name.endswith("_on") else str(value)
        )

    return found.say(said)[here]


def _filters(here: str) -> dict[str, Any]:
    timezone = current_app.extensions["clock"].timezone

    def moment(instant: datetime) -> str:
        local = instant.astimezone(timezone)
        return f"{date_text(here, local.date())} {local:%H:%M}"

    def day(value: date | None) -> Markup:
        if value is None:
            return Markup("–")
        return Markup('<time datetime="{}">{}</time>').format(
            value.isoformat(), date_text(here, value)
        )

    return {
        "money": lambda amount_minor, currency: money_text(here, amount_minor, currency),
        "figure": figure_text,
        "unit": lambda currency: unit_text(here, currency),
        "percent": percent_text,
        "day": day,
        # Within a sentence, where no markup can be.
        "date_text": lambda value: date_text(here, value),
        "moment": moment,
        # Why a step was taken, in this language where it is the platform that says it.
        "why": lambda text, currency: reason_text(here, text, currency),
    }


def _languages(here: str) -> list[tuple[str, str]]:
    """The other languages, each with the address of this same page in it."""
    found = []
    for code in LANGUAGES:
        if code != here:
            query = [(name, value) for name, value in request.args.items(True) if name != "lang"]
            found.append((code, f"{request.path}?{urlencode([*query, ('lang', code)])}"))
    return found


def _kinds(room: str, here: str) -> list[Link]:
    principal = g.get("principal")
    if principal is None:
        return []
    common = Words("common", here)
    mine = _kind_here(room)
    links = []
    for kind, is_of in KINDS.items():
        entries = _listed(kind)
        if entries and is_of(principal):
            url = url_for(entries[0][1].endpoint)
            links.append(Link(common.of("kind", kind), url, kind == mine))
    return links


def _entries(room: str, here: str) -> list[Link]:
    if g.get("principal") is None:
        return []
    return [
        Link(Words(owner, here)(entry.word), url, request.endpoint == entry.endpoint)
        for owner, entry in _listed(_kind_here(room))
        for url in _address(entry)
    ]


def _kind_here(room: str) -> str:
    """As which kind of people the reader is in a room: the first of its kinds that they are of.

    Nobody, if of none: a leader who looks at a case is not shown the way to the desk's pages.
    """
    blueprint = current_app.blueprints.get(room)
    if not isinstance(blueprint, Room):
        return ""
    principal = g.get("principal")
    of = [kind for kind in blueprint.kinds if kind in KINDS]
    if principal is not None and len(of) > 1:
        of = [kind for kind in of if KINDS[kind](principal)]
    return of[0] if of else ""


def _listed(kind: str) -> list[tuple[str, Entry]]:
    """The listed pages of a kind of people, each with its room: those of their own room first."""
    rooms = [room for room in current_app.blueprints.values() if isinstance(room, Room)]
    return [
        (room.name, entry)
        for room in sorted(rooms, key=lambda room: room.name != kind)
        if kind in room.kinds
        for entry in room.entries
        if kind in (entry.kinds or room.kinds)
    ]


def _address(entry: Entry) -> list[str]:
    """Where an entry leads: in the community, say, that this page is of; nowhere without one."""
    given = dict(request.view_args or {})
    if _COMMUNITY.fullmatch(asked := request.args.get("community", "")):
        given.setdefault("community_id", asked)
    [rule] = list(current_app.url_map.iter_rules(entry.endpoint))[:1]
    if not rule.arguments <= given.keys():
        return []
    values = {name: given[name] for name in rule.arguments}
    if entry.place and "community_id" in given:
        values[entry.place] = given["community_id"]
    return [url_for(entry.endpoint, **values)]


def _signed_in_name() -> str:
    principal = g.get("principal")
    if principal is None:
        return ""
    return members.get_member_by_id(db.session(), principal.member_id).name


def _what_was_said(here: str) -> str:
    said = session.pop("said", None)
    if not said:
        return ""
    room, key, facts = said
    return Words(room, here)(key, **facts)


def as_json(value: Any) -> str:
    """A value for a `data-…` attribute that our script reads."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
