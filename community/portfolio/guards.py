"""The history of classes and provisions refuses UPDATE and DELETE, like the journal.

Migrations state the same in their own text, and a test compares the triggers.
"""

from sqlalchemy import DDL, event

from community.ledger.guards import POSTGRESQL_FUNCTIONS
from community.portfolio.models import LoanClassChange, ProvisionChange

GUARDED = (LoanClassChange.__tablename__, ProvisionChange.__tablename__)

_REFUSE = "the past is not changed: post a correction instead"


def _guard(model: type[LoanClassChange] | type[ProvisionChange]) -> None:
    name = model.__tablename__
    statements = [
        # The trigger's function may not be there yet: which table is made first is not said.
        ("postgresql", POSTGRESQL_FUNCTIONS[0].replace("%", "%%")),
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
        event.listen(model.__table__, "after_create", ddl.execute_if(dialect=dialect))


for _model in (LoanClassChange, ProvisionChange):
    _guard(_model)
