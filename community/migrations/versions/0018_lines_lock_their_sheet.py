"""A line of a collection sheet and the posting of the sheet wait for each other."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

REFUSAL = "a posted sheet is not changed"
LOCKED = """PERFORM 1 FROM collections
  WHERE id IN (OLD.collection_id, NEW.collection_id) ORDER BY id FOR NO KEY UPDATE;"""
POSTED = "EXISTS (SELECT 1 FROM collections WHERE id = {row}.collection_id AND status = 'posted')"
GUARD = """
CREATE OR REPLACE FUNCTION guard_collection_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  %sIF TG_OP <> 'INSERT' AND %s
     OR TG_OP <> 'DELETE' AND %s THEN
    RAISE EXCEPTION '%s' USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$
"""


def _guard(first: str) -> str:
    return GUARD % (first, POSTED.format(row="OLD"), POSTED.format(row="NEW"), REFUSAL)


def upgrade() -> None:
    # SQLite has one writer: nothing can meet there.
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_guard(LOCKED + "\n  "))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_guard(""))
