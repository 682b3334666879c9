"""The risk desk: searches for circles, their names, stress tests; the charter rules they need."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# What the templates propose, by the kind of community that they are for; and where that is from.
PROPOSALS: dict[str, dict[str, Any]] = {
    "region": {
        "circle_members_min": 2,
        "circle_members_max": 30,
        "circle_ring_max": 4,
        "circles_advised_max": 20,
        "hub_share_bps_max": 1000,
        "contingent_bps_max": 30000,
        "failure_bps": [200, 1000, 3000, 6000, 10000],
        "fail_together_bps": 3000,
        "common_factor_bps": 2000,
        "assessed_pays_bps": 5000,
        "shortfall_tail_bps": 500,
        "newcomer_days": 180,
        "newcomer_trust_bps": 2000,
        "invented_ring_min": 3,
        "self_dealing_bps": 9000,
        "inflow_days": 90,
        "inflow_below_min": 6,
        "inflow_alike_bps": 5000,
        "inflow_payout_bps": 3000,
    },
    "industry": {
        "circle_members_min": 2,
        "circle_members_max": 30,
        "circle_ring_max": 4,
        "circles_advised_max": 20,
        "hub_share_bps_max": 1500,
        "contingent_bps_max": 30000,
        "failure_bps": [200, 1000, 3000, 6000, 10000],
        "fail_together_bps": 3000,
        "common_factor_bps": 2000,
        "assessed_pays_bps": 5000,
        "shortfall_tail_bps": 500,
        "newcomer_days": 180,
        "newcomer_trust_bps": 2000,
        "invented_ring_min": 3,
        "self_dealing_bps": 9000,
        "inflow_days": 90,
        "inflow_below_min": 6,
        "inflow_alike_bps": 5000,
        "inflow_payout_bps": 3000,
    },
    "interest": {
        "circle_members_min": 2,
        "circle_members_max": 12,
        "circle_ring_max": 4,
        "circles_advised_max": 20,
        "hub_share_bps_max": 2000,
        "contingent_bps_max": 30000,
        "failure_bps": [200, 1000, 3000, 6000, 10000],
        "fail_together_bps": 2000,
        "common_factor_bps": 1500,
        "assessed_pays_bps": 5000,
        "shortfall_tail_bps": 500,
        "newcomer_days": 180,
        "newcomer_trust_bps": 2000,
        "invented_ring_min": 3,
        "self_dealing_bps": 9000,
        "inflow_days": 90,
        "inflow_below_min": 6,
        "inflow_alike_bps": 5000,
        "inflow_payout_bps": 3000,
    },
}
SOURCES: dict[str, str] = {
    "circle_members_min": "Two who promise each other are the smallest circle",
    "circle_members_max": "Template's proposal: more than a desk can talk to at one table is looked at in parts",
    "circle_ring_max": "Template's proposal: promises that come back after four steps are still one story",
    "circles_advised_max": "Template's proposal: as many as an operator reads in a morning",
    "hub_share_bps_max": "Template's proposal; decide it in your assembly",
    "contingent_bps_max": "Template's proposal: own debt and promises up to three times what one can really pay",
    "failure_bps": "Template's proposal until your own history says better: a share a class, rising to certainty",
    "fail_together_bps": "Template's proposal: of failures in a circle, so many come with one cause for all of it",
    "common_factor_bps": "Template's proposal; the Basel rules for retail loans take 3 to 16 per cent, one village or trade is less mixed",
    "assessed_pays_bps": "Template's proposal: what is not locked comes half, until your own calls say better",
    "shortfall_tail_bps": "Template's proposal: the mean of the worst twentieth",
    "newcomer_days": "Template's proposal: half a year and a season's work to be known by",
    "newcomer_trust_bps": "Template's proposal: a fifth of what reaches those who are known; decide it by your own village",
    "invented_ring_min": "Template's proposal: three whom nobody knows and who know each other",
    "self_dealing_bps": "Template's proposal: nine tenths of the cover is their own",
    "inflow_days": "Template's proposal: promised returns are paid by the month, three of them show",
    "inflow_below_min": "Template's proposal: two who bring two each are a family; six on two levels are a shape",
    "inflow_alike_bps": "Template's proposal: shares in a scheme are sold at one price; savings are not",
    "inflow_payout_bps": "Template's proposal: a third of what came in below is paid out above",
}
TABLES = [
    "risk_circle_members",
    "risk_stress_calls",
    "risk_circles",
    "risk_stress_members",
    "risk_stress_draws",
    "risk_circle_names",
    "risk_stress_tests",
    "risk_runs",
]


def upgrade() -> None:
    op.create_table(
        "risk_runs",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("network_version", sa.String(length=64), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("vouches", sa.Integer(), nullable=False),
        sa.Column("outstanding_minor", sa.BigInteger(), nullable=False),
        sa.Column("largest_component", sa.Integer(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("circles", sa.Integer(), nullable=False),
        sa.Column("asked_by_id", BIG, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "typeof(outstanding_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_runs_outstanding_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("number >= 1", name=op.f("ck_risk_runs_runs_count_up")),
        sa.CheckConstraint(
            "outstanding_minor >= 0", name=op.f("ck_risk_runs_outstanding_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["members.id"], name=op.f("fk_risk_runs_asked_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["charter_id"], ["charters.id"], name=op.f("fk_risk_runs_charter_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_risk_runs_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_runs")),
        sa.UniqueConstraint(
            "community_id", "number", name=op.f("uq_risk_runs_community_id_number")
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_risk_runs_public_id")),
    )
    op.create_index(
        "ix_risk_runs_day", "risk_runs", ["community_id", "on_day", "number"], unique=False
    )
    op.create_table(
        "risk_stress_tests",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column(
            "shock",
            sa.Enum(
                "member",
                "village",
                "crop",
                "price",
                "common_factor",
                name="shock_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("draws", sa.Integer(), nullable=False),
        sa.Column("seed", BIG, nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "queued",
                "running",
                "done",
                "failed",
                name="stress_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("done_draws", sa.Integer(), nullable=False),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("network_version", sa.String(length=64), nullable=True),
        sa.Column("worker", sa.String(length=120), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("failure", sa.String(length=500), nullable=True),
        sa.Column("asked_by_id", BIG, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'running') = (worker IS NOT NULL)",
            name=op.f("ck_risk_stress_tests_somebody_runs_it"),
        ),
        sa.CheckConstraint(
            "status <> 'done' OR (done_draws = draws AND finished_at IS NOT NULL AND network_version IS NOT NULL)",
            name=op.f("ck_risk_stress_tests_done_is_whole"),
        ),
        sa.CheckConstraint(
            "(worker IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_risk_stress_tests_leases_have_a_worker"),
        ),
        sa.CheckConstraint(
            "draws >= 1 AND done_draws >= 0 AND done_draws <= draws",
            name=op.f("ck_risk_stress_tests_draws"),
        ),
        sa.CheckConstraint("seed >= 0", name=op.f("ck_risk_stress_tests_seed_not_negative")),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["members.id"], name=op.f("fk_risk_stress_tests_asked_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["charter_id"], ["charters.id"], name=op.f("fk_risk_stress_tests_charter_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_risk_stress_tests_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_stress_tests")),
        sa.UniqueConstraint("public_id", name=op.f("uq_risk_stress_tests_public_id")),
    )
    op.create_index(
        "ix_risk_stress_tests_community", "risk_stress_tests", ["community_id", "id"], unique=False
    )
    op.create_index(
        "ix_risk_stress_tests_work",
        "risk_stress_tests",
        ["status", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('queued', 'running')"),
        sqlite_where=sa.text("status IN ('queued', 'running')"),
    )
    op.create_table(
        "risk_circle_names",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_run_id", BIG, nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_risk_circle_names_names_count_up")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_risk_circle_names_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["first_run_id"], ["risk_runs.id"], name=op.f("fk_risk_circle_names_first_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_circle_names")),
        sa.UniqueConstraint(
            "community_id", "number", name=op.f("uq_risk_circle_names_community_id_number")
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_risk_circle_names_public_id")),
    )
    op.create_table(
        "risk_stress_draws",
        sa.Column("test_id", BIG, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("ruined", sa.Integer(), nullable=False),
        sa.Column("pool_minor", sa.BigInteger(), nullable=False),
        sa.Column("reserve_minor", sa.BigInteger(), nullable=False),
        sa.Column("members_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "typeof(members_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_stress_draws_members_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(pool_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_stress_draws_pool_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(reserve_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_stress_draws_reserve_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "pool_minor >= 0 AND reserve_minor >= 0 AND members_minor >= 0 AND failed >= 0 AND ruined >= 0 AND calls >= 0",
            name=op.f("ck_risk_stress_draws_nothing_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["test_id"], ["risk_stress_tests.id"], name=op.f("fk_risk_stress_draws_test_id")
        ),
        sa.PrimaryKeyConstraint("test_id", "number", name=op.f("pk_risk_stress_draws")),
    )
    op.create_table(
        "risk_stress_members",
        sa.Column("test_id", BIG, autoincrement=False, nullable=False),
        sa.Column("member_id", BIG, autoincrement=False, nullable=False),
        sa.Column("failed_draws", sa.Integer(), nullable=False),
        sa.Column("called_draws", sa.Integer(), nullable=False),
        sa.Column("ruined_draws", sa.Integer(), nullable=False),
        sa.Column("paid_sum_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_worst_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "typeof(paid_sum_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_stress_members_paid_sum_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(paid_worst_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_stress_members_paid_worst_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "paid_sum_minor >= 0 AND paid_worst_minor >= 0 AND paid_worst_minor <= paid_sum_minor AND failed_draws >= 0 AND called_draws >= 0 AND ruined_draws >= 0",
            name=op.f("ck_risk_stress_members_nothing_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_risk_stress_members_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["test_id"], ["risk_stress_tests.id"], name=op.f("fk_risk_stress_members_test_id")
        ),
        sa.PrimaryKeyConstraint("test_id", "member_id", name=op.f("pk_risk_stress_members")),
    )
    op.create_table(
        "risk_circles",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("name_id", BIG, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "circle",
                "mutual",
                "ring",
                "part",
                "hub",
                name="circle_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("hub_id", BIG, nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("borrowers", sa.Integer(), nullable=False),
        sa.Column("exposure_minor", sa.BigInteger(), nullable=False),
        sa.Column("expected_pool_minor", sa.BigInteger(), nullable=False),
        sa.Column("expected_members_minor", sa.BigInteger(), nullable=False),
        sa.Column("worst_pool_minor", sa.BigInteger(), nullable=False),
        sa.Column("worst_members_minor", sa.BigInteger(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'hub') = (hub_id IS NOT NULL)", name=op.f("ck_risk_circles_hubs_have_one")
        ),
        sa.CheckConstraint(
            "typeof(expected_members_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_circles_expected_members_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(expected_pool_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_circles_expected_pool_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(exposure_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_circles_exposure_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(worst_members_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_circles_worst_members_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(worst_pool_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_circles_worst_pool_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "exposure_minor >= 0 AND expected_pool_minor >= 0 AND expected_members_minor >= 0 AND worst_pool_minor >= 0 AND worst_members_minor >= 0",
            name=op.f("ck_risk_circles_losses_not_negative"),
        ),
        sa.CheckConstraint(
            "size >= 2 AND rank >= 1", name=op.f("ck_risk_circles_somebody_is_in_it")
        ),
        sa.CheckConstraint(
            "worst_pool_minor + worst_members_minor <= exposure_minor",
            name=op.f("ck_risk_circles_worst_within_exposure"),
        ),
        sa.ForeignKeyConstraint(["hub_id"], ["members.id"], name=op.f("fk_risk_circles_hub_id")),
        sa.ForeignKeyConstraint(
            ["name_id"], ["risk_circle_names.id"], name=op.f("fk_risk_circles_name_id")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["risk_runs.id"], name=op.f("fk_risk_circles_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_circles")),
        sa.UniqueConstraint("run_id", "name_id", name=op.f("uq_risk_circles_run_id_name_id")),
        sa.UniqueConstraint("run_id", "rank", name=op.f("uq_risk_circles_run_id_rank")),
    )
    op.create_index("ix_risk_circles_name_id", "risk_circles", ["name_id"], unique=False)
    op.create_table(
        "risk_stress_calls",
        sa.Column("test_id", BIG, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("loan_id", BIG, nullable=False),
        sa.Column("guarantor_id", BIG, nullable=False),
        sa.Column("for_guarantor_id", BIG, nullable=True),
        sa.Column(
            "ground",
            sa.Enum(
                "own",
                "direct",
                "second_hop",
                "co_guarantor",
                name="call_ground",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_stress_calls_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(paid_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_stress_calls_paid_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "amount_minor > 0 AND paid_minor >= 0 AND paid_minor <= amount_minor",
            name=op.f("ck_risk_stress_calls_paid_within_call"),
        ),
        sa.ForeignKeyConstraint(
            ["for_guarantor_id"], ["members.id"], name=op.f("fk_risk_stress_calls_for_guarantor_id")
        ),
        sa.ForeignKeyConstraint(
            ["guarantor_id"], ["members.id"], name=op.f("fk_risk_stress_calls_guarantor_id")
        ),
        sa.ForeignKeyConstraint(
            ["loan_id"], ["loans.id"], name=op.f("fk_risk_stress_calls_loan_id")
        ),
        sa.ForeignKeyConstraint(
            ["test_id"], ["risk_stress_tests.id"], name=op.f("fk_risk_stress_calls_test_id")
        ),
        sa.PrimaryKeyConstraint("test_id", "number", name=op.f("pk_risk_stress_calls")),
    )
    op.create_table(
        "risk_circle_members",
        sa.Column("circle_id", BIG, autoincrement=False, nullable=False),
        sa.Column("member_id", BIG, autoincrement=False, nullable=False),
        sa.Column("owed_minor", sa.BigInteger(), nullable=False),
        sa.Column("guaranteed_minor", sa.BigInteger(), nullable=False),
        sa.Column("contingent_bps", BIG, nullable=True),
        sa.Column("core", sa.Integer(), nullable=False),
        sa.Column("is_articulation", sa.Boolean(), nullable=False),
        sa.Column("worst_paid_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "typeof(guaranteed_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_circle_members_guaranteed_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(owed_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_circle_members_owed_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(worst_paid_minor) IN ('integer', 'null')",
            name=op.f("ck_risk_circle_members_worst_paid_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "owed_minor >= 0 AND guaranteed_minor >= 0 AND worst_paid_minor >= 0",
            name=op.f("ck_risk_circle_members_amounts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["circle_id"], ["risk_circles.id"], name=op.f("fk_risk_circle_members_circle_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_risk_circle_members_member_id")
        ),
        sa.PrimaryKeyConstraint("circle_id", "member_id", name=op.f("pk_risk_circle_members")),
    )
    op.create_index(
        "ix_risk_circle_members_member_id", "risk_circle_members", ["member_id"], unique=False
    )
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    for table in TABLES:
        op.drop_table(table)


def _change_charters(change: Any) -> None:
    """Every stored charter gets the rules that its kind of community's template proposes."""
    charters = sa.table("charters", sa.column("id"), sa.column("community_id"), sa.column("rules"))
    places = sa.table("communities", sa.column("id"), sa.column("kind"))
    connection = op.get_bind()
    rows = connection.execute(
        sa.select(charters.c.id, places.c.kind, charters.c.rules).join_from(
            charters, places, places.c.id == charters.c.community_id
        )
    ).all()
    as_json = "CAST(:rules AS json)" if connection.dialect.name == "postgresql" else ":rules"
    for charter_id, kind, rules in rows:
        document = json.loads(rules) if isinstance(rules, str) else rules
        connection.execute(
            sa.text(f"UPDATE charters SET rules = {as_json} WHERE id = :id"),
            {"id": charter_id, "rules": json.dumps(change(document, kind))},
        )


def _with_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    added = {
        name: {"value": value, "source": SOURCES[name]} for name, value in PROPOSALS[kind].items()
    }
    return rules | {name: rule for name, rule in added.items() if name not in rules}


def _without_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name not in SOURCES}
