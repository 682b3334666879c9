"""Peer monitoring: risk events and cases, and the rules that they come from."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSE = "the past is not changed: post a correction instead"
KEPT = (
    "risk_events",
    "case_actions",
    "motion_voters",
    "motion_votes",
    "peer_reports",
    "visit_photos",
    "use_evidence",
    "promises",
)
# What the templates propose.
RULES: dict[str, dict[str, Any]] = {
    "risk_low_rules": {
        "value": ["expiring_cover", "missed_meetings"],
        "source": "Template's proposal; decide it in your assembly",
    },
    "risk_medium_rules": {
        "value": [
            "late",
            "broken_promise",
            "falling_stake",
            "concentration",
            "distress",
            "review_conflict",
            "unusual_pattern",
        ],
        "source": "Template's proposal; decide it in your assembly",
    },
    "risk_high_rules": {
        "value": ["misuse", "circular_money", "cluster_alert"],
        "source": "Template's proposal; decide it in your assembly",
    },
    "risk_critical_rules": {
        "value": ["coercion", "ghost_member"],
        "source": "Template's proposal: harm to a person and loans to nobody wait for no meeting",
    },
    "risk_leader_rules": {
        "value": ["late", "broken_promise", "missed_meetings"],
        "source": "Practice of joint-liability groups: the leader speaks to a member first",
    },
    "risk_case_days": {
        "value": [14, 7, 3, 1],
        "source": "Template's proposal; decide it in your assembly",
    },
    "risk_late_days": {
        "value": [1, 30, 90],
        "source": "Template's proposal: the day after a due, and from where loans count as at risk and as non-performing",
    },
    "risk_promise_grace_days": {
        "value": 1,
        "source": "Template's proposal: money may be a bank day on its way",
    },
    "risk_stake_fall_bps": {
        "value": 5000,
        "source": "Template's proposal; decide it in your assembly",
    },
    "risk_stake_days": {"value": 30, "source": "Template's proposal; decide it in your assembly"},
    "risk_cover_days": {"value": 30, "source": "Template's proposal; decide it in your assembly"},
    "risk_meetings_missed": {
        "value": 2,
        "source": "Template's proposal; decide it in your assembly",
    },
    "risk_concentration_bps": {
        "value": 2500,
        "source": "Template's proposal; decide it in your assembly",
    },
    "reports_per_span_max": {
        "value": 5,
        "source": "Template's proposal: enough for whoever sees much, too few to flood",
    },
    "report_span_days": {"value": 30, "source": "Template's proposal; decide it in your assembly"},
    "report_prior": {
        "value": [2, 1],
        "source": "Template's proposal: a report is rather right than wrong, until outcomes say otherwise",
    },
    "meeting_quorum_bps": {
        "value": 5000,
        "source": "Template's proposal; decide it in your assembly",
    },
    "meeting_proxies_max": {
        "value": 1,
        "source": "Template's proposal: one member speaks for at most one other",
    },
    "motion_majority_bps": {
        "value": 5000,
        "source": "Template's proposal: more than half of the votes cast",
    },
    "motion_unanimous": {
        "value": ["membership"],
        "source": "Template's proposal: whom to stand for is everybody's own decision",
    },
    "visit_photos_max": {"value": 6, "source": "Template's proposal; decide it in your assembly"},
    "visit_photo_bytes_max": {
        "value": 500000,
        "source": "Template's proposal: a photo of a cheap phone, made small",
    },
    "proceeds_return_days": {
        "value": 90,
        "source": "Template's proposal; decide it in your assembly",
    },
}
# What templates for other kinds of communities propose instead.
OTHERS: dict[str, dict[str, dict[str, Any]]] = {
    "industry": {
        "risk_case_days": {
            "value": [10, 5, 2, 1],
            "source": "Template's proposal; decide it in your assembly",
        },
        "risk_concentration_bps": {
            "value": 1500,
            "source": "Template's proposal; decide it in your assembly",
        },
        "motion_majority_bps": {
            "value": 5000,
            "source": "Template's proposal; decide it in your assembly",
        },
        "motion_unanimous": {
            "value": [],
            "source": "Template's proposal: enterprises decide by majority",
        },
    },
    "interest": {
        "risk_case_days": {
            "value": [7, 3, 2, 1],
            "source": "Template's proposal; decide it in your assembly",
        },
        "risk_concentration_bps": {
            "value": 4000,
            "source": "Template's proposal: a circle has few borrowers",
        },
        "meeting_quorum_bps": {
            "value": 6666,
            "source": "Template's proposal; decide it in your assembly",
        },
        "motion_majority_bps": {
            "value": 5000,
            "source": "Template's proposal; decide it in your assembly",
        },
    },
}


def upgrade() -> None:
    op.create_table(
        "meeting_plans",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("group_id", BIG, nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("every_days", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(length=120), nullable=False),
        sa.Column("set_by_id", BIG, nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "every_days >= 1 AND every_days <= 366", name=op.f("ck_meeting_plans_comes_again")
        ),
        _key("meeting_plans", "group_id", "groups"),
        _key("meeting_plans", "set_by_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meeting_plans")),
        sa.UniqueConstraint("group_id", name=op.f("uq_meeting_plans_group_id")),
    )
    op.create_table(
        "risk_cases",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("list_key", BIG, nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=True),
        sa.Column("group_id", BIG, nullable=True),
        sa.Column("is_confidential", sa.Boolean(), nullable=False),
        sa.Column("status", _choice("case_status", ["open", "closed"]), nullable=False),
        sa.Column(
            "severity", _choice("severity", ["low", "medium", "high", "critical"]), nullable=False
        ),
        sa.Column(
            "owner_role", _choice("case_role", ["leader", "officer", "operator"]), nullable=False
        ),
        sa.Column("owner_id", BIG, nullable=True),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column(
            "outcome",
            _choice("case_outcome", ["confirmed", "resolved", "false_alarm", "undecided"]),
            nullable=True,
        ),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'closed') = (outcome IS NOT NULL) AND (status = 'closed') = (closed_on IS NOT NULL)",
            name=op.f("ck_risk_cases_closed_with_its_outcome"),
        ),
        sa.CheckConstraint(
            "NOT is_confidential OR owner_role <> 'leader'",
            name=op.f("ck_risk_cases_confidential_is_for_officers"),
        ),
        sa.CheckConstraint("due_on >= opened_on", name=op.f("ck_risk_cases_due_after_it_opened")),
        sa.CheckConstraint(
            "owner_role <> 'leader' OR group_id IS NOT NULL",
            name=op.f("ck_risk_cases_leaders_of_groups"),
        ),
        _key("risk_cases", "community_id", "communities"),
        _key("risk_cases", "group_id", "groups"),
        _key("risk_cases", "member_id", "members"),
        _key("risk_cases", "owner_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_cases")),
        sa.UniqueConstraint("list_key", name=op.f("uq_risk_cases_list_key")),
        sa.UniqueConstraint("public_id", name=op.f("uq_risk_cases_public_id")),
    )
    op.create_index("ix_risk_cases_due", "risk_cases", ["community_id", "status", "due_on"])
    op.create_index("ix_risk_cases_group_id", "risk_cases", ["group_id", "status"])
    op.create_index("ix_risk_cases_member_id", "risk_cases", ["member_id", "status"])
    op.create_index(
        "uq_risk_cases_open",
        "risk_cases",
        ["community_id", sa.text("coalesce(member_id, 0)"), "is_confidential"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
        sqlite_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "visit_rounds",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("group_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "purpose",
            _choice("purpose", ["crop", "animals", "stock", "equipment", "housing", "other"]),
            nullable=False,
        ),
        sa.Column("seed", BIG, nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("drawn_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("drawn_by_id", BIG, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "due_on >= drawn_on", name=op.f("ck_visit_rounds_due_after_it_is_drawn")
        ),
        _key("visit_rounds", "community_id", "communities"),
        _key("visit_rounds", "drawn_by_id", "members"),
        _key("visit_rounds", "group_id", "groups"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_rounds")),
        sa.UniqueConstraint("group_id", "number", name=op.f("uq_visit_rounds_group_id_number")),
        sa.UniqueConstraint("public_id", name=op.f("uq_visit_rounds_public_id")),
    )
    op.create_table(
        "case_actions",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            _choice(
                "action_kind",
                [
                    "opened",
                    "joined",
                    "escalated",
                    "taken",
                    "closed",
                    "talk",
                    "reminder",
                    "visit",
                    "agreement",
                    "note",
                ],
            ),
            nullable=False,
        ),
        sa.Column("acted_on", sa.Date(), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        _key("case_actions", "actor_id", "members"),
        _key("case_actions", "case_id", "risk_cases"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_actions")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_case_actions_case_id_number")),
    )
    op.create_table(
        "meetings",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("group_id", BIG, nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("place", sa.String(length=120), nullable=False),
        sa.Column("minutes", sa.Text(), nullable=False),
        sa.Column("status", _choice("meeting_status", ["open", "closed"]), nullable=False),
        sa.Column("collection_id", BIG, nullable=True),
        sa.Column("members_count", sa.Integer(), nullable=True),
        sa.Column("spoken_for_count", sa.Integer(), nullable=True),
        sa.Column("is_quorate", sa.Boolean(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("entered_by_id", BIG, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'closed') = (closed_on IS NOT NULL) AND (status = 'closed') = (members_count IS NOT NULL) AND (members_count IS NULL) = (spoken_for_count IS NULL) AND (members_count IS NULL) = (is_quorate IS NULL)",
            name=op.f("ck_meetings_closed_is_counted"),
        ),
        sa.CheckConstraint(
            "spoken_for_count >= 0 AND spoken_for_count <= members_count",
            name=op.f("ck_meetings_counts_of_members"),
        ),
        _key("meetings", "collection_id", "collections"),
        _key("meetings", "community_id", "communities"),
        _key("meetings", "entered_by_id", "members"),
        _key("meetings", "group_id", "groups"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meetings")),
        sa.UniqueConstraint("collection_id", name=op.f("uq_meetings_collection_id")),
        sa.UniqueConstraint("group_id", "client_id", name=op.f("uq_meetings_group_id_client_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_meetings_public_id")),
    )
    op.create_index("ix_meetings_closed", "meetings", ["community_id", "closed_on"])
    op.create_index("ix_meetings_group_id", "meetings", ["group_id", "held_on"])
    op.create_table(
        "visits",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("round_id", BIG, nullable=False),
        sa.Column("visitor_id", BIG, nullable=False),
        sa.Column("visited_id", BIG, nullable=False),
        sa.Column("status", _choice("visit_status", ["assigned", "done"]), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("latitude_micro", sa.Integer(), nullable=True),
        sa.Column("longitude_micro", sa.Integer(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'done') = (done_on IS NOT NULL) AND (status = 'done') = (answers IS NOT NULL)",
            name=op.f("ck_visits_done_is_answered"),
        ),
        sa.CheckConstraint(
            "(latitude_micro IS NULL) = (longitude_micro IS NULL) AND latitude_micro BETWEEN -90000000 AND 90000000 AND longitude_micro BETWEEN -180000000 AND 180000000",
            name=op.f("ck_visits_somewhere_on_earth"),
        ),
        sa.CheckConstraint("visitor_id <> visited_id", name=op.f("ck_visits_to_somebody_else")),
        _key("visits", "round_id", "visit_rounds"),
        _key("visits", "visited_id", "members"),
        _key("visits", "visitor_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visits")),
        sa.UniqueConstraint("public_id", name=op.f("uq_visits_public_id")),
        sa.UniqueConstraint("round_id", "visited_id", name=op.f("uq_visits_round_id_visited_id")),
        sa.UniqueConstraint("round_id", "visitor_id", name=op.f("uq_visits_round_id_visitor_id")),
    )
    op.create_index("ix_visits_visited_id", "visits", ["visited_id"])
    op.create_index("ix_visits_visitor_id", "visits", ["visitor_id", "status"])
    op.create_table(
        "attendances",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("meeting_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column(
            "kind",
            _choice("attendance_kind", ["present", "proxy", "excused", "absent"]),
            nullable=False,
        ),
        sa.Column("proxy_id", BIG, nullable=True),
        sa.Column("note", sa.String(length=120), nullable=False),
        sa.CheckConstraint(
            "(kind = 'proxy') = (proxy_id IS NOT NULL)",
            name=op.f("ck_attendances_proxies_are_named"),
        ),
        sa.CheckConstraint("proxy_id <> member_id", name=op.f("ck_attendances_proxies_are_others")),
        _key("attendances", "meeting_id", "meetings"),
        _key("attendances", "member_id", "members"),
        _key("attendances", "proxy_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendances")),
        sa.UniqueConstraint(
            "meeting_id", "member_id", name=op.f("uq_attendances_meeting_id_member_id")
        ),
    )
    op.create_index("ix_attendances_member_id", "attendances", ["member_id"])
    op.create_table(
        "loan_uses",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("loan_id", BIG, nullable=False),
        sa.Column(
            "purpose",
            _choice("purpose", ["crop", "animals", "stock", "equipment", "housing", "other"]),
            nullable=False,
        ),
        sa.Column("payee_name", sa.String(length=120), nullable=False),
        sa.Column("payee_id", BIG, nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("verified_minor", sa.BigInteger(), nullable=False),
        sa.Column("stated_on", sa.Date(), nullable=False),
        sa.Column("stated_by_id", BIG, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_loan_uses_amount_is_positive")),
        sa.CheckConstraint(
            "verified_minor >= 0 AND verified_minor <= amount_minor",
            name=op.f("ck_loan_uses_verified_within_amount"),
        ),
        _whole("loan_uses", "amount_minor"),
        _whole("loan_uses", "verified_minor"),
        _key("loan_uses", "loan_id", "loans"),
        _key("loan_uses", "payee_id", "members"),
        _key("loan_uses", "stated_by_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loan_uses")),
        sa.UniqueConstraint("public_id", name=op.f("uq_loan_uses_public_id")),
    )
    op.create_index("ix_loan_uses_loan_id", "loan_uses", ["loan_id"])
    op.create_index("ix_loan_uses_payee_id", "loan_uses", ["payee_id"])
    op.create_table(
        "motions",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("meeting_id", BIG, nullable=False),
        sa.Column(
            "subject",
            _choice("motion_subject", ["general", "loan", "money", "membership", "rules"]),
            nullable=False,
        ),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("loan_id", BIG, nullable=True),
        sa.Column("ballot", _choice("ballot", ["open", "secret"]), nullable=False),
        sa.Column(
            "status",
            _choice("motion_status", ["open", "carried", "rejected", "void"]),
            nullable=False,
        ),
        sa.Column("majority_bps", sa.Integer(), nullable=False),
        sa.Column("is_unanimous", sa.Boolean(), nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("yes_count", sa.Integer(), nullable=False),
        sa.Column("no_count", sa.Integer(), nullable=False),
        sa.Column("abstain_count", sa.Integer(), nullable=False),
        sa.Column("proposed_by_id", BIG, nullable=False),
        sa.Column("counted_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "majority_bps >= 0 AND majority_bps < 10000",
            name=op.f("ck_motions_a_majority_can_be_reached"),
        ),
        sa.CheckConstraint(
            "(status = 'open') = (counted_on IS NULL)", name=op.f("ck_motions_counted_once")
        ),
        sa.CheckConstraint(
            "yes_count >= 0 AND no_count >= 0 AND abstain_count >= 0",
            name=op.f("ck_motions_counts_not_negative"),
        ),
        sa.CheckConstraint(
            "loan_id IS NULL OR subject = 'loan'", name=op.f("ck_motions_loans_are_about_loans")
        ),
        _key("motions", "charter_id", "charters"),
        _key("motions", "loan_id", "loans"),
        _key("motions", "meeting_id", "meetings"),
        _key("motions", "proposed_by_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_motions")),
        sa.UniqueConstraint("public_id", name=op.f("uq_motions_public_id")),
    )
    op.create_index("ix_motions_meeting_id", "motions", ["meeting_id"])
    op.create_table(
        "promises",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("loan_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("noted_by_id", BIG, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_promises_amount_is_positive")),
        sa.CheckConstraint("promised_on >= made_on", name=op.f("ck_promises_promised_for_later")),
        _whole("promises", "amount_minor"),
        _key("promises", "community_id", "communities"),
        _key("promises", "loan_id", "loans"),
        _key("promises", "member_id", "members"),
        _key("promises", "noted_by_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promises")),
        sa.UniqueConstraint("public_id", name=op.f("uq_promises_public_id")),
    )
    op.create_index("ix_promises_loan_id", "promises", ["loan_id"])
    op.create_index("ix_promises_promised_on", "promises", ["community_id", "promised_on"])
    op.create_table(
        "risk_events",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column(
            "rule",
            _choice(
                "risk_rule",
                [
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
                ],
            ),
            nullable=False,
        ),
        sa.Column("finding", sa.String(length=160), nullable=False),
        sa.Column(
            "severity", _choice("severity", ["low", "medium", "high", "critical"]), nullable=False
        ),
        sa.Column("member_id", BIG, nullable=True),
        sa.Column("loan_id", BIG, nullable=True),
        sa.Column("found_on", sa.Date(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        _key("risk_events", "case_id", "risk_cases"),
        _key("risk_events", "charter_id", "charters"),
        _key("risk_events", "community_id", "communities"),
        _key("risk_events", "loan_id", "loans"),
        _key("risk_events", "member_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_events")),
        sa.UniqueConstraint(
            "community_id", "rule", "finding", name=op.f("uq_risk_events_community_id_rule_finding")
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_risk_events_public_id")),
    )
    op.create_index("ix_risk_events_case_id", "risk_events", ["case_id"])
    op.create_index("ix_risk_events_member_id", "risk_events", ["member_id"])
    op.create_table(
        "visit_photos",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("visit_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("seen_before", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_visit_photos_is_something")),
        _key("visit_photos", "visit_id", "visits"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_photos")),
        sa.UniqueConstraint("visit_id", "number", name=op.f("uq_visit_photos_visit_id_number")),
        sa.UniqueConstraint("visit_id", "sha256", name=op.f("uq_visit_photos_visit_id_sha256")),
    )
    op.create_index("ix_visit_photos_sha256", "visit_photos", ["sha256"])
    op.create_table(
        "motion_voters",
        sa.Column("motion_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        _key("motion_voters", "member_id", "members"),
        _key("motion_voters", "motion_id", "motions"),
        sa.PrimaryKeyConstraint("motion_id", "member_id", name=op.f("pk_motion_voters")),
    )
    op.create_table(
        "motion_votes",
        sa.Column("motion_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("choice", _choice("choice", ["yes", "no", "abstain"]), nullable=False),
        sa.Column("cast_by_id", BIG, nullable=False),
        _key("motion_votes", "cast_by_id", "members"),
        _key("motion_votes", "member_id", "members"),
        _key("motion_votes", "motion_id", "motions"),
        sa.PrimaryKeyConstraint("motion_id", "member_id", name=op.f("pk_motion_votes")),
    )
    op.create_table(
        "peer_reports",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("reporter_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("text", sa.String(length=2000), nullable=False),
        sa.Column("week_on", sa.Date(), nullable=False),
        sa.Column("event_id", BIG, nullable=False),
        sa.CheckConstraint(
            "reporter_id <> member_id", name=op.f("ck_peer_reports_of_somebody_else")
        ),
        _key("peer_reports", "community_id", "communities"),
        _key("peer_reports", "event_id", "risk_events"),
        _key("peer_reports", "member_id", "members"),
        _key("peer_reports", "reporter_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_peer_reports")),
        sa.UniqueConstraint("event_id", name=op.f("uq_peer_reports_event_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_peer_reports_public_id")),
    )
    op.create_index(
        "ix_peer_reports_reporter_id", "peer_reports", ["reporter_id", "community_id", "week_on"]
    )
    op.create_table(
        "use_evidence",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("use_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "kind", _choice("evidence_kind", ["invoice", "photo", "visit", "seen"]), nullable=False
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("visit_id", BIG, nullable=True),
        sa.Column("verified_on", sa.Date(), nullable=False),
        sa.Column("verified_by_id", BIG, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_use_evidence_amount_is_positive")),
        sa.CheckConstraint(
            "(kind = 'visit') = (visit_id IS NOT NULL)",
            name=op.f("ck_use_evidence_visits_are_named"),
        ),
        _whole("use_evidence", "amount_minor"),
        _key("use_evidence", "use_id", "loan_uses"),
        _key("use_evidence", "verified_by_id", "members"),
        _key("use_evidence", "visit_id", "visits"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_use_evidence")),
        sa.UniqueConstraint("use_id", "number", name=op.f("uq_use_evidence_use_id_number")),
    )
    for table in KEPT:
        _keep(table)
    op.create_index(
        "ix_savings_movements_releases",
        "savings_movements",
        ["community_id", "moved_on"],
        postgresql_where=sa.text("kind = 'stake_release'"),
        sqlite_where=sa.text("kind = 'stake_release'"),
    )
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    op.drop_index("ix_savings_movements_releases", table_name="savings_movements")
    op.drop_table("use_evidence")
    op.drop_table("peer_reports")
    op.drop_table("motion_votes")
    op.drop_table("motion_voters")
    op.drop_table("visit_photos")
    op.drop_table("risk_events")
    op.drop_table("promises")
    op.drop_table("motions")
    op.drop_table("loan_uses")
    op.drop_table("attendances")
    op.drop_table("visits")
    op.drop_table("meetings")
    op.drop_table("case_actions")
    op.drop_table("visit_rounds")
    op.drop_table("risk_cases")
    op.drop_table("meeting_plans")


def _choice(name: str, values: list[str]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _whole(table: str, column: str) -> Any:
    # Only SQLite's integer columns would take 1.5.
    return sa.CheckConstraint(
        f"typeof({column}) IN ('integer', 'null')", name=op.f(f"ck_{table}_{column}_is_whole")
    ).ddl_if(dialect="sqlite")


def _key(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"))


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
