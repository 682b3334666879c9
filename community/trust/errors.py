"""Refusals of the trust room."""

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


class VouchNotFound(NotFound):
    code = "vouch-not-found"
    title = "No such vouch"


class AssessmentNotFound(NotFound):
    code = "assessment-not-found"
    title = "No such assessment"


class VouchForOneself(Invalid):
    """Nobody stands behind themself by a vouch; one's own savings can be locked as stake."""

    code = "vouch-for-oneself"
    title = "Nobody vouches for themself"


class VouchTooLarge(AmountOutOfRange):
    """The charter sets the most that one member may promise for another."""

    code = "vouch-too-large"
    title = "The promise is larger than the charter admits"


class GuaranteeCapReached(LimitReached):
    """The charter caps how many members one member stands behind, and for how much in all.

    Remedy: promise less, end or lower another promise, or raise what promises are measured by.
    """

    code = "guarantee-cap-reached"
    title = "One member may not promise so much for others"


class VoucherRecordBound(GuaranteeCapReached):
    """By the charter, how those whom somebody stood behind paid bounds what they newly promise.

    Money that the borrowers paid themselves counts, recent more than old, and few cases little.
    Remedy: promise less, or wait until those whom one stands behind have paid. What is signed
    stays.
    """

    code = "voucher-record-bound"
    title = "The record as a voucher does not carry so much"


class ExpiryOutOfRange(Invalid):
    """A promise or an assessment ends on a later day, within the time that its rule admits."""

    code = "expiry-out-of-range"
    title = "The expiry is too early or too late"


class OfferExists(AlreadyExists):
    """One side has one offer to the same member at a time; withdraw it to make another."""

    code = "vouch-offer-exists"
    title = "There is an open offer between the two already"


class NotYourSide(NotAllowed):
    """The other side of the promise has to take this step."""

    code = "not-your-side"
    title = "This step is the other side's"


class VouchNotOpen(WrongState):
    code = "vouch-not-open"
    title = "The vouch is not in the state for this step"


class OverdueGivesNoVouch(Conflict):
    """Whoever has something overdue first pays, then promises."""

    code = "overdue-gives-no-vouch"
    title = "A member with something overdue gives no new promise"


class VouchOnlyLowers(Conflict):
    """A promise grows only if both sides say so: make a new offer with the larger amount."""

    code = "vouch-only-lowers"
    title = "A promise alone can only be lowered"


class GroupVouchIsFixed(WrongState):
    """Promises of a joint-liability group are what its agreement says; they end with it."""

    code = "group-vouch-is-fixed"
    title = "The group's agreement holds this promise"


class VouchInUse(LimitReached):
    """Loans rest on the promise: it stays at least what is reserved and was paid on it."""

    code = "vouch-in-use"
    title = "Loans rest on this promise"


class StakeInUse(LimitReached):
    """Loans rest on the stake: what is reserved stays locked until they are repaid."""

    code = "stake-in-use"
    title = "Loans rest on this stake"


class AssessmentInUse(LimitReached):
    """Loans rest on the assessed standing: a new grant is at least what is reserved on it."""

    code = "assessment-in-use"
    title = "Loans rest on this assessment"


class AssessmentEnded(WrongState):
    code = "assessment-ended"
    title = "The assessment has ended"


class NotYourOwnAssessment(NotAllowed):
    """Nobody grants standing or capacity to themself or to their own household."""

    code = "not-your-own-assessment"
    title = "Nobody assesses their own household"
