"""Triggers that note whose standing or promises were written since a network file was built.

Only in communities that have one: all others pay nothing. The triggers see every way of writing,
bulk imports included. Migrations state the same in their own text, and a test compares.
"""

from sqlalchemy import DDL, event
from sqlalchemy.schema import ExecutableDDLElement

from community.bulk import table_of
from community.trust.models import NetworkBuild, Standing, Vouch

_SQLITE = """
CREATE TRIGGER {table}_noted_{verb} AFTER {verb} ON {table}
WHEN EXISTS (SELECT 1 FROM network_builds WHERE community_id = {row}.community_id)
BEGIN
  INSERT INTO trust_changes (community_id, member_id) VALUES ({row}.community_id, {row}.{member});
END"""
_FUNCTION = """
CREATE FUNCTION note_{table}() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
  INSERT INTO trust_changes (community_id, member_id)
  SELECT DISTINCT community_id, {member} FROM written
  WHERE community_id IN (SELECT community_id FROM network_builds);
  RETURN NULL;
END'"""
_POSTGRESQL = """
CREATE TRIGGER {table}_noted_{verb} AFTER {verb} ON {table}
REFERENCING {row} TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION note_{table}()"""


def _watch(model: type[Standing] | type[Vouch], member: str) -> None:
    table = table_of(model)
    table.add_is_dependent_on(table_of(NetworkBuild))

    def make(statement: str, dialect: str, verb: str = "") -> None:
        row = "OLD" if verb == "delete" else "NEW"
        filled = statement.format(table=table.name, verb=verb, row=row, member=member)
        ddl: ExecutableDDLElement = DDL(filled)  # type: ignore[no-untyped-call]
        event.listen(table, "after_create", ddl.execute_if(dialect=dialect))

    make(_FUNCTION, "postgresql")
    for verb in ("insert", "update", "delete"):
        make(_SQLITE, "sqlite", verb)
        make(_POSTGRESQL, "postgresql", verb)


_watch(Standing, "member_id")
_watch(Vouch, "voucher_id")
