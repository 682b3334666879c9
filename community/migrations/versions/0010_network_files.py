"""Network files: which one is in force, and what was written since."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MEMBERS = {"standings": "member_id", "vouches": "voucher_id"}
VERBS = ("insert", "update", "delete")


def upgrade() -> None:
    op.create_table(
        "network_builds",
        _key("community_id"),
        sa.Column("version", sa.String(length=60), nullable=True),
        sa.Column("day_on", sa.Date(), nullable=True),
        sa.Column("built_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_network_builds_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", name=op.f("pk_network_builds")),
    )
    op.create_table(
        "trust_changes",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        _key("community_id"),
        _key("member_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_changes")),
    )
    op.create_index(
        "ix_trust_changes_community_id", "trust_changes", ["community_id"], unique=False
    )
    for table, member in MEMBERS.items():
        if _is_postgresql():
            op.execute(
                f"CREATE FUNCTION note_{table}() RETURNS trigger LANGUAGE plpgsql AS '\n"
                "BEGIN\n"
                "  INSERT INTO trust_changes (community_id, member_id)\n"
                f"  SELECT DISTINCT community_id, {member} FROM written\n"
                "  WHERE community_id IN (SELECT community_id FROM network_builds);\n"
                "  RETURN NULL;\n"
                "END'"
            )
        for verb in VERBS:
            row = "OLD" if verb == "delete" else "NEW"
            name = f"CREATE TRIGGER {table}_noted_{verb} AFTER {verb} ON {table}\n"
            if _is_postgresql():
                op.execute(
                    f"{name}REFERENCING {row} TABLE AS written "
                    f"FOR EACH STATEMENT EXECUTE FUNCTION note_{table}()"
                )
            else:
                op.execute(
                    f"{name}WHEN EXISTS (SELECT 1 FROM network_builds "
                    f"WHERE community_id = {row}.community_id)\n"
                    "BEGIN\n"
                    "  INSERT INTO trust_changes (community_id, member_id) "
                    f"VALUES ({row}.community_id, {row}.{member});\n"
                    "END"
                )


def downgrade() -> None:
    for table in MEMBERS:
        for verb in VERBS:
            where = f" ON {table}" if _is_postgresql() else ""
            op.execute(f"DROP TRIGGER {table}_noted_{verb}{where}")
        if _is_postgresql():
            op.execute(f"DROP FUNCTION note_{table}()")
    op.drop_index("ix_trust_changes_community_id", table_name="trust_changes")
    op.drop_table("trust_changes")
    op.drop_table("network_builds")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)
