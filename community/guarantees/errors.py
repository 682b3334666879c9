"""Refusals of the guarantees room."""

from community.errors import Conflict, LimitReached, NotAllowed, NotFound, WrongState


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
