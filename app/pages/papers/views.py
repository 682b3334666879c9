"""A member's statement: read as the API reads it, in every community that the caller may see."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from app.communities.facts import membership_facts
from app.ledger.views import all_member_lines
from app.permissions import may, permit
from community.communities import queries as communities
from community.communities.models import Community
from community.errors import Invalid
from community.ledger.chart import LINES
from community.ledger.models import AccountKind
from community.ledger.rules import RULES
from community.ledger.statements import MemberLine, Period, Section, member_sections
from community.members import queries as members
from community.members.errors import MemberNotFound
from community.members.models import Member

# What fits into a hand: some forty sheets. Longer periods are for the API.
LINES_MAX = 2_000
_REVERSED = ".reversed"


class TooLong(Invalid):
    """A printed statement has at most two thousand movements; take a shorter time."""

    code = "statement-too-long"
    title = "There is more in this time than one print holds"


@dataclass(frozen=True, slots=True)
class PlaceStatement:
    """A member's statement in one community: each section with its movements."""

    community: Community
    sections: tuple[tuple[Section, tuple[MemberLine, ...]], ...]


def member_asked_for(session: Session, caller_id: int, public_id: str) -> Member:
    """Who was asked for, the caller if nobody was."""
    if not public_id:
        return members.get_member_by_id(session, caller_id)
    return members.get_member(session, public_id)


def statement_in(session: Session, member: Member, period: Period) -> list[PlaceStatement]:
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
            raise TooLong(field="to")
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


def account_name(key: str, language: str) -> str:
    line = LINES[AccountKind(key)]
    return line.name_en if language == "en" else line.name_zh


def rule_name(kind: str, language: str) -> str:
    """What an entry is called; one that undoes another says so."""
    rule = RULES.get(kind.removesuffix(_REVERSED))
    if rule is None:
        return kind
    name = rule.name_en if language == "en" else rule.name_zh
    if not kind.endswith(_REVERSED):
        return name
    return f"{name}, undone" if language == "en" else f"冲正：{name}"
