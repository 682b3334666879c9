"""What the database itself holds for collection sheets.

A sheet is entered as a draft. It can only be posted when its lines sum to its total, and from then
on neither it nor a line of it changes. Migrations state the same in their own text, and a test
compares.
"""

from sqlalchemy import DDL, event
from sqlalchemy.schema import ExecutableDDLElement

from community.receiving.models import Collection, CollectionLine

_REFUSE = "a posted sheet is not changed"
_UNEVEN = "the lines of a posted sheet sum to its total"
_SUM = "(SELECT COALESCE(SUM(amount_minor), 0) FROM collection_lines WHERE collection_id = NEW.id)"
# Somebody who posts the sheet waits for a line that is being written, or the line for them: else
# neither would see the other, and the sum would not be that of the lines.
_LOCKED = """PERFORM 1 FROM collections
  WHERE id IN (OLD.collection_id, NEW.collection_id) ORDER BY id FOR NO KEY UPDATE;"""
_POSTED = "EXISTS (SELECT 1 FROM collections WHERE id = {row}.collection_id AND status = 'posted')"

SQLITE = {
    "collections": (
        "CREATE TRIGGER collections_keep_update BEFORE UPDATE ON collections "
        f"WHEN OLD.status = 'posted' BEGIN SELECT RAISE(ABORT, '{_REFUSE}'); END",
        "CREATE TRIGGER collections_keep_delete BEFORE DELETE ON collections "
        f"WHEN OLD.status = 'posted' BEGIN SELECT RAISE(ABORT, '{_REFUSE}'); END",
        "CREATE TRIGGER collections_begin BEFORE INSERT ON collections "
        f"WHEN NEW.status = 'posted' BEGIN SELECT RAISE(ABORT, '{_UNEVEN}'); END",
        "CREATE TRIGGER collections_sum BEFORE UPDATE ON collections "
        f"WHEN NEW.status = 'posted' AND NEW.total_minor <> {_SUM} "
        f"BEGIN SELECT RAISE(ABORT, '{_UNEVEN}'); END",
    ),
    "collection_lines": tuple(
        f"CREATE TRIGGER collection_lines_keep_{verb} BEFORE {verb.upper()} ON collection_lines "
        f"WHEN {' OR '.join(_POSTED.format(row=row) for row in rows)} "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSE}'); END"
        for verb, rows in (("insert", ["NEW"]), ("update", ["OLD", "NEW"]), ("delete", ["OLD"]))
    ),
}

POSTGRESQL_FUNCTIONS = (
    f"""
CREATE OR REPLACE FUNCTION guard_collection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.status = 'posted' THEN
    RAISE EXCEPTION '{_REFUSE}' USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  IF NEW.status = 'posted' AND (TG_OP = 'INSERT' OR NEW.total_minor <> {_SUM}) THEN
    RAISE EXCEPTION '{_UNEVEN}' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
""",
    f"""
CREATE OR REPLACE FUNCTION guard_collection_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  {_LOCKED}
  IF TG_OP <> 'INSERT' AND {_POSTED.format(row="OLD")}
     OR TG_OP <> 'DELETE' AND {_POSTED.format(row="NEW")} THEN
    RAISE EXCEPTION '{_REFUSE}' USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$
""",
)

POSTGRESQL = {
    "collections": (
        "CREATE TRIGGER collections_keep BEFORE INSERT OR UPDATE OR DELETE ON collections "
        "FOR EACH ROW EXECUTE FUNCTION guard_collection()",
    ),
    "collection_lines": (
        "CREATE TRIGGER collection_lines_keep BEFORE INSERT OR UPDATE OR DELETE "
        "ON collection_lines FOR EACH ROW EXECUTE FUNCTION guard_collection_line()",
    ),
}


def _ddl(statement: str, dialect: str) -> ExecutableDDLElement:
    ddl: ExecutableDDLElement = DDL(statement)  # type: ignore[no-untyped-call]
    return ddl.execute_if(dialect=dialect)


for _model in (Collection, CollectionLine):
    _table = _model.metadata.tables[_model.__tablename__]
    # Functions with every table: the order in which tables are made is not ours.
    for _function in POSTGRESQL_FUNCTIONS:
        event.listen(_table, "after_create", _ddl(_function, "postgresql"))
    for _statement in SQLITE[_table.name]:
        event.listen(_table, "after_create", _ddl(_statement, "sqlite"))
    for _statement in POSTGRESQL[_table.name]:
        event.listen(_table, "after_create", _ddl(_statement, "postgresql"))
