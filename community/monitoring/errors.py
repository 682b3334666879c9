"""What monitoring refuses."""

from community.errors import Invalid, NotAllowed, NotFound, WrongState


class CaseNotFound(NotFound):
    """There is no such case, or the caller may not know that there is."""

    code = "case-not-found"
    title = "No such case"


class CaseClosed(WrongState):
    """The case is closed with its outcome; a new event opens a new one."""

    code = "case-closed"
    title = "The case is closed"


class NotTheCaseOfficer(NotAllowed):
    """Only the officer who has taken the case may do this; take it first."""

    code = "not-the-case-officer"
    title = "Only the case's own officer may do this"


class BadSpan(Invalid):
    """The span has to end before today and must not be longer than what one request computes."""

    code = "bad-span"
    title = "The span of days cannot be replayed"
