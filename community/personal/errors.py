"""Refusals about personal data."""

from community.errors import Conflict, Invalid, NotFound


class StillLive(Conflict):
    """Nobody is erased who owes, is owed, stands in for somebody or belongs somewhere."""

    code = "still-live"
    title = "Something of this member is still live"


class BadRetentionRules(Invalid):
    """The file of retention rules cannot be used."""

    code = "bad-retention-rules"
    title = "The retention rules cannot be read"


class ErasureAsked(Conflict):
    """The member has asked already, and the office has not answered yet."""

    code = "erasure-asked"
    title = "Erasure was asked for already"


class ErasureNotAsked(NotFound):
    """The member has no open request to be erased."""

    code = "erasure-not-asked"
    title = "No erasure is asked for"


class RetentionTakenOver(Conflict):
    """Another process goes on with the day's retention; this one stops."""

    code = "retention-taken-over"
    title = "Another worker has taken the run over"
