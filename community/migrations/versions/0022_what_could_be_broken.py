"""What could be broken by raw SQL, mended.

- One key signs records at a time, also when somebody writes a second one that is not live: the
  index over `is_live` counted on its being true of every key, which nothing held.
- History is kept also from SQLite's INSERT OR REPLACE, which takes a row away without asking the
  triggers on DELETE, and from PostgreSQL's TRUNCATE, which asks no row.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

LIVE = "ck_record_keys_live_until_its_last_day"
PAST = "the past is not changed: post a correction instead"
# The tables of history, and the keys of each.
KEPT: dict[str, tuple[str, ...]] = {
    "accrual_lines": ("entry_id, loan_id",),
    "campaign_answers": ("id", "assignment_id"),
    "campaign_rounds": ("id", "campaign_id, number"),
    "case_actions": ("id", "case_id, number"),
    "claim_movements": ("id",),
    "credit_line_changes": ("id", "line_id, number"),
    "credit_records": ("id", "public_id"),
    "group_agreements": ("id", "group_id, agreement_hash", "group_id, version"),
    "group_signatures": ("id", "group_member_id, agreement_hash"),
    "line_reserve_moves": ("id",),
    "loan_class_changes": ("id",),
    "motion_voters": ("motion_id, member_id",),
    "motion_votes": ("motion_id, member_id",),
    "peer_reports": ("id", "event_id", "public_id"),
    "promise_checks": ("id",),
    "promises": ("id", "public_id"),
    "provision_changes": ("id",),
    "record_imports": ("id", "assessment_id", "issuer, record"),
    "record_revocations": ("id", "record_id"),
    "risk_events": ("id", "community_id, rule, finding", "public_id"),
    "use_evidence": ("id", "use_id, number"),
    "visit_photos": ("id", "visit_id, number", "visit_id, sha256"),
}


def upgrade() -> None:
    with op.batch_alter_table("record_keys") as batch:
        batch.create_check_constraint(op.f(LIVE), "is_live")
    for table, keys in KEPT.items():
        if _is_postgresql():
            op.execute(
                f"CREATE TRIGGER {table}_keep_all BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
            continue
        there = " OR ".join(_is_there(key.split(", ")) for key in keys)
        op.execute(
            f"CREATE TRIGGER {table}_keep_insert BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {there}) "
            f"BEGIN SELECT RAISE(ABORT, '{PAST}'); END"
        )


def downgrade() -> None:
    for table in KEPT:
        if _is_postgresql():
            op.execute(f"DROP TRIGGER {table}_keep_all ON {table}")
        else:
            op.execute(f"DROP TRIGGER {table}_keep_insert")
    with op.batch_alter_table("record_keys") as batch:
        batch.drop_constraint(op.f(LIVE), type_="check")


def _is_there(key: list[str]) -> str:
    return "(" + " AND ".join(f"{column} = NEW.{column}" for column in key) + ")"


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
