"""The movements of claims refuse UPDATE and DELETE, like the journal.

Migrations state the same in their own text, and a test compares the triggers.
"""

from community.bulk import table_of
from community.guarantees.models import ClaimMovement
from community.ledger.guards import keep_history

keep_history(table_of(ClaimMovement))
