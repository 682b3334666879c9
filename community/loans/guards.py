"""What the database itself holds for money that goes straight to payees.

The parts of a disbursement sum to no more than it, those of a use to no more than the use, and the
use is one of the loan that is paid out. It stands beside `keep_history`: no part is changed or
taken away. Migrations state the same in their own text, and a test compares.
"""

from sqlalchemy import DDL, event
from sqlalchemy.schema import ExecutableDDLElement

from community.loans.models import PayeePayment

_MORE = "what goes to payees is within the disbursement and a use of its loan"
_EXCEEDS = """
  (SELECT COALESCE(SUM(amount_minor), 0) FROM payee_payments
   WHERE disbursement_id = NEW.disbursement_id) + NEW.amount_minor
    > (SELECT amount_minor FROM disbursements WHERE id = NEW.disbursement_id)
  OR (SELECT COALESCE(SUM(amount_minor), 0) FROM payee_payments
      WHERE use_id = NEW.use_id) + NEW.amount_minor
    > (SELECT amount_minor FROM loan_uses WHERE id = NEW.use_id)
  OR (SELECT loan_id FROM loan_uses WHERE id = NEW.use_id)
    <> (SELECT loan_id FROM disbursements WHERE id = NEW.disbursement_id)""".strip()

SQLITE = (
    "CREATE TRIGGER payee_payments_within BEFORE INSERT ON payee_payments "
    f"WHEN {_EXCEEDS} BEGIN SELECT RAISE(ABORT, '{_MORE}'); END",
)

# Two that write at once wait for each other: else neither would see what the other adds.
POSTGRESQL = (
    f"""
CREATE OR REPLACE FUNCTION guard_payee_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM disbursements WHERE id = NEW.disbursement_id FOR NO KEY UPDATE;
  PERFORM 1 FROM loan_uses WHERE id = NEW.use_id FOR NO KEY UPDATE;
  IF {_EXCEEDS} THEN
    RAISE EXCEPTION '{_MORE}' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
""",
    "CREATE TRIGGER payee_payments_within BEFORE INSERT ON payee_payments "
    "FOR EACH ROW EXECUTE FUNCTION guard_payee_payment()",
)


def _ddl(statement: str, dialect: str) -> ExecutableDDLElement:
    ddl: ExecutableDDLElement = DDL(statement)  # type: ignore[no-untyped-call]
    return ddl.execute_if(dialect=dialect)


_table = PayeePayment.metadata.tables[PayeePayment.__tablename__]
for _dialect, _statements in (("sqlite", SQLITE), ("postgresql", POSTGRESQL)):
    for _statement in _statements:
        event.listen(_table, "after_create", _ddl(_statement, _dialect))
