"""Who sees which figure of a member's profile, and how much of it: one table. Pure.

Whoever has none of these relations to the member is told that there is no profile. A relation is
made by both sides or by an election, never by the one who looks: an open offer makes none.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum


class Figure(StrEnum):
    """What a profile says."""

    MEMBERSHIP = "membership"
    ACTIVITY = "activity"
    SAVINGS = "savings"
    REPAYMENT = "repayment"
    ATTENDANCE = "attendance"
    STANDING = "standing"
    EXPOSURE = "exposure"
    PROMISES = "promises"
    VOUCHING_GIVEN = "vouching_given"
    VOUCHING_RECEIVED = "vouching_received"
    VOUCHER_RECORD = "voucher_record"
    VISITS = "visits"


class Relation(StrEnum):
    """What somebody is to the member whose profile they ask for, in the community."""

    SELF = "self"
    OFFICER = "officer"  # of the community or one above it, or an operator
    AUDITOR = "auditor"
    LEADER = "leader"  # of an active group in which the member stands
    VOUCHER = "voucher"  # stands behind the member by a promise that both accepted
    BACKED = "backed"  # the member stands behind them


class Scope(StrEnum):
    """How much of a figure is seen."""

    ALL = "all"  # what the community knows
    GROUP = "group"  # what belongs to the group that is led
    PROMISE = "promise"  # what rests on the promise between the two, and the promise itself


_A, _G, _P = Scope.ALL, Scope.GROUP, Scope.PROMISE
_IN_OFFICE = {Relation.SELF: _A, Relation.OFFICER: _A, Relation.AUDITOR: _A}
# Design, law 9. What is not here is not seen.
SEES: Mapping[Figure, Mapping[Relation, Scope]] = {
    Figure.MEMBERSHIP: {
        **_IN_OFFICE,
        Relation.LEADER: _A,
        Relation.VOUCHER: _A,
        Relation.BACKED: _A,
    },
    Figure.ACTIVITY: _IN_OFFICE,
    Figure.SAVINGS: _IN_OFFICE,
    Figure.REPAYMENT: {**_IN_OFFICE, Relation.LEADER: _G, Relation.VOUCHER: _P},
    Figure.ATTENDANCE: {**_IN_OFFICE, Relation.LEADER: _G},
    Figure.STANDING: _IN_OFFICE,
    Figure.EXPOSURE: _IN_OFFICE,
    Figure.PROMISES: {**_IN_OFFICE, Relation.LEADER: _G, Relation.VOUCHER: _P},
    Figure.VOUCHING_GIVEN: {**_IN_OFFICE, Relation.BACKED: _P},
    Figure.VOUCHING_RECEIVED: {**_IN_OFFICE, Relation.VOUCHER: _P},
    Figure.VOUCHER_RECORD: _IN_OFFICE,
    Figure.VISITS: {**_IN_OFFICE, Relation.LEADER: _G},
}


def seen_by(relations: Collection[Relation]) -> dict[Figure, frozenset[Scope]]:
    """The figures that somebody sees, each with its scopes; all of it leaves no need for a part."""
    found: dict[Figure, frozenset[Scope]] = {}
    for figure, table in SEES.items():
        scopes = frozenset(table[relation] for relation in relations if relation in table)
        if scopes:
            found[figure] = frozenset({Scope.ALL}) if Scope.ALL in scopes else scopes
    return found
