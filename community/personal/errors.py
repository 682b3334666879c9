"""Refusals about personal data."""

from community.errors import Conflict, Invalid


class StillLive(Conflict):
    """Nobody is erased who owes, is owed, stands in for somebody or belongs somewhere."""

    code = "still-live"
    title = "Something of this member is still live"


class BadRetentionRules(Invalid):
    """The file of retention rules cannot be used."""

    code = "bad-retention-rules"
    title = "The retention rules cannot be read"
