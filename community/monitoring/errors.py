"""What monitoring refuses."""

from community.errors import (
    Conflict,
    Invalid,
    LimitReached,
    NotAllowed,
    NotFound,
    WrongState,
)


class CaseNotFound(NotFound):
    """There is no such case, or the caller may not know that there is."""

    code = "case-not-found"
    title = "No such case"


class CaseClosed(WrongState):
    """The case is closed with its outcome; a new event opens a new one."""

    code = "case-closed"
    title = "The case is closed"


class CaseAtTheTop(WrongState):
    """Operators answer it already; nobody stands above them. Take it, or close it."""

    code = "case-at-the-top"
    title = "Nobody is above who has to answer this case"


class NotAnOfficerHere(Invalid):
    """A case is given to an officer of its community, or an operator, whom it is not about."""

    code = "not-an-officer-here"
    title = "The case cannot be given to this member"


class NotTheCaseOfficer(NotAllowed):
    """Only the officer who has taken the case may do this; take it first."""

    code = "not-the-case-officer"
    title = "Only the case's own officer may do this"


class BadSpan(Invalid):
    """The span has to end before today and must not be longer than what one request computes."""

    code = "bad-span"
    title = "The span of days cannot be replayed"


class MeetingNotFound(NotFound):
    """There is no such meeting or motion, or the caller may not know that there is."""

    code = "meeting-not-found"
    title = "No such meeting"


class MeetingExists(Conflict):
    """The group has another meeting under this client's id; make up a new id for a new one."""

    code = "meeting-exists"
    title = "This id stands for another meeting"


class MeetingClosed(WrongState):
    """A closed meeting is counted and does not change."""

    code = "meeting-closed"
    title = "The meeting is closed"


class AttendanceRefused(Invalid):
    """A line names somebody who is not in the group, or a proxy that the charter does not admit."""

    code = "attendance-refused"
    title = "The attendance is not possible"


class MotionClosed(WrongState):
    """The motion is counted."""

    code = "motion-closed"
    title = "The motion is counted already"


class VoteRefused(NotAllowed):
    """Whoever votes was at the meeting, or somebody there holds their proxy; each votes once."""

    code = "vote-refused"
    title = "This vote cannot be cast"


class ReportsExhausted(LimitReached):
    """The charter limits how many reports one member sends within its span; talk to an officer."""

    code = "reports-exhausted"
    title = "You have sent as many reports as the charter admits for now"


class ReporterCannotJudge(NotAllowed):
    """Whoever reported does not decide on it; another officer, or an operator, takes the case."""

    code = "reporter-cannot-judge"
    title = "You cannot take this case"


class VisitNotFound(NotFound):
    """There is no such visit or photo, or the caller may not know that there is."""

    code = "visit-not-found"
    title = "No such visit"


class VisitsNotPossible(Conflict):
    """Nobody can be sent to each member: too few, or too many of one household."""

    code = "visits-not-possible"
    title = "No assignment of visits is possible"


class VisitDone(WrongState):
    """The visit was answered; a further look is a visit of the next round."""

    code = "visit-done"
    title = "The visit is done"


class PhotoRefused(Invalid):
    """A photo is a JPEG, PNG or WebP picture, by its content, of at most the charter's size."""

    code = "photo-refused"
    title = "The photo cannot be taken"


class PhotosExhausted(LimitReached):
    """The charter limits the photos of one visit."""

    code = "photos-exhausted"
    title = "The visit has as many photos as the charter admits"


class UseNotFound(NotFound):
    """There is no such use of a loan, or the caller may not know that there is."""

    code = "loan-use-not-found"
    title = "No such use of a loan"


class UseRefused(Invalid):
    """Uses of a loan sum to no more than the loan, evidence of a use to no more than the use."""

    code = "loan-use-refused"
    title = "This is more than there is"


class NotAWitness(NotAllowed):
    """Neither the borrower nor the payee can show that the money was used; somebody else looks."""

    code = "not-a-witness"
    title = "You cannot verify this"
