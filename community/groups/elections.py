"""Electing a group's leader. Pure."""

from collections import Counter
from collections.abc import Mapping


def elected(votes: Mapping[int, int | None]) -> int | None:
    """Who has the votes of more than half of all members; None while nobody has.

    `votes` names every member's choice, None for who has not voted: they count as members.
    Votes for somebody who is not a member do not count.
    """
    count = Counter(choice for choice in votes.values() if choice in votes)
    for candidate, number in count.most_common(1):
        if 2 * number > len(votes):
            return candidate
    return None


def carried(yes: int, members: int) -> bool:
    """Whether more than half of all members are for it; who has not voted counts as a member."""
    return 2 * yes > members
