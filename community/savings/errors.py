"""Refusals of the savings room."""

from community.errors import AlreadyExists, NotFound


class ReceiptNotFound(NotFound):
    """There is no such receipt, or it is somebody else's."""

    code = "receipt-not-found"
    title = "No such receipt"


class ReceiptExists(AlreadyExists):
    """A movement with this reference was booked: the same paper is not booked twice."""

    code = "receipt-exists"
    title = "A movement with this reference is booked already"
