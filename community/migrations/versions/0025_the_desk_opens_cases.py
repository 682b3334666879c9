"""The desk's findings become cases: subjects, whom events are about, and the rules for it."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# What the templates propose, whatever kind of community they are for; and where that is from.
PROPOSALS: dict[str, tuple[Any, str]] = {
    "risk_visits_missed": (2, "Template's proposal: once may happen to anybody"),
    "risk_visit_grace_days": (3, "Template's proposal; decide it in your assembly"),
    "risk_review_members_min": (
        2,
        "Template's proposal: one who sees a household otherwise is no conspiracy",
    ),
    "risk_hhi_bps": (
        [5000, 8000],
        "Template's proposal: two equal parts have 5000; one part has 10000",
    ),
    "risk_hhi_by": (
        [],
        "Template's proposal: one village has one region and few crops; name what you mean to spread",
    ),
    "risk_circle_worst_bps": (
        [2500, 5000],
        "Template's proposal: a quarter of all that is lent hangs on one circle",
    ),
    "risk_circle_expected_bps": (
        [200, 500],
        "Template's proposal: what a year's income from lending would barely carry",
    ),
    "risk_grown_bps": (5000, "Template's proposal: half as many again is news"),
    "risk_search_days": (1, "Template's proposal: every night"),
    "gate_admission": ("warn", "Template's proposal: everybody was new once; the officer is told"),
    "gate_first_vouch": (
        "warn",
        "Template's proposal: everybody was new once; the officer is told",
    ),
    "gate_crowd_min": (
        5,
        "Template's proposal: a family has an introducer; five without one are a crowd",
    ),
}
# Lists of rules that are on as the templates had them, and what they have besides now. One that
# an assembly has changed is left as it decided.
PROPOSED_BEFORE = {
    "risk_low_rules": ["expiring_cover", "missed_meetings"],
    "risk_high_rules": ["misuse", "circular_money", "cluster_alert"],
    "risk_leader_rules": ["late", "broken_promise", "missed_meetings"],
}
BESIDES = {
    "risk_low_rules": ["missed_visits", "newcomer"],
    "risk_high_rules": ["self_dealing", "invented_ring"],
    "risk_leader_rules": ["missed_visits"],
}
RULES = [
    "late",
    "broken_promise",
    "falling_stake",
    "expiring_cover",
    "missed_meetings",
    "concentration",
    "circular_money",
    "misuse",
    "distress",
    "coercion",
    "ghost_member",
    "review_conflict",
    "cluster_alert",
    "unusual_pattern",
]
NEW_RULES = [
    "late",
    "broken_promise",
    "falling_stake",
    "expiring_cover",
    "missed_meetings",
    "missed_visits",
    "concentration",
    "circular_money",
    "misuse",
    "distress",
    "coercion",
    "ghost_member",
    "review_conflict",
    "cluster_alert",
    "self_dealing",
    "invented_ring",
    "unusual_pattern",
    "newcomer",
]
PAST = "the past is not changed: post a correction instead"
SUBJECTS = "ck_risk_cases_subjects_are_nobodys_own"
# Kept tables that are touched here, and the keys of each.
EVENT_KEYS = ["id", "community_id, rule, finding", "public_id"]
PEOPLE_KEYS = ["event_id, member_id"]


def upgrade() -> None:
    _events_of(NEW_RULES)
    op.drop_index("uq_risk_cases_open", "risk_cases")
    with op.batch_alter_table("risk_cases") as batch:
        batch.add_column(sa.Column("subject", sa.String(length=80), nullable=True))
        batch.create_check_constraint(
            op.f(SUBJECTS),
            "subject IS NULL OR (member_id IS NULL AND group_id IS NULL AND NOT is_confidential)",
        )
    _open_cases_by("coalesce(subject, '')")
    op.create_table(
        "risk_event_people",
        sa.Column("event_id", BIG, autoincrement=False, nullable=False),
        sa.Column("member_id", BIG, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["risk_events.id"], name=op.f("fk_risk_event_people_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_risk_event_people_member_id")
        ),
        sa.PrimaryKeyConstraint("event_id", "member_id", name=op.f("pk_risk_event_people")),
    )
    op.create_index("ix_risk_event_people_member_id", "risk_event_people", ["member_id"])
    _keep("risk_event_people", PEOPLE_KEYS)
    _findings_have_a_day()
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    with op.batch_alter_table("campaign_findings") as batch:
        batch.drop_column("found_on")
    op.drop_table("risk_event_people")
    # What the rules of before could not say goes with its cases.
    _forget("risk_events")
    _forget("case_actions")
    gone = "(SELECT id FROM risk_cases WHERE subject IS NOT NULL)"
    new = ", ".join(f"'{rule}'" for rule in NEW_RULES if rule not in RULES)
    op.execute(f"DELETE FROM risk_events WHERE case_id IN {gone} OR rule IN ({new})")
    op.execute(f"DELETE FROM case_actions WHERE case_id IN {gone}")
    op.execute(f"DELETE FROM risk_cases WHERE id IN {gone}")
    _keep("case_actions", ["id", "case_id, number"])
    op.drop_index("uq_risk_cases_open", "risk_cases")
    with op.batch_alter_table("risk_cases") as batch:
        batch.drop_constraint(op.f(SUBJECTS), type_="check")
        batch.drop_column("subject")
    _open_cases_by()
    _keep("risk_events", EVENT_KEYS)
    _events_of(RULES)


def _events_of(rules: list[str]) -> None:
    """The rules that events may be of; SQLite makes the table anew, and loses its triggers."""
    listed = ", ".join(f"'{rule}'" for rule in rules)
    with op.batch_alter_table("risk_events") as batch:
        batch.drop_constraint(op.f("ck_risk_events_risk_rule"), type_="check")
        batch.create_check_constraint(op.f("ck_risk_events_risk_rule"), f"rule IN ({listed})")
    if not _is_postgresql():
        _keep("risk_events", EVENT_KEYS)


def _open_cases_by(*further: str) -> None:
    columns: list[Any] = ["community_id", sa.text("coalesce(member_id, 0)"), "is_confidential"]
    op.create_index(
        "uq_risk_cases_open",
        "risk_cases",
        columns + [sa.text(expression) for expression in further],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
        sqlite_where=sa.text("status = 'open'"),
    )


def _findings_have_a_day() -> None:
    """Findings of reviews before were made when the last answer was in."""
    with op.batch_alter_table("campaign_findings") as batch:
        batch.add_column(sa.Column("found_on", sa.Date(), nullable=True))
    as_day = "CAST(max(answered_at) AS date)" if _is_postgresql() else "date(max(answered_at))"
    op.execute(
        f"UPDATE campaign_findings SET found_on = coalesce((SELECT {as_day} FROM campaign_answers"
        " WHERE campaign_answers.campaign_id = campaign_findings.campaign_id),"
        " (SELECT opened_on FROM campaigns WHERE campaigns.id = campaign_findings.campaign_id))"
    )
    with op.batch_alter_table("campaign_findings") as batch:
        batch.alter_column("found_on", existing_type=sa.Date(), nullable=False)


def _keep(table: str, keys: list[str]) -> None:
    """Rows of this table are not changed, as `ledger.guards.keep_history` has it."""
    if _is_postgresql():
        op.execute(
            f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_keep_all BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    there = " OR ".join(
        "(" + " AND ".join(f"{name} = NEW.{name}" for name in key.split(", ")) + ")" for key in keys
    )
    op.execute(
        f"CREATE TRIGGER {table}_keep_insert BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {there}) "
        f"BEGIN SELECT RAISE(ABORT, '{PAST}'); END"
    )
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER {table}_keep_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{PAST}'); END"
        )


def _forget(table: str) -> None:
    """The counterpart of `_keep`."""
    if _is_postgresql():
        for suffix in ("keep", "keep_all"):
            op.execute(f"DROP TRIGGER {table}_{suffix} ON {table}")
        return
    for verb in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER {table}_keep_{verb}")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _change_charters(change: Any) -> None:
    """Every stored charter gets the numbers that the templates propose."""
    charters = sa.table("charters", sa.column("id"), sa.column("rules"))
    connection = op.get_bind()
    as_json = "CAST(:rules AS json)" if connection.dialect.name == "postgresql" else ":rules"
    for charter_id, rules in connection.execute(sa.select(charters.c.id, charters.c.rules)).all():
        document = json.loads(rules) if isinstance(rules, str) else rules
        connection.execute(
            sa.text(f"UPDATE charters SET rules = {as_json} WHERE id = :id"),
            {"id": charter_id, "rules": json.dumps(change(document))},
        )


def _with_rules(rules: dict[str, Any]) -> dict[str, Any]:
    added = {
        name: {"value": value, "source": source} for name, (value, source) in PROPOSALS.items()
    }
    rules = rules | {name: rule for name, rule in added.items() if name not in rules}
    named = {one for name in rules if _is_list(name) for one in rules[name]["value"]}
    for name, before in PROPOSED_BEFORE.items():
        more = BESIDES[name]
        if rules[name]["value"] == before and (
            name == "risk_leader_rules" or not named & set(more)
        ):
            rules[name] = rules[name] | {"value": before + more}
    return rules


def _without_rules(rules: dict[str, Any]) -> dict[str, Any]:
    # Rules that are not known there cannot stand under a severity there either.
    kept = {name: rule for name, rule in rules.items() if name not in PROPOSALS}
    for name, rule in kept.items():
        if _is_list(name):
            known = [one for one in rule["value"] if one in RULES]
            kept[name] = rule | {"value": known}
    return kept


def _is_list(name: str) -> bool:
    return name.startswith("risk_") and name.endswith("_rules")
