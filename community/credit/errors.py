"""Refusals of the credit room."""

from community.errors import Conflict, LimitReached, NotAllowed, NotFound


class CreditLimitExceeded(LimitReached):
    """The loan is larger than the limit; `binding` names the rule that binds it and its remedy."""

    code = "credit-limit-exceeded"
    title = "The loan is above the credit limit"


class ApproverInvolved(NotAllowed):
    """Neither the borrower nor somebody of their household decides on the loan."""

    code = "approver-involved"
    title = "Nobody decides on a loan of their own household"


class WhatIfNotKnown(NotFound):
    """Members may ask "what if" about somebody with whom they have a promise or an offer here."""

    code = "what-if-not-known"
    title = "Nobody of this id is known to stand behind you"


class NothingToApprove(Conflict):
    """A group loan without shares cannot be approved."""

    code = "nothing-to-approve"
    title = "There is nothing to approve"
