"""Refusals of the groups room."""

from community.errors import (
    AlreadyExists,
    AmountOutOfRange,
    Conflict,
    Invalid,
    LimitReached,
    NotAllowed,
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


class PlaceStepNotAllowed(WrongState):
    """A member's place goes its way, from an invitation to a signature, one step at a time."""

    code = "group-place-step-not-allowed"
    title = "The member's place cannot take this step now"


class ProposalClosed(WrongState):
    """What was proposed has ended, by signature, refusal, withdrawal or time: propose it anew."""

    code = "group-proposal-closed"
    title = "The proposal is in a state from which this step is not possible"


class ProposalOpen(AlreadyExists):
    """A group decides on one amendment, and on one expulsion of a member, at a time.

    Sign it, refuse it, or let whoever proposed it withdraw it first.
    """

    code = "group-proposal-open"
    title = "There is an open proposal already"


class ProposalNotFound(NotFound):
    """There is no such proposal, or the caller may not know it."""

    code = "group-proposal-not-found"
    title = "No such proposal"


class AgreementNotFound(NotFound):
    code = "group-agreement-not-found"
    title = "The group has no agreement of this version"


class ProposalLapsed(Conflict):
    """Everybody has so many days, by the charter: propose it anew."""

    code = "group-proposal-lapsed"
    title = "The time for this proposal is over"


class ProposalOutdated(Conflict):
    """The agreement that it would change is not in force any more: propose it anew."""

    code = "group-proposal-outdated"
    title = "The group's agreement has changed since this was proposed"


class NothingProposed(Invalid):
    """An amendment names another cap, another end of the promises, or members who join."""

    code = "group-nothing-proposed"
    title = "The proposal changes nothing"


class NotTheProposer(NotAllowed):
    """Whoever proposed something, or leads the group, takes it back; others refuse it."""

    code = "not-the-proposer"
    title = "This is for whoever proposed it, or the leader"


class NotYetSigned(Conflict):
    """An amendment needs everybody, those who are in and those who are to join."""

    code = "group-not-all-signed"
    title = "Not everybody has signed yet"


class NotUnanimous(Conflict):
    """An expulsion needs the consent of every other member."""

    code = "group-not-unanimous"
    title = "Not every other member has consented yet"


class TakesOverOther(Conflict):
    """Who consents to a take-over names what their promise for the member covers today."""

    code = "group-takes-over-other"
    title = "The amount to take over is another one"


class ExpelsOneself(Invalid):
    """Whoever wants to go asks for their exit."""

    code = "expels-oneself"
    title = "Nobody expels themself"


class NoVoteOnOneself(NotAllowed):
    """The others decide on an expulsion."""

    code = "no-vote-on-oneself"
    title = "Whoever is to go has no vote on it"


class GroupStillBinds(Conflict):
    """What a member owes, or what is reserved on promises in the group, holds them in it.

    `bonds` names each loan and promise that the caller may see, with its remedy; `hidden` counts
    those that are others' business.
    """

    code = "group-still-binds"
    title = "Something in the group still binds"


class CapBelowReserved(LimitReached):
    """A promise stays at least what loans rest on and what was paid on it: repay those first."""

    code = "group-cap-below-reserved"
    title = "Loans rest on more than the proposed amount"


class GroupNotWhole(Conflict):
    """A group that lost members takes no new loans before it has its size again: admit somebody."""

    code = "group-not-whole"
    title = "The group has fewer members than the charter asks for"


class GroupTimeOver(Conflict):
    """A group that was not made whole in the charter's days takes nobody in any more.

    It dissolves as soon as nothing in it is live: repay, then exit or dissolve.
    """

    code = "group-time-over"
    title = "The group was not whole again in time and has to dissolve"


class GroupForOtherProduct(Conflict):
    """A group that was formed for one product borrows for that one."""

    code = "group-for-other-product"
    title = "The group was formed for another product"


class NoLeaderToRecall(Conflict):
    """The group is without a leader already: vote for one."""

    code = "no-leader-to-recall"
    title = "There is no leader to recall"


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
