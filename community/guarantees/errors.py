"""Refusals of the guarantees room."""

from community.errors import (
    AlreadyExists,
    Conflict,
    LimitReached,
    NotAllowed,
    NotFound,
    WrongState,
)


class CallNotFound(NotFound):
    code = "call-not-found"
    title = "No such call"


class CallNotOpen(WrongState):
    code = "call-not-open"
    title = "Nothing is asked on this call any more"


class MoreThanCalled(LimitReached):
    code = "more-than-called"
    title = "The payment exceeds what is called"


class CapReached(LimitReached):
    code = "cap-reached"
    title = "A guarantor never pays more than they signed"


class NotTheGuarantor(NotAllowed):
    code = "not-the-guarantor"
    title = "Only the called guarantor can do this"


class NothingOwed(Conflict):
    code = "nothing-owed"
    title = "Nothing is owed on this loan"


class NothingToWriteOff(WrongState):
    code = "not-ready-to-write-off"
    title = "The loan cannot be written off yet"


class ClaimNotFound(NotFound):
    code = "claim-not-found"
    title = "No such claim"


class SettlementNotFound(NotFound):
    code = "claim-settlement-not-found"
    title = "No such settlement of a claim"


class MoreThanClaimed(LimitReached):
    code = "more-than-claimed"
    title = "The amount exceeds what is left of the claim"


class NotTheClaimant(NotAllowed):
    code = "not-the-claimant"
    title = "Only whoever has the claim can do this"


class NotAParty(NotAllowed):
    code = "not-a-party-of-the-claim"
    title = "Only the claimant and the debtor of a claim can say that it was settled"


class PaidThroughTheLoan(WrongState):
    code = "paid-through-the-loan"
    title = "The reserve fund is paid back through the loan"


class SettlementAnswered(WrongState):
    code = "claim-settlement-answered"
    title = "The settlement was answered already"


class SettlementNotReversible(WrongState):
    code = "claim-settlement-not-reversible"
    title = "The settlement cannot be taken back"


class CoverChangeNotFound(NotFound):
    code = "cover-change-not-found"
    title = "No such change of cover"


class CoverChangeOver(WrongState):
    code = "cover-change-over"
    title = "The change of cover is done, refused or withdrawn"


class CoverChangeOpen(AlreadyExists):
    """One change of a guarantor's cover of a loan is agreed on at a time."""

    code = "cover-change-open"
    title = "There is an open change of this cover already"


class NotInCoverChange(NotAllowed):
    """Only the guarantor who leaves, the one who comes and the borrower agree on it."""

    code = "not-in-cover-change"
    title = "This change of cover does not need your consent"


class CoversNothing(Conflict):
    """Nothing of the loan rests on this guarantor."""

    code = "covers-nothing"
    title = "Nothing of the loan rests on this guarantor"


class CoverIsCalled(Conflict):
    """What is called, or about to be, stays with whom it was asked of.

    Remedy: pay the call or have it settled; once the loan is back on its plan cover may move.
    """

    code = "cover-is-called"
    title = "The cover of this loan is called and stays where it is"


class CoverNotMoving(Conflict):
    """Cover moves while it is reserved for a loan that is approved or paid out."""

    code = "cover-not-moving"
    title = "The loan has no cover to move"


class CoverShortOf(LimitReached):
    """Nobody is released before others hold what they held.

    Remedy: who is named under `could_fill` raises a promise or locks more savings, or the borrower
    repays some of the loan.
    """

    code = "cover-short-of"
    title = "The others cannot carry this cover"
