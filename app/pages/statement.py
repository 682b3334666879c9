"""A member's statement as a page for printing: theirs, or of a member in an officer's care."""

from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from app.clock import today
from app.communities.facts import membership_facts
from app.extensions import db
from app.ledger.views import all_member_lines
from app.marks import limited, public
from app.pages.answers import enter_by_form, language_of, page, pages, refused
from app.permissions import may, permit
from community.communities import queries as communities
from community.communities.models import Community
from community.ledger.chart import LINES
from community.ledger.errors import PeriodInvalid
from community.ledger.models import AccountKind
from community.ledger.rules import RULES
from community.ledger.statements import MemberLine, Period, Section, member_sections
from community.members import queries as members
from community.members.errors import MemberNotFound
from community.members.models import Member

# What fits into a hand: some forty sheets. Longer periods are for the API.
LINES_MAX = 2_000
_REVERSED = ".reversed"


class _TooLong(Exception):
    """The period has more movements than a page takes."""


@dataclass(frozen=True, slots=True)
class PlaceStatement:
    """A member's statement in one community: each section with its movements."""

    community: Community
    sections: tuple[tuple[Section, tuple[MemberLine, ...]], ...]


@pages.get("/statement")
@public
def ask_for_statement() -> Response:
    """The form: whose, from when, until when."""
    language = language_of(request.args.get("lang"))
    return page("pages/statement_form.html", language=language, **_this_month())


@pages.post("/statement")
@public
@limited("heavy")
def show_statement() -> Response:
    """The statement in all communities of the member that the caller may see. No token is kept."""
    language = language_of(request.form.get("lang"))
    form = {
        "from_on": request.form.get("from", "")[:10],
        "to_on": request.form.get("to", "")[:10],
        "whose": request.form.get("member", "").strip()[:40],
    }
    session = db.session()
    entered = enter_by_form(session)
    if isinstance(entered, str):
        return refused("pages/statement_form.html", language, entered, **form)
    try:
        period = Period(date.fromisoformat(form["from_on"]), date.fromisoformat(form["to_on"]))
        member = _member(session, entered.member_id, form["whose"])
        places = _places(session, member, period)
    except MemberNotFound:
        return refused("pages/statement_form.html", language, "no_member", **form)
    except (ValueError, PeriodInvalid):
        return refused("pages/statement_form.html", language, "bad_period", **form)
    except _TooLong:
        return refused("pages/statement_form.html", language, "too_long", **form)
    return page(
        "pages/statement.html",
        language=language,
        member=member,
        period=period,
        places=places,
        printed_on=today(),
        account=lambda key: _account_name(key, language),
        what=lambda kind: _rule_name(kind, language),
    )


def _member(session: Session, caller_id: int, public_id: str) -> Member:
    """Who was asked for, the caller if nobody was."""
    if not public_id:
        return members.get_member_by_id(session, caller_id)
    return members.get_member(session, public_id)


def _places(session: Session, member: Member, period: Period) -> list[PlaceStatement]:
    """The member's communities that the caller may see. Raises MemberNotFound if there is none."""
    found, left = [], LINES_MAX
    memberships = communities.memberships_of(session, member.id)
    for _, community in memberships:
        facts = membership_facts(community, member)
        if not may("statement:read", facts):
            continue
        permit("statement:read", facts)
        whose: dict[str, Any] = {
            "community_id": community.id,
            "member_id": member.id,
            "period": period,
        }
        lines = list(islice(all_member_lines(session, whose), left + 1))
        if len(lines) > left:
            raise _TooLong()
        left -= len(lines)
        found.append(
            PlaceStatement(
                community,
                tuple(
                    (section, tuple(line for line in lines if line.section == section.key))
                    for section in member_sections(session, **whose)
                ),
            )
        )
    if memberships and not found:
        raise MemberNotFound()
    return found


def _this_month() -> dict[str, str]:
    return {
        "from_on": today().replace(day=1).isoformat(),
        "to_on": today().isoformat(),
        "whose": "",
    }


def _account_name(key: str, language: str) -> str:
    line = LINES[AccountKind(key)]
    return line.name_en if language == "en" else line.name_zh


def _rule_name(kind: str, language: str) -> str:
    """What an entry is called; one that undoes another says so."""
    rule = RULES.get(kind.removesuffix(_REVERSED))
    if rule is None:
        return kind
    name = rule.name_en if language == "en" else rule.name_zh
    if not kind.endswith(_REVERSED):
        return name
    return f"{name}, undone" if language == "en" else f"冲正：{name}"
