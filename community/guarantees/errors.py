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
