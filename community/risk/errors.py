"""Refusals of the risk desk."""

from community.errors import Conflict, Invalid, NotFound


class RiskRunNotFound(NotFound):
    """No search for circles of this id, or none yet."""

    code = "risk-run-not-found"
    title = "There was no such search for circles"


class CircleNotFound(NotFound):
    """No circle of this name."""

    code = "circle-not-found"
    title = "There is no such circle"


class StressNotFound(NotFound):
    """No stress test of this id."""

    code = "stress-not-found"
    title = "There is no such stress test"


class BadShock(Invalid):
    """The shock names nobody, or asks for what this kind of shock does not have."""

    code = "bad-shock"
    title = "The shock does not say whom it hits"


class StressUnderWay(Conflict):
    """Another worker is at it; it can be taken over when that one has been silent for its lease."""

    code = "stress-under-way"
    title = "Somebody works on this stress test"


class AdmissionHeld(Conflict):
    """The charter has officers look at this applicant first: the case says why."""

    code = "admission-held"
    title = "Somebody has to look at this applicant first"


class FirstVouchHeld(Conflict):
    """A first promise waits for an officer, by the charter; what there is to look at, they know."""

    code = "first-vouch-held"
    title = "This first promise waits for an officer"
