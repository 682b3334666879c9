"""Refusals of the communities room."""

from community.communities.charter import CharterInvalid
from community.errors import AlreadyExists, Conflict, Invalid, NotFound, WrongState

__all__ = [
    "AlreadyAMember",
    "CharterInvalid",
    "CharterNotFound",
    "CharterNotLater",
    "CommunityExists",
    "CommunityNotFound",
    "MembershipNotFound",
    "MembershipStepNotAllowed",
    "NestedTooDeep",
    "NoCharter",
    "NotAMember",
    "StepOutOfOrder",
    "StillBound",
    "TemplateNotFound",
    "TooYoung",
]


class CommunityNotFound(NotFound):
    code = "community-not-found"
    title = "No such community"


class CharterNotFound(NotFound):
    """The community has no charter of this version."""

    code = "charter-not-found"
    title = "No such charter"


class MembershipNotFound(NotFound):
    """The member has never applied to this community, or the caller may not know it."""

    code = "membership-not-found"
    title = "No such membership"


class TemplateNotFound(NotFound):
    """There is no charter template of this name."""

    code = "template-not-found"
    title = "No such charter template"


class CommunityExists(AlreadyExists):
    """A community's reference stands for one community only."""

    code = "community-exists"
    title = "A community with this reference exists already"


class NestedTooDeep(Invalid):
    """Communities nest as village, township, county do: a handful of levels."""

    code = "nested-too-deep"
    title = "Communities nest too deep"


class NoCharter(Conflict):
    """Neither the community nor one above it has a charter in force on that day."""

    code = "no-charter"
    title = "No charter is in force"


class CharterNotLater(Conflict):
    """A new version begins after the last one and not in the past: what was decided stays so."""

    code = "charter-not-later"
    title = "A charter's new version begins later than the one before"


class AlreadyAMember(AlreadyExists):
    """The member has applied, or is a member, already."""

    code = "already-a-member"
    title = "The member is in this community already"


class NotAMember(Conflict):
    """Saving, vouching, joining groups and borrowing are for active members of the community."""

    code = "not-an-active-member"
    title = "Not an active member of this community"


class MembershipStepNotAllowed(WrongState):
    """A membership goes from applied to active, suspended and back, and to left."""

    code = "membership-step-not-allowed"
    title = "The membership is in a state from which this step is not possible"


class StepOutOfOrder(Conflict):
    """A membership's steps follow each other in time."""

    code = "membership-step-out-of-order"
    title = "The step is dated before the one that came last"


class StillBound(Conflict):
    """Who owes, is owed, or stands behind somebody in the community cannot leave it yet."""

    code = "still-bound"
    title = "Something still binds the member to this community"


class TooYoung(Conflict):
    """The charter asks members for a certain age."""

    code = "too-young"
    title = "The member is younger than the charter admits"
