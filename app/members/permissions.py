"""Who may do what with members, households, roles and tokens."""

from dataclasses import dataclass

from app.permissions import (
    Facts,
    declare,
    holds_office,
    is_auditor,
    is_operator,
    is_owner,
    is_related,
)
from community.members.principal import Principal, Role


@dataclass(frozen=True, slots=True)
class MemberFacts(Facts):
    """What counts for acting in a member's place."""

    # The path of every community that the member is or was in.
    paths: tuple[tuple[int, ...], ...] = ()
    # Whether the member holds a role themselves.
    in_office: bool = False


def holds_some_office(principal: Principal, facts: Facts) -> bool:
    """The caller is an officer of any community, or a platform operator."""
    return any(grant.role in (Role.OFFICER, Role.OPERATOR) for grant in principal.grants)


def answers_for(principal: Principal, facts: Facts) -> bool:
    """The caller is an officer of every community of a member who holds no role.

    A token lets its bearer act as the member: nobody gains a power by it that they lack.
    """
    return (
        isinstance(facts, MemberFacts)
        and bool(facts.paths)
        and not facts.in_office
        and all(principal.holds(Role.OFFICER, path=path) for path in facts.paths)
    )


declare(
    {
        "member:read": (is_owner, is_related, holds_office, is_auditor),
        # What is not for fellow members of a group: reference, household, birth year.
        "member:details": (is_owner, holds_office, is_auditor),
        "member:register": (is_operator,),
        "member:update": (holds_office,),
        "household:create": (holds_some_office,),
        "household:read": (is_owner, holds_office, is_auditor),
        "member:read_roles": (is_owner, is_operator, is_auditor),
        "member:grant_role": (is_operator,),
        "member:revoke_role": (is_operator,),
        "member:read_tokens": (is_owner, is_operator, is_auditor, answers_for),
        "member:issue_token": (is_owner, is_operator, answers_for),
        "member:revoke_token": (is_owner, is_operator, answers_for),
        # Nobody sets another's password; who may act for a member hands them a code.
        "member:set_credentials": (is_owner,),
        "member:enrol": (is_operator, answers_for),
    }
)
