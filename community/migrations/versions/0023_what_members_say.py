"""What members say: ratings, items, complaints, themes, votes, messages; the rules they need."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PAST = "the past is not changed: post a correction instead"
# What the templates propose, by the kind of community that they are for; and where that is from.
PROPOSALS: dict[str, dict[str, Any]] = {
    "region": {
        "rating_raters_min": 5,
        "rating_per_day_max": 20,
        "feedback_per_day_max": 3,
        "feedback_per_week_max": 10,
        "feedback_weight_days": 180,
        "feedback_tied_bps": 5000,
        "feedback_burst_days": 7,
        "feedback_burst_min": 5,
        "complaint_per_week_max": 3,
        "complaint_days": [7, 14, 10, 3, 5],
        "complaint_reopen_days": 30,
        "complaint_reopens_max": 2,
        "theme_alike_bps": 2500,
        "theme_poll_days_min": 3,
        "theme_poll_days_max": 30,
        "theme_voter_days": 30,
        "theme_quorum_bps": 3000,
        "theme_majority_bps": 5000,
    },
    "industry": {
        "rating_raters_min": 5,
        "rating_per_day_max": 20,
        "feedback_per_day_max": 3,
        "feedback_per_week_max": 10,
        "feedback_weight_days": 180,
        "feedback_tied_bps": 5000,
        "feedback_burst_days": 7,
        "feedback_burst_min": 5,
        "complaint_per_week_max": 3,
        "complaint_days": [5, 10, 10, 3, 5],
        "complaint_reopen_days": 30,
        "complaint_reopens_max": 2,
        "theme_alike_bps": 2500,
        "theme_poll_days_min": 3,
        "theme_poll_days_max": 30,
        "theme_voter_days": 30,
        "theme_quorum_bps": 2500,
        "theme_majority_bps": 5000,
    },
    "interest": {
        "rating_raters_min": 4,
        "rating_per_day_max": 20,
        "feedback_per_day_max": 3,
        "feedback_per_week_max": 10,
        "feedback_weight_days": 90,
        "feedback_tied_bps": 5000,
        "feedback_burst_days": 7,
        "feedback_burst_min": 4,
        "complaint_per_week_max": 3,
        "complaint_days": [7, 14, 10, 3, 5],
        "complaint_reopen_days": 30,
        "complaint_reopens_max": 2,
        "theme_alike_bps": 2500,
        "theme_poll_days_min": 3,
        "theme_poll_days_max": 30,
        "theme_voter_days": 30,
        "theme_quorum_bps": 4000,
        "theme_majority_bps": 5000,
    },
}
SOURCES: dict[str, str] = {
    "rating_raters_min": "Template's proposal: among five nobody can tell who said what, nor what one who joined later said",
    "rating_per_day_max": "Template's proposal: more than anybody has to judge on one day",
    "feedback_per_day_max": "Template's proposal: who has more to say in a day says it in one text",
    "feedback_per_week_max": "Template's proposal",
    "feedback_weight_days": "Template's proposal: half a year and a season's work to be known by",
    "feedback_tied_bps": "Template's proposal: a second voice from one house or one pair is half a voice more",
    "feedback_burst_days": "Template's proposal: a campaign is over within a week",
    "feedback_burst_min": "Template's proposal: as many as a group has",
    "complaint_per_week_max": "Template's proposal: what hurts three times in a week is a case for a talk",
    "complaint_days": "Template's proposal: money and conduct first; terms of a product take a meeting",
    "complaint_reopen_days": "Template's proposal: a month to see whether it was put right",
    "complaint_reopens_max": "Template's proposal: after two more answers the assembly is asked",
    "theme_alike_bps": "Template's proposal: a quarter of the wording shared",
    "theme_poll_days_min": "Template's proposal: nobody is away for longer without knowing",
    "theme_poll_days_max": "Template's proposal",
    "theme_voter_days": "Template's proposal: who joins for a vote does not take part in it",
    "theme_quorum_bps": "Template's proposal; decide it in your assembly",
    "theme_majority_bps": "Template's proposal: more than half of yes and no",
}
TABLES = [
    "member_messages",
    "feedback_complaint_steps",
    "feedback_releases",
    "feedback_placements",
    "feedback_complaints",
    "feedback_ratings",
    "feedback_items",
    "feedback_subjects",
    "feedback_poll_voters",
    "feedback_polls",
    "feedback_themes",
]
# The tables of history, and the keys of each.
KEPT: dict[str, tuple[str, ...]] = {
    "feedback_ratings": ("id", "subject_id, member_id, number"),
    "feedback_releases": ("id", "subject_id, number", "subject_id, week_on"),
    "feedback_placements": ("id", "item_id, number"),
    "feedback_poll_voters": ("poll_id, member_id",),
    "feedback_complaint_steps": ("id", "complaint_id, number"),
}


def upgrade() -> None:
    op.create_table(
        "feedback_themes",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("summary", sa.String(length=2000), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "voting",
                "voted",
                "accepted",
                "declined",
                "shipped",
                "merged",
                name="theme_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("merged_into_id", BIG, nullable=True),
        sa.Column("poll_number", sa.Integer(), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("decided_by_id", BIG, nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("shipped_version_id", BIG, nullable=True),
        sa.Column("shipped_on", sa.Date(), nullable=True),
        sa.Column("created_by_id", BIG, nullable=False),
        sa.Column("created_on", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'merged') = (merged_into_id IS NOT NULL)",
            name=op.f("ck_feedback_themes_merged_into_another"),
        ),
        sa.CheckConstraint(
            "(status = 'shipped') = (shipped_version_id IS NOT NULL) AND (shipped_version_id IS NULL) = (shipped_on IS NULL)",
            name=op.f("ck_feedback_themes_shipped_in_a_version"),
        ),
        sa.CheckConstraint(
            "(status IN ('accepted', 'declined', 'shipped')) = (decided_on IS NOT NULL) AND (decided_on IS NULL) = (decided_by_id IS NULL) AND (decided_on IS NULL) = (reason IS NULL)",
            name=op.f("ck_feedback_themes_decided_by_somebody_with_a_reason"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('accepted', 'shipped') OR poll_number IS NOT NULL",
            name=op.f("ck_feedback_themes_accepted_by_vote"),
        ),
        sa.CheckConstraint("merged_into_id <> id", name=op.f("ck_feedback_themes_not_into_itself")),
        sa.CheckConstraint(
            "shipped_on >= decided_on", name=op.f("ck_feedback_themes_shipped_after_the_decision")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_feedback_themes_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["members.id"], name=op.f("fk_feedback_themes_created_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["members.id"], name=op.f("fk_feedback_themes_decided_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["merged_into_id"],
            ["feedback_themes.id"],
            name=op.f("fk_feedback_themes_merged_into_id"),
        ),
        sa.ForeignKeyConstraint(
            ["shipped_version_id"],
            ["product_versions.id"],
            name=op.f("fk_feedback_themes_shipped_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_themes")),
        sa.UniqueConstraint("public_id", name=op.f("uq_feedback_themes_public_id")),
    )
    op.create_index(
        "ix_feedback_themes_community", "feedback_themes", ["community_id", "id"], unique=False
    )
    op.create_index(
        "ix_feedback_themes_shipped", "feedback_themes", ["shipped_version_id"], unique=False
    )
    op.create_table(
        "feedback_polls",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("theme_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("opens_on", sa.Date(), nullable=False),
        sa.Column("closes_on", sa.Date(), nullable=False),
        sa.Column("joined_by_on", sa.Date(), nullable=False),
        sa.Column("voters_count", sa.Integer(), nullable=False),
        sa.Column("quorum_bps", sa.Integer(), nullable=False),
        sa.Column("majority_bps", sa.Integer(), nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "carried",
                "rejected",
                "void",
                name="poll_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("yes_count", sa.Integer(), nullable=False),
        sa.Column("no_count", sa.Integer(), nullable=False),
        sa.Column("abstain_count", sa.Integer(), nullable=False),
        sa.Column("counted_on", sa.Date(), nullable=True),
        sa.Column("put_by_id", BIG, nullable=False),
        sa.CheckConstraint(
            "(status = 'open') = (counted_on IS NULL)", name=op.f("ck_feedback_polls_counted_once")
        ),
        sa.CheckConstraint(
            "closes_on >= opens_on", name=op.f("ck_feedback_polls_closes_after_it_opens")
        ),
        sa.CheckConstraint(
            "counted_on > closes_on", name=op.f("ck_feedback_polls_counted_when_it_is_over")
        ),
        sa.CheckConstraint(
            "joined_by_on <= opens_on", name=op.f("ck_feedback_polls_voters_joined_before")
        ),
        sa.CheckConstraint(
            "majority_bps >= 0 AND majority_bps < 10000",
            name=op.f("ck_feedback_polls_a_majority_can_be_reached"),
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_feedback_polls_polls_count_up")),
        sa.CheckConstraint(
            "quorum_bps >= 1 AND quorum_bps <= 10000",
            name=op.f("ck_feedback_polls_a_quorum_can_be_reached"),
        ),
        sa.CheckConstraint(
            "yes_count >= 0 AND no_count >= 0 AND abstain_count >= 0 AND voters_count >= 0",
            name=op.f("ck_feedback_polls_counts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["charter_id"], ["charters.id"], name=op.f("fk_feedback_polls_charter_id")
        ),
        sa.ForeignKeyConstraint(
            ["put_by_id"], ["members.id"], name=op.f("fk_feedback_polls_put_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["theme_id"], ["feedback_themes.id"], name=op.f("fk_feedback_polls_theme_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_polls")),
        sa.UniqueConstraint("theme_id", "number", name=op.f("uq_feedback_polls_theme_id_number")),
    )
    op.create_index(
        "uq_feedback_polls_open",
        "feedback_polls",
        ["theme_id"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
        sqlite_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "feedback_poll_voters",
        sa.Column("poll_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_feedback_poll_voters_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["poll_id"], ["feedback_polls.id"], name=op.f("fk_feedback_poll_voters_poll_id")
        ),
        sa.PrimaryKeyConstraint("poll_id", "member_id", name=op.f("pk_feedback_poll_voters")),
    )
    op.create_table(
        "feedback_subjects",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "product",
                "meeting",
                "motion",
                "loan",
                "theme",
                name="subject_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("product_version_id", BIG, nullable=True),
        sa.Column("meeting_id", BIG, nullable=True),
        sa.Column("motion_id", BIG, nullable=True),
        sa.Column("loan_id", BIG, nullable=True),
        sa.Column("theme_id", BIG, nullable=True),
        sa.CheckConstraint(
            "(kind = 'product') = (product_version_id IS NOT NULL) AND (kind = 'meeting') = (meeting_id IS NOT NULL) AND (kind = 'motion') = (motion_id IS NOT NULL) AND (kind = 'loan') = (loan_id IS NOT NULL) AND (kind = 'theme') = (theme_id IS NOT NULL)",
            name=op.f("ck_feedback_subjects_one_thing_of_its_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_feedback_subjects_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["loan_id"], ["loans.id"], name=op.f("fk_feedback_subjects_loan_id")
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meetings.id"], name=op.f("fk_feedback_subjects_meeting_id")
        ),
        sa.ForeignKeyConstraint(
            ["motion_id"], ["motions.id"], name=op.f("fk_feedback_subjects_motion_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_version_id"],
            ["product_versions.id"],
            name=op.f("fk_feedback_subjects_product_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["theme_id"], ["feedback_themes.id"], name=op.f("fk_feedback_subjects_theme_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_subjects")),
        sa.UniqueConstraint("loan_id", name=op.f("uq_feedback_subjects_loan_id")),
        sa.UniqueConstraint("meeting_id", name=op.f("uq_feedback_subjects_meeting_id")),
        sa.UniqueConstraint("motion_id", name=op.f("uq_feedback_subjects_motion_id")),
        sa.UniqueConstraint(
            "product_version_id", name=op.f("uq_feedback_subjects_product_version_id")
        ),
        sa.UniqueConstraint("theme_id", name=op.f("uq_feedback_subjects_theme_id")),
    )
    op.create_index(
        "ix_feedback_subjects_community", "feedback_subjects", ["community_id", "id"], unique=False
    )
    op.create_table(
        "feedback_items",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("author_id", BIG, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "comment",
                "suggestion",
                "complaint",
                name="item_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("subject_id", BIG, nullable=True),
        sa.Column("text", sa.String(length=2000), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("theme_id", BIG, nullable=True),
        sa.Column("written_on", sa.Date(), nullable=False),
        sa.Column("hidden_on", sa.Date(), nullable=True),
        sa.Column("hidden_by_id", BIG, nullable=True),
        sa.Column("hidden_reason", sa.String(length=500), nullable=True),
        sa.CheckConstraint(
            "kind <> 'comment' OR subject_id IS NOT NULL",
            name=op.f("ck_feedback_items_comments_are_about_something"),
        ),
        sa.CheckConstraint(
            "(hidden_on IS NULL) = (hidden_by_id IS NULL) AND (hidden_on IS NULL) = (hidden_reason IS NULL)",
            name=op.f("ck_feedback_items_hidden_by_somebody_with_a_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["members.id"], name=op.f("fk_feedback_items_author_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_feedback_items_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["hidden_by_id"], ["members.id"], name=op.f("fk_feedback_items_hidden_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["feedback_subjects.id"], name=op.f("fk_feedback_items_subject_id")
        ),
        sa.ForeignKeyConstraint(
            ["theme_id"], ["feedback_themes.id"], name=op.f("fk_feedback_items_theme_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_items")),
        sa.UniqueConstraint(
            "community_id",
            "author_id",
            "fingerprint",
            name=op.f("uq_feedback_items_community_id_author_id_fingerprint"),
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_feedback_items_public_id")),
    )
    op.create_index(
        "ix_feedback_items_author_id",
        "feedback_items",
        ["author_id", "community_id", "written_on"],
        unique=False,
    )
    op.create_index(
        "ix_feedback_items_community", "feedback_items", ["community_id", "id"], unique=False
    )
    op.create_index("ix_feedback_items_theme_id", "feedback_items", ["theme_id"], unique=False)
    op.create_table(
        "feedback_ratings",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("subject_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("rated_on", sa.Date(), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_feedback_ratings_ratings_count_up")),
        sa.CheckConstraint(
            "stars >= 1 AND stars <= 5", name=op.f("ck_feedback_ratings_one_to_five")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_feedback_ratings_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["feedback_subjects.id"], name=op.f("fk_feedback_ratings_subject_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_ratings")),
        sa.UniqueConstraint(
            "subject_id",
            "member_id",
            "number",
            name=op.f("uq_feedback_ratings_subject_id_member_id_number"),
        ),
    )
    op.create_index(
        "ix_feedback_ratings_member", "feedback_ratings", ["member_id", "rated_on"], unique=False
    )
    op.create_index(
        "ix_feedback_ratings_subject", "feedback_ratings", ["subject_id", "id"], unique=False
    )
    op.create_table(
        "feedback_complaints",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("complainant_id", BIG, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "service",
                "product",
                "decision",
                "money",
                "conduct",
                name="complaint_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("against_id", BIG, nullable=True),
        sa.Column(
            "owner_role",
            sa.Enum(
                "officer",
                "operator",
                name="complaint_role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("owner_id", BIG, nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "closed",
                name="complaint_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "upheld",
                "partly",
                "rejected",
                "withdrawn",
                name="complaint_outcome",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("reopened_count", sa.Integer(), nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'closed') = (outcome IS NOT NULL) AND (status = 'closed') = (closed_on IS NOT NULL)",
            name=op.f("ck_feedback_complaints_closed_with_its_outcome"),
        ),
        sa.CheckConstraint(
            "against_id <> complainant_id", name=op.f("ck_feedback_complaints_not_against_oneself")
        ),
        sa.CheckConstraint(
            "due_on >= opened_on", name=op.f("ck_feedback_complaints_due_after_it_opened")
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_feedback_complaints_complaints_count_up")),
        sa.CheckConstraint(
            "owner_id <> against_id",
            name=op.f("ck_feedback_complaints_not_owned_by_whom_it_is_against"),
        ),
        sa.CheckConstraint(
            "owner_id <> complainant_id",
            name=op.f("ck_feedback_complaints_not_owned_by_who_complains"),
        ),
        sa.CheckConstraint(
            "reopened_count >= 0", name=op.f("ck_feedback_complaints_reopened_counts")
        ),
        sa.ForeignKeyConstraint(
            ["against_id"], ["members.id"], name=op.f("fk_feedback_complaints_against_id")
        ),
        sa.ForeignKeyConstraint(
            ["charter_id"], ["charters.id"], name=op.f("fk_feedback_complaints_charter_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_feedback_complaints_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["complainant_id"], ["members.id"], name=op.f("fk_feedback_complaints_complainant_id")
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["feedback_items.id"], name=op.f("fk_feedback_complaints_item_id")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["members.id"], name=op.f("fk_feedback_complaints_owner_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_complaints")),
        sa.UniqueConstraint(
            "community_id", "number", name=op.f("uq_feedback_complaints_community_id_number")
        ),
        sa.UniqueConstraint("item_id", name=op.f("uq_feedback_complaints_item_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_feedback_complaints_public_id")),
    )
    op.create_index(
        "ix_feedback_complaints_complainant_id",
        "feedback_complaints",
        ["complainant_id"],
        unique=False,
    )
    op.create_index(
        "ix_feedback_complaints_due",
        "feedback_complaints",
        ["community_id", "status", "due_on"],
        unique=False,
    )
    op.create_index(
        "ix_feedback_complaints_owner_id",
        "feedback_complaints",
        ["owner_id", "status"],
        unique=False,
    )
    op.create_table(
        "feedback_placements",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("theme_id", BIG, nullable=True),
        sa.Column(
            "because",
            sa.Enum(
                "grouped",
                "taken_out",
                "merged",
                name="placed_because",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("placed_by_id", BIG, nullable=False),
        sa.Column("placed_on", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "(because = 'taken_out') = (theme_id IS NULL)",
            name=op.f("ck_feedback_placements_taken_out_is_nowhere"),
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["feedback_items.id"], name=op.f("fk_feedback_placements_item_id")
        ),
        sa.ForeignKeyConstraint(
            ["placed_by_id"], ["members.id"], name=op.f("fk_feedback_placements_placed_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["theme_id"], ["feedback_themes.id"], name=op.f("fk_feedback_placements_theme_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_placements")),
        sa.UniqueConstraint(
            "item_id", "number", name=op.f("uq_feedback_placements_item_id_number")
        ),
    )
    op.create_table(
        "feedback_releases",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("subject_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("week_on", sa.Date(), nullable=False),
        sa.Column("through_id", BIG, nullable=False),
        sa.Column("raters", sa.Integer(), nullable=False),
        sa.Column("half_stars", sa.Integer(), nullable=False),
        sa.Column("is_burst", sa.Boolean(), nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.CheckConstraint(
            "half_stars >= 3 AND half_stars <= 9", name=op.f("ck_feedback_releases_never_unanimous")
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_feedback_releases_releases_count_up")),
        sa.CheckConstraint("raters >= 3", name=op.f("ck_feedback_releases_nobody_stands_out")),
        sa.ForeignKeyConstraint(
            ["charter_id"], ["charters.id"], name=op.f("fk_feedback_releases_charter_id")
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["feedback_subjects.id"], name=op.f("fk_feedback_releases_subject_id")
        ),
        sa.ForeignKeyConstraint(
            ["through_id"], ["feedback_ratings.id"], name=op.f("fk_feedback_releases_through_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_releases")),
        sa.UniqueConstraint(
            "subject_id", "number", name=op.f("uq_feedback_releases_subject_id_number")
        ),
        sa.UniqueConstraint(
            "subject_id", "week_on", name=op.f("uq_feedback_releases_subject_id_week_on")
        ),
    )
    op.create_table(
        "feedback_complaint_steps",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("complaint_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "filed",
                "replied",
                "escalated",
                "handed_over",
                "closed",
                "reopened",
                name="step_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("text", sa.String(length=2000), nullable=False),
        sa.Column("owner_id", BIG, nullable=True),
        sa.Column("acted_on", sa.Date(), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_feedback_complaint_steps_steps_count_up")),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["members.id"], name=op.f("fk_feedback_complaint_steps_actor_id")
        ),
        sa.ForeignKeyConstraint(
            ["complaint_id"],
            ["feedback_complaints.id"],
            name=op.f("fk_feedback_complaint_steps_complaint_id"),
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["members.id"], name=op.f("fk_feedback_complaint_steps_owner_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_complaint_steps")),
        sa.UniqueConstraint(
            "complaint_id", "number", name=op.f("uq_feedback_complaint_steps_complaint_id_number")
        ),
    )
    op.create_table(
        "member_messages",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "theme_accepted",
                "theme_declined",
                "theme_shipped",
                "complaint_replied",
                "complaint_escalated",
                "complaint_closed",
                "complaint_assigned",
                name="message_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("about", sa.String(length=120), nullable=False),
        sa.Column("theme_id", BIG, nullable=True),
        sa.Column("complaint_id", BIG, nullable=True),
        sa.Column("product_version_id", BIG, nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("sent_on", sa.Date(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'theme_shipped') = (product_version_id IS NOT NULL)",
            name=op.f("ck_member_messages_shipped_names_the_version"),
        ),
        sa.CheckConstraint(
            "(theme_id IS NULL) <> (complaint_id IS NULL)",
            name=op.f("ck_member_messages_about_a_theme_or_a_complaint"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_member_messages_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["complaint_id"],
            ["feedback_complaints.id"],
            name=op.f("fk_member_messages_complaint_id"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_member_messages_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_version_id"],
            ["product_versions.id"],
            name=op.f("fk_member_messages_product_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["theme_id"], ["feedback_themes.id"], name=op.f("fk_member_messages_theme_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_messages")),
        sa.UniqueConstraint("member_id", "about", name=op.f("uq_member_messages_member_id_about")),
        sa.UniqueConstraint("public_id", name=op.f("uq_member_messages_public_id")),
    )
    op.create_index(
        "ix_member_messages_member", "member_messages", ["member_id", "id"], unique=False
    )
    op.create_index("ix_member_messages_theme_id", "member_messages", ["theme_id"], unique=False)
    for table, keys in KEPT.items():
        _keep(table, keys)
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    for table in TABLES:
        op.drop_table(table)


def _keep(table: str, keys: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_keep_all BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    there = " OR ".join(_is_there(key.split(", ")) for key in keys)
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


def _is_there(key: list[str]) -> str:
    return "(" + " AND ".join(f"{column} = NEW.{column}" for column in key) + ")"


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
