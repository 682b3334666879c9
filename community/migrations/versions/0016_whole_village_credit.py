"""Whole-village credit: campaigns, who reviews whom, answers, findings, grants; their rules."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSE = "the past is not changed: post a correction instead"
TABLES = [
    "campaigns",
    "campaign_findings",
    "campaign_households",
    "campaign_reviewers",
    "campaign_rounds",
    "campaign_assignments",
    "campaign_objections",
    "campaign_answers",
]
KEPT = ["campaign_rounds", "campaign_answers"]
# What the village template proposes.
RULES: dict[str, dict[str, Any]] = {
    "campaign_reviewers_per_household": {
        "value": 5,
        "source": "Template's proposal: with five the median stands when two of them lie",
    },
    "campaign_rounds_max": {
        "value": 2,
        "source": "Template's proposal: a second panel where the first lies too far apart",
    },
    "campaign_known_min": {
        "value": 3,
        "source": "Template's proposal: below three answers there is no middle one",
    },
    "campaign_spread_bps_max": {
        "value": 3000,
        "source": "Template's proposal; decide it in your assembly",
    },
    "campaign_against_bps_max": {
        "value": 5000,
        "source": "Template's proposal: no credit from the campaign where more than half of those who know a household give reasons against",
    },
    "campaign_outlier_mads_bps": {
        "value": 35000,
        "source": "Modified z score of 3.5 (Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers)",
    },
    "campaign_outlier_floor_bps": {
        "value": 3000,
        "source": "Template's proposal: what is within three tenths of the others is an opinion",
    },
    "campaign_bias_bps": {
        "value": 2000,
        "source": "Template's proposal; decide it in your assembly",
    },
    "campaign_bias_answers_min": {
        "value": 5,
        "source": "Five answers on one side come by chance once in sixteen",
    },
    "campaign_agreement_ppm": {
        "value": 10000,
        "source": "One campaign in a hundred may accuse an honest pair, Bonferroni's correction included (Wesolowsky 2000)",
    },
    "campaign_agreement_shared_min": {
        "value": 4,
        "source": "Template's proposal; decide it in your assembly",
    },
    "campaign_inflation_bps": {
        "value": 4000,
        "source": "Template's proposal; decide it in your assembly",
    },
    "campaign_recheck_bps": {
        "value": 1000,
        "source": "Template's proposal: one household in ten is visited",
    },
    "campaign_objection_days": {"value": 7, "source": "Custom of public notice: seven days"},
    "campaign_grant_share_bps": {
        "value": 8000,
        "source": "Template's proposal: a fifth below what neighbours suggest",
    },
    "campaign_household_minor_max": {
        "value": 3000000,
        "source": "Template's proposal; decide it in your assembly: 30,000 yuan for one household",
    },
    "campaign_expiry_months": {
        "value": 12,
        "source": "Template's proposal: standing is reviewed every year",
    },
    "campaign_board_sees": {
        "value": "totals",
        "source": "Template's proposal: counts and sums, never a name (design: no public list of debtors)",
    },
}
# Where the other kinds of community differ.
OTHERS: dict[str, dict[str, Any]] = {
    "interest": {
        "campaign_household_minor_max": {
            "value": 500000,
            "source": "Template's proposal; decide it in your assembly: 5,000 yuan for one household",
        },
        "campaign_board_sees": {
            "value": "counts",
            "source": "Template's proposal: counts, never a name (design: no public list of debtors)",
        },
    },
    "industry": {
        "campaign_household_minor_max": {
            "value": 20000000,
            "source": "Template's proposal; decide it in your assembly: 200,000 yuan for one household",
        }
    },
}


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "status",
            _choice(
                "campaign_status",
                "open",
                "reviewing",
                "checking",
                "published",
                "granting",
                "granted",
                "cancelled",
            ),
            nullable=False,
        ),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("line_id", BIG, nullable=True),
        sa.Column("seed", sa.String(length=64), nullable=False),
        sa.Column("kin", sa.JSON(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("published_on", sa.Date(), nullable=True),
        sa.Column("objections_until_on", sa.Date(), nullable=True),
        sa.Column("granting_on", sa.Date(), nullable=True),
        sa.Column("grants_until_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status IN ('granting', 'granted')) = (grants_until_on IS NOT NULL)",
            name=op.f("ck_campaigns_granted_until_a_day"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('published', 'granting', 'granted') OR published_on IS NOT NULL",
            name=op.f("ck_campaigns_published_on_a_day"),
        ),
        sa.CheckConstraint(
            "(published_on IS NULL) = (objections_until_on IS NULL)",
            name=op.f("ck_campaigns_published_for_days"),
        ),
        sa.CheckConstraint("round >= 0", name=op.f("ck_campaigns_rounds_count_up")),
        sa.ForeignKeyConstraint(
            ["charter_id"], ["charters.id"], name=op.f("fk_campaigns_charter_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_campaigns_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["credit_lines.id"], name=op.f("fk_campaigns_line_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("public_id", name=op.f("uq_campaigns_public_id")),
    )
    op.create_index(
        "uq_campaigns_running",
        "campaigns",
        ["community_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('granted', 'cancelled')"),
        sqlite_where=sa.text("status NOT IN ('granted', 'cancelled')"),
    )
    op.create_table(
        "campaign_findings",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column(
            "kind", _choice("finding_kind", "outlier", "bias", "agreement", "ring"), nullable=False
        ),
        sa.Column("reviewers", sa.JSON(), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("needs_decision", sa.Boolean(), nullable=False),
        sa.Column("decision", _choice("decision", "exclude", "keep"), nullable=True),
        sa.Column("decided_reason", sa.String(length=500), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("decided_by_id", BIG, nullable=True),
        sa.CheckConstraint(
            "(decision IS NULL) = (decided_reason IS NULL)",
            name=op.f("ck_campaign_findings_decided_with_a_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_findings_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["members.id"], name=op.f("fk_campaign_findings_decided_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_findings")),
        sa.UniqueConstraint("public_id", name=op.f("uq_campaign_findings_public_id")),
    )
    op.create_index("ix_campaign_findings_campaign_id", "campaign_findings", ["campaign_id"])
    op.create_table(
        "campaign_households",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("household_id", BIG, nullable=False),
        sa.Column("holder_id", BIG, nullable=False),
        sa.Column(
            "status",
            _choice(
                "household_status",
                "reviewed",
                "proposed",
                "withheld",
                "refused",
                "granted",
                "lapsed",
                "revoked",
                "expired",
            ),
            nullable=False,
        ),
        sa.Column(
            "verdict",
            _choice(
                "verdict",
                "proposed",
                "too_few_know",
                "too_far_apart",
                "reasons_against",
                "nothing_suggested",
            ),
            nullable=True,
        ),
        sa.Column("grounds", sa.JSON(), nullable=False),
        sa.Column("proposed_minor", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("is_sampled", sa.Boolean(), nullable=False),
        sa.Column(
            "visit_result",
            _choice("visit_result", "confirmed", "changed", "refused"),
            nullable=True,
        ),
        sa.Column("visit_minor", sa.BigInteger(), nullable=True),
        sa.Column("visit_note", sa.String(length=500), nullable=True),
        sa.Column("visited_on", sa.Date(), nullable=True),
        sa.Column("visited_by_id", BIG, nullable=True),
        sa.Column("assessment_id", BIG, nullable=True),
        sa.Column("granted_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("hindrance", sa.String(length=80), nullable=True),
        sa.Column("revoked_on", sa.Date(), nullable=True),
        sa.Column("revoked_reason", sa.String(length=500), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'revoked') = (revoked_on IS NOT NULL)",
            name=op.f("ck_campaign_households_revoked_on_a_day"),
        ),
        sa.CheckConstraint(
            "(visit_minor IS NOT NULL) = (visit_result IS NOT NULL AND visit_result = 'changed')",
            name=op.f("ck_campaign_households_a_visit_changes_to_an_amount"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('granted', 'revoked', 'expired') OR (amount_minor > 0 AND granted_on IS NOT NULL AND expires_on IS NOT NULL AND assessment_id IS NOT NULL)",
            name=op.f("ck_campaign_households_granted_with_its_assessment"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('withheld', 'refused', 'lapsed') OR amount_minor = 0",
            name=op.f("ck_campaign_households_nothing_where_nothing_is_granted"),
        ),
        _whole("campaign_households", "amount_minor"),
        _whole("campaign_households", "proposed_minor"),
        _whole("campaign_households", "visit_minor"),
        sa.CheckConstraint(
            "(visited_on IS NULL) = (visit_result IS NULL)",
            name=op.f("ck_campaign_households_a_visit_has_its_result"),
        ),
        sa.CheckConstraint(
            "proposed_minor >= 0 AND amount_minor >= 0",
            name=op.f("ck_campaign_households_amounts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name=op.f("fk_campaign_households_assessment_id")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_households_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["members.id"], name=op.f("fk_campaign_households_holder_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["households.id"], name=op.f("fk_campaign_households_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["visited_by_id"], ["members.id"], name=op.f("fk_campaign_households_visited_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_households")),
        sa.UniqueConstraint(
            "campaign_id",
            "household_id",
            name=op.f("uq_campaign_households_campaign_id_household_id"),
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_campaign_households_public_id")),
    )
    op.create_index(
        "ix_campaign_households_expiry",
        "campaign_households",
        ["expires_on"],
        unique=False,
        postgresql_where=sa.text("status = 'granted'"),
        sqlite_where=sa.text("status = 'granted'"),
    )
    op.create_index("ix_campaign_households_household_id", "campaign_households", ["household_id"])
    op.create_table(
        "campaign_reviewers",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("household_id", BIG, nullable=False),
        sa.Column("excluded_on", sa.Date(), nullable=True),
        sa.Column("excluded_reason", sa.String(length=500), nullable=True),
        sa.Column("excluded_by_id", BIG, nullable=True),
        sa.CheckConstraint(
            "(excluded_on IS NULL) = (excluded_reason IS NULL)",
            name=op.f("ck_campaign_reviewers_said_why"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_reviewers_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["excluded_by_id"], ["members.id"], name=op.f("fk_campaign_reviewers_excluded_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["households.id"], name=op.f("fk_campaign_reviewers_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_campaign_reviewers_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_reviewers")),
        sa.UniqueConstraint(
            "campaign_id",
            "member_id",
            "household_id",
            name=op.f("uq_campaign_reviewers_campaign_id_member_id_household_id"),
        ),
        sa.UniqueConstraint(
            "campaign_id", "member_id", name=op.f("uq_campaign_reviewers_campaign_id_member_id")
        ),
    )
    op.create_table(
        "campaign_rounds",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("drawn_on", sa.Date(), nullable=False),
        sa.Column("drawn_by_id", BIG, nullable=True),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_rounds_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["drawn_by_id"], ["members.id"], name=op.f("fk_campaign_rounds_drawn_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_rounds")),
        sa.UniqueConstraint(
            "campaign_id", "number", name=op.f("uq_campaign_rounds_campaign_id_number")
        ),
    )
    op.create_table(
        "campaign_assignments",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("reviewer_id", sa.Integer(), nullable=False),
        sa.Column("reviewer_household_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.Column("knows", sa.Boolean(), nullable=True),
        sa.Column("reputation", sa.Integer(), nullable=True),
        sa.Column("debts", _choice("debts", "none", "some", "heavy", "unknown"), nullable=True),
        sa.Column("limit_minor", sa.BigInteger(), nullable=True),
        sa.Column("against", sa.String(length=500), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        _whole("campaign_assignments", "limit_minor"),
        sa.CheckConstraint(
            "NOT knows OR (limit_minor IS NOT NULL AND reputation IS NOT NULL)",
            name=op.f("ck_campaign_assignments_who_knows_says_how_much"),
        ),
        sa.CheckConstraint(
            "answered_at IS NULL OR knows IS NOT NULL",
            name=op.f("ck_campaign_assignments_an_answer_says_who_is_known"),
        ),
        sa.CheckConstraint(
            "limit_minor IS NULL OR limit_minor >= 0",
            name=op.f("ck_campaign_assignments_limit_not_negative"),
        ),
        sa.CheckConstraint(
            "reputation IS NULL OR reputation BETWEEN 1 AND 5",
            name=op.f("ck_campaign_assignments_one_to_five"),
        ),
        sa.CheckConstraint(
            "reviewer_household_id <> household_id",
            name=op.f("ck_campaign_assignments_nobody_reviews_their_own"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "household_id"],
            ["campaign_households.campaign_id", "campaign_households.household_id"],
            name="fk_campaign_assignments_household",
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "reviewer_id", "reviewer_household_id"],
            [
                "campaign_reviewers.campaign_id",
                "campaign_reviewers.member_id",
                "campaign_reviewers.household_id",
            ],
            name="fk_campaign_assignments_reviewer",
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_assignments_campaign_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_assignments")),
        sa.UniqueConstraint(
            "campaign_id",
            "household_id",
            "reviewer_id",
            name=op.f("uq_campaign_assignments_campaign_id_household_id_reviewer_id"),
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_campaign_assignments_public_id")),
    )
    op.create_index("ix_campaign_assignments_reviewer_id", "campaign_assignments", ["reviewer_id"])
    op.create_table(
        "campaign_objections",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("campaign_household_id", BIG, nullable=False),
        sa.Column("objector_id", BIG, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("raised_on", sa.Date(), nullable=False),
        sa.Column(
            "status",
            _choice("objection_status", "open", "rejected", "changed", "stopped"),
            nullable=False,
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("answer", sa.String(length=500), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("answered_as", sa.Integer(), nullable=True),
        sa.Column("answered_by_id", BIG, nullable=True),
        sa.CheckConstraint(
            "(status = 'changed') = (amount_minor IS NOT NULL)",
            name=op.f("ck_campaign_objections_a_change_has_its_amount"),
        ),
        sa.CheckConstraint(
            "(status = 'open') = (answer IS NULL)",
            name=op.f("ck_campaign_objections_closed_with_an_answer"),
        ),
        sa.CheckConstraint(
            "(status = 'open') = (answered_on IS NULL)",
            name=op.f("ck_campaign_objections_answered_on_a_day"),
        ),
        _whole("campaign_objections", "amount_minor"),
        sa.ForeignKeyConstraint(
            ["answered_by_id"], ["members.id"], name=op.f("fk_campaign_objections_answered_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_household_id"],
            ["campaign_households.id"],
            name=op.f("fk_campaign_objections_campaign_household_id"),
        ),
        sa.ForeignKeyConstraint(
            ["objector_id"], ["members.id"], name=op.f("fk_campaign_objections_objector_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_objections")),
        sa.UniqueConstraint("public_id", name=op.f("uq_campaign_objections_public_id")),
    )
    op.create_index(
        "uq_campaign_objections_open",
        "campaign_objections",
        ["campaign_household_id", "objector_id"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
        sqlite_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "campaign_answers",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("assignment_id", BIG, nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("reviewer_id", BIG, nullable=False),
        sa.Column("household_id", BIG, nullable=False),
        sa.Column("knows", sa.Boolean(), nullable=False),
        sa.Column("reputation", sa.Integer(), nullable=True),
        sa.Column("debts", _choice("debts", "none", "some", "heavy", "unknown"), nullable=False),
        sa.Column("limit_minor", sa.BigInteger(), nullable=True),
        sa.Column("against", sa.String(length=500), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        _whole("campaign_answers", "limit_minor"),
        sa.ForeignKeyConstraint(
            ["assignment_id"],
            ["campaign_assignments.id"],
            name=op.f("fk_campaign_answers_assignment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_answers_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["households.id"], name=op.f("fk_campaign_answers_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["reviewer_id"], ["members.id"], name=op.f("fk_campaign_answers_reviewer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_answers")),
        sa.UniqueConstraint("assignment_id", name=op.f("uq_campaign_answers_assignment_id")),
    )
    op.create_index(op.f("ix_campaign_answers_campaign_id"), "campaign_answers", ["campaign_id"])
    for table in KEPT:
        _keep(table)
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    for table in reversed(TABLES):
        op.drop_table(table)


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _whole(table: str, column: str) -> Any:
    # Only SQLite's integer columns would take 1.5.
    return sa.CheckConstraint(
        f"typeof({column}) IN ('integer', 'null')", name=op.f(f"ck_{table}_{column}_is_whole")
    ).ddl_if(dialect="sqlite")


def _keep(table: str) -> None:
    if _is_postgresql():
        op.execute(
            f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER {table}_keep_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSE}'); END"
        )


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
    as_json = "CAST(:rules AS json)" if _is_postgresql() else ":rules"
    for charter_id, kind, rules in rows:
        document = json.loads(rules) if isinstance(rules, str) else rules
        connection.execute(
            sa.text(f"UPDATE charters SET rules = {as_json} WHERE id = :id"),
            {"id": charter_id, "rules": json.dumps(change(document, kind))},
        )


def _with_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    added = RULES | OTHERS.get(kind, {})
    return rules | {name: rule for name, rule in added.items() if name not in rules}


def _without_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name not in RULES}


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
