"""Refusals about personal data."""

from community.errors import Conflict


class StillLive(Conflict):
    """Nobody is erased who owes, is owed, stands in for somebody or belongs somewhere."""

    code = "still-live"
    title = "Something of this member is still live"


class MemberErased(Conflict):
    """Their personal data was taken out before."""

    code = "member-erased"
    title = "This member is erased already"
