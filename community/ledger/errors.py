"""Refusals of the ledger."""

from community.errors import Conflict, Invalid, NotFound


class Unbalanced(Invalid):
    code = "unbalanced-entry"
    title = "Debits and credits of the entry differ"


class DayClosed(Conflict):
    code = "day-closed"
    title = "This business day is closed"


class EntryNotFound(NotFound):
    code = "entry-not-found"
    title = "No such journal entry"


class AlreadyReversed(Conflict):
    code = "already-reversed"
    title = "The entry was reversed already"
