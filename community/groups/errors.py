"""Refusals of the groups room."""

from community.errors import (
    AlreadyExists,
    AmountOutOfRange,
    Conflict,
    Invalid,
    LimitReached,
    NotFound,
    WrongState,
)


class GroupNotFound(NotFound):
    code = "group-not-found"
    title = "No such group"


class NotInGroup(NotFound):
    """The member has no place in this group, or the caller may not know it."""

    code = "not-in-group"
    title = "No such member in this group"


class GroupStepNotAllowed(WrongState):
    """A group goes from forming to signing, cooling off and active, one step after the other."""

    code = "group-step-not-allowed"
    title = "The group is in a state from which this step is not possible"


class NotInvited(WrongState):
    """Only an open invitation can be accepted or declined."""

    code = "not-invited"
    title = "There is no open invitation"


class AlreadyInGroup(AlreadyExists):
    code = "already-in-group"
    title = "The member is invited to this group, or in it, already"


class InAnotherGroup(Conflict):
    """A member stands in one living group of a community at a time."""

    code = "in-another-group"
    title = "The member stands in another group of this community"


class SameHousehold(Conflict):
    """People who live from one purse cannot stand in for each other."""

    code = "same-household"
    title = "Two members of one household cannot be in the same group"


class StandsInGroup(Conflict):
    """Who lives in which household counts for a group: it stays as it is while one stands in it."""

    code = "stands-in-group"
    title = "The member stands in a group"


class GroupFull(LimitReached):
    """The charter says how many members a group may have."""

    code = "group-full"
    title = "The group has as many members as the charter admits"


class GroupSizeNotMet(Conflict):
    """The charter says how many members a group has at least and at most."""

    code = "group-size"
    title = "The group is smaller or larger than the charter admits"


class NoLeader(Conflict):
    """More than half of the members have to vote for the same one."""

    code = "no-leader"
    title = "The group has not elected a leader"


class NotACandidate(Invalid):
    """Only somebody who has accepted a place in the group can lead it."""

    code = "not-a-candidate"
    title = "This member cannot be elected"


class SomebodyOverdue(Conflict):
    """Nobody in a new group may be overdue with a loan, anywhere on the platform."""

    code = "member-overdue"
    title = "A member of the group is overdue with a loan"


class SomebodyInactive(Conflict):
    """Everybody in a group is an active member of its community."""

    code = "member-not-active"
    title = "A member of the group is not active in the community"


class CapTooHigh(AmountOutOfRange):
    """The charter says how much one member may stand for behind another at most."""

    code = "cap-too-high"
    title = "The promise is larger than the charter admits"


class PromiseTooLong(Invalid):
    """A promise ends after today and within the time that the charter admits."""

    code = "promise-term"
    title = "The promise ends too early or too late"


class AgreementChanged(Conflict):
    """What was read is not what would be signed: read the present agreement first."""

    code = "agreement-changed"
    title = "The agreement is another one now"


class NotUnderstood(Conflict):
    """Nobody signs what they have not shown to understand: answer the questions first."""

    code = "not-understood"
    title = "The questions on this agreement are not answered yet"


class AlreadySigned(AlreadyExists):
    code = "already-signed"
    title = "The member has signed this agreement already"


class StillCoolingOff(Conflict):
    """Everybody has some days to think again; then the agreement binds."""

    code = "still-cooling-off"
    title = "The cooling-off period has not ended"


class CoolingOffOver(Conflict):
    """The cooling-off period has ended: stepping back would leave the others alone."""

    code = "cooling-off-over"
    title = "The cooling-off period has ended"
