"""What was agreed and signed in groups refuses UPDATE and DELETE, like the journal.

Migrations state the same in their own text, and a test compares the triggers.
"""

from community.bulk import table_of
from community.groups.models import GroupAgreement, GroupSignature
from community.ledger.guards import keep_history

GUARDED = (GroupAgreement.__tablename__, GroupSignature.__tablename__)

for _model in (GroupAgreement, GroupSignature):
    keep_history(table_of(_model))
