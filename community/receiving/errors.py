"""Refusals of the receiving room."""

from community.errors import AlreadyExists, Conflict, Invalid, NotFound, WrongState


class CollectionNotFound(NotFound):
    """There is no such collection, or the caller may not know that there is."""

    code = "collection-not-found"
    title = "No such collection"


class CollectionPosted(WrongState):
    """The sheet is posted: it stays as it is. What was wrong is corrected receipt by receipt."""

    code = "collection-posted"
    title = "The sheet is posted and cannot change"


class CollectionExists(AlreadyExists):
    """The group has a sheet under this name, with other lines; `collection` is its id."""

    code = "collection-exists"
    title = "There is another sheet of this name"


class LineRefused(Invalid):
    """A line of the sheet cannot be right; `line` is its number, counted from 1."""

    code = "collection-line-refused"
    title = "A line of the sheet is not right"


class LineNotCollectable(Conflict):
    """The loan of a line takes no money any more; nothing of the sheet was booked."""

    code = "collection-line-not-live"
    title = "A loan on the sheet takes no money"


class SheetDoesNotAddUp(Invalid):
    """The lines do not sum to the total that was counted."""

    code = "collection-total"
    title = "The lines do not add up to the total"


class NothingCollected(Conflict):
    """A sheet without any money is not posted."""

    code = "nothing-collected"
    title = "There is no money on the sheet"


class BankLineNotFound(NotFound):
    """There is no such bank line, or the caller may not know that there is."""

    code = "bank-line-not-found"
    title = "No such bank line"


class BankLineSettled(WrongState):
    """The line is not in suspense any more: it was applied, saved or sent back, once."""

    code = "bank-line-settled"
    title = "The bank line is settled already"
