"""Why a business day cannot be worked on."""

from community.errors import Conflict


class DayUnderWay(Conflict):
    """Somebody else works on a day of the community."""

    code = "day-under-way"
    title = "The business day is being worked on by another process"


class DayTakenOver(Conflict):
    """The lease ran out and another process has taken the day over; it goes on there."""

    code = "day-taken-over"
    title = "The business day was taken over by another process"


class DayPassed(Conflict):
    """The books have gone past a day that was never worked through; it cannot be any more."""

    code = "day-passed"
    title = "The books have gone past this day"
