"""What monitoring refuses."""

from community.errors import Conflict, Invalid, NotAllowed, NotFound, WrongState


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
