"""The caller of a request, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What somebody may be trusted with, beyond being a member or a group's leader."""

    OFFICER = "officer"
    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role held in one community and those nested in it, or everywhere (`None`)."""

    role: Role
    community_id: int | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, by which token, with which roles."""

    member_id: int
    public_id: str
    # None for who signed in with a password.
    token_id: int | None
    scopes: frozenset[str] = field(default_factory=frozenset)
    grants: frozenset[Grant] = field(default_factory=frozenset)

    def holds(self, *roles: Role, path: Sequence[int] = ()) -> bool:
        """Whether one of the roles is granted platform-wide or at a community of the path.

        `path` is a community's own id and those of its ancestors; empty asks for the
        platform-wide grant.
        """
        return any(
            grant.role in roles and (grant.community_id is None or grant.community_id in path)
            for grant in self.grants
        )
