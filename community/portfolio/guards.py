"""The history of classes and provisions refuses UPDATE and DELETE, like the journal.

Migrations state the same in their own text, and a test compares the triggers.
"""

from sqlalchemy import DDL, event

from community.bulk import table_of
from community.ledger.models import JournalEntry
from community.portfolio.models import LoanClassChange, ProvisionChange

GUARDED = (LoanClassChange.__tablename__, ProvisionChange.__tablename__)

_REFUSE = "the past is not changed: post a correction instead"


def _guard(model: type[LoanClassChange] | type[ProvisionChange]) -> None:
    name, table = model.__tablename__, table_of(model)
    # The trigger's function is made with the journal.
    table.add_is_dependent_on(table_of(JournalEntry))
    statements = [
        (
            "postgresql",
            f"CREATE TRIGGER {name}_keep BEFORE UPDATE OR DELETE ON {name} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        ),
        *(
            (
                "sqlite",
                f"CREATE TRIGGER {name}_keep_{verb} BEFORE {verb.upper()} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSE}'); END",
            )
            for verb in ("update", "delete")
        ),
    ]
    for dialect, statement in statements:
        ddl = DDL(statement)  # type: ignore[no-untyped-call]
        event.listen(table, "after_create", ddl.execute_if(dialect=dialect))


for _model in (LoanClassChange, ProvisionChange):
    _guard(_model)
