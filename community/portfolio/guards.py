"""The history of classes and provisions refuses UPDATE and DELETE, like the journal.

Migrations state the same in their own text, and a test compares the triggers.
"""

from community.bulk import table_of
from community.ledger.guards import keep_history
from community.portfolio.models import LoanClassChange, ProvisionChange

GUARDED = (LoanClassChange.__tablename__, ProvisionChange.__tablename__)

for _model in (LoanClassChange, ProvisionChange):
    keep_history(table_of(_model))
