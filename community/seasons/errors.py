"""Refusals of the seasons room."""

from community.errors import Conflict, Invalid, NotAllowed, NotFound


class DeclaredEventNotFound(NotFound):
    """There is no such declared event, or the caller may not know that there is."""

    code = "declared-event-not-found"
    title = "No such declared event"


class EventInvalid(Invalid):
    """The event's days, crop or effect cannot be, or contradict each other."""

    code = "declared-event-invalid"
    title = "The declared event is not usable"


class DeferralTooLong(Invalid):
    """The effect would put dues off for longer than the charter allows."""

    code = "deferral-too-long"
    title = "The charter does not put dues off for so long"


class NotTheDeclarer(NotAllowed):
    """The charter names others who may declare an event, apply it and take it back."""

    code = "not-the-declarer"
    title = "The charter lets others declare events"


class NotPreviewed(Conflict):
    """Nothing is applied before its effect on every loan was looked at."""

    code = "not-previewed"
    title = "Preview the event first"


class PortfolioChanged(Conflict):
    """Loans changed since the preview; `changed` says how many and names some. Preview again."""

    code = "portfolio-changed"
    title = "The loans are not what the preview looked at"


class SeasonInUse(Conflict):
    """A loan rests on the season, so its dates stay; enter another season."""

    code = "season-in-use"
    title = "A loan rests on this season"


class CalendarTooWide(Invalid):
    """The answer would have too many lines; ask for fewer days, places or details."""

    code = "calendar-too-wide"
    title = "The calendar asks for too much at once"
