"""Where personal data lies: every table, whom its rows are about, and what erasure leaves of them.

A test compares this with the tables that there are: a new table, a new column that names a member
or a new free text fails there until it has its line here. Export, erasure and docs/personal-data.md
go by these lines and by nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Reason(StrEnum):
    """Why something is held, and so how long."""

    IDENTITY = "identity"  # who somebody is: as long as they are a member
    ACCESS = "access"  # how they get in: until it ends
    BOOKS = "books"  # money and what it rests on: the law of bookkeeping
    CONTRACT = "contract"  # what was agreed, voted and signed
    CARE = "care"  # what officers and neighbours noted to keep loans safe
    CONSENT = "consent"  # what they allowed
    MODEL = "model"  # what was worked out, and is worked out anew


@dataclass(frozen=True, kw_only=True)
class Place:
    """How the rows of one table are about members."""

    why: Reason
    # Columns of the member whom a row is about: such rows are handed to them in full.
    subjects: tuple[str, ...] = ()
    # Columns of a member who did it, or beside: counted in the export, not shown.
    mentions: tuple[str, ...] = ()
    # Columns of a member who is not told even that they are named: that would give away what was
    # said in confidence.
    silent: tuple[str, ...] = ()
    # A column and the table that it leads to: a row is about whom that one's row is about, where
    # that one's subject is the column named third, if one is.
    via: tuple[tuple[str, str], ...] = ()
    # Free texts that erasure empties, each for the subjects that it is about (none named: all).
    clears: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Free texts that erasure leaves, as the books or the contract rest on them.
    keeps: tuple[str, ...] = ()
    # Columns that nobody is handed: secrets kept as digests, and other people's words.
    hides: tuple[str, ...] = ()
    # A true-or-false column: rows where it is true are confidential and not handed out.
    unless: str = ""
    # Rows that erasure takes away.
    is_deleted: bool = False
    # Why something of it is not handed out, in words for the member.
    withheld: str = ""


BOOKS, CONTRACT, CARE = Reason.BOOKS, Reason.CONTRACT, Reason.CARE
ALL: tuple[str, ...] = ()
LOAN = (("loan_id", "loans"),)

ABOUT: dict[str, Place] = {
    # Who they are, and how they get in.
    "members": Place(
        why=Reason.IDENTITY,
        subjects=("id",),
        clears={"name": ALL},
        hides=("reference_index",),
    ),
    "credentials": Place(
        why=Reason.ACCESS,
        subjects=("member_id",),
        hides=("password_hash", "login_name_index"),
        is_deleted=True,
    ),
    "enrolment_codes": Place(
        why=Reason.ACCESS,
        subjects=("member_id",),
        mentions=("issued_by_id",),
        hides=("digest",),
        keeps=("digest",),
        is_deleted=True,
    ),
    "page_sessions": Place(
        why=Reason.ACCESS,
        subjects=("member_id",),
        hides=("digest",),
        keeps=("digest",),
        is_deleted=True,
    ),
    "api_tokens": Place(
        why=Reason.ACCESS,
        subjects=("member_id",),
        hides=("digest",),
        clears={"label": ALL},
        keeps=("digest", "scopes"),
    ),
    "role_grants": Place(why=Reason.ACCESS, subjects=("member_id",), mentions=("granted_by_id",)),
    "idempotency_keys": Place(
        why=Reason.ACCESS,
        subjects=("member_id",),
        keeps=("key", "route", "body"),
        hides=("body", "body_hash"),
        is_deleted=True,
        withheld="Stored answers repeat what the other parts of the export say.",
    ),
    "access_notes": Place(
        why=Reason.ACCESS, subjects=("member_id",), mentions=("reader_id",), keeps=("action",)
    ),
    "erasure_requests": Place(
        why=Reason.CONSENT,
        subjects=("member_id",),
        mentions=("settled_by_id",),
        clears={"reason": ("member_id",)},
    ),
    # Where they belong.
    "memberships": Place(why=CONTRACT, subjects=("member_id",)),
    "membership_changes": Place(
        why=CONTRACT,
        mentions=("actor_id",),
        via=(("membership_id", "memberships"),),
        clears={"reason": ALL},
    ),
    "groups": Place(
        why=CONTRACT,
        mentions=("founder_id", "leader_id"),
        keeps=("name", "product_name", "agreement"),
    ),
    "group_members": Place(
        why=CONTRACT, subjects=("member_id",), mentions=("vote_for_id", "invited_by_id")
    ),
    "group_signatures": Place(why=CONTRACT, via=(("group_member_id", "group_members"),)),
    "understanding_attempts": Place(
        why=CONTRACT,
        via=(("group_member_id", "group_members"),),
        keeps=("questions", "answers"),
    ),
    "group_amendments": Place(
        why=CONTRACT, mentions=("proposed_by_id",), keeps=("document", "reason")
    ),
    "group_expulsions": Place(
        why=CONTRACT,
        subjects=("member_id",),
        mentions=("proposed_by_id",),
        clears={"reason": ALL},
    ),
    "expulsion_consents": Place(why=CONTRACT, subjects=("member_id",)),
    # Money.
    "accounts": Place(why=BOOKS, subjects=("member_id",)),
    "postings": Place(why=BOOKS, subjects=("member_id",), via=(("account_id", "accounts"),)),
    "journal_entries": Place(why=BOOKS, mentions=("actor_id",), keeps=("reference",)),
    "events": Place(why=BOOKS, mentions=("actor_id",), keeps=("kind", "subject", "facts")),
    "holds": Place(
        why=BOOKS,
        mentions=("placed_by_id", "ended_by_id"),
        via=(("account_id", "accounts"),),
        keeps=("reason", "reference", "end_reason"),
    ),
    "savings_movements": Place(why=BOOKS, subjects=("member_id",), keeps=("reference",)),
    "bank_lines": Place(
        why=BOOKS,
        subjects=("payer_id",),
        mentions=("settled_by_id",),
        keeps=("reference", "payer_name", "payer_account", "text", "match", "settled_note"),
    ),
    "payer_accounts": Place(
        why=Reason.IDENTITY,
        subjects=("member_id",),
        mentions=("noted_by_id",),
        hides=("account_index",),
        is_deleted=True,
    ),
    "collections": Place(
        why=BOOKS, mentions=("entered_by_id", "posted_by_id"), keeps=("client_id",)
    ),
    "collection_lines": Place(why=BOOKS, subjects=("member_id", "payer_id"), keeps=("note",)),
    # Trust.
    "standings": Place(why=BOOKS, subjects=("member_id",)),
    "assessments": Place(
        why=BOOKS,
        subjects=("member_id",),
        mentions=("granted_by_id",),
        clears={"evidence": ALL},
    ),
    "vouches": Place(why=CONTRACT, subjects=("voucher_id", "borrower_id")),
    "promise_checks": Place(why=CONTRACT, subjects=("member_id",)),
    "voucher_bounds": Place(why=CONTRACT, via=(("check_id", "promise_checks"),)),
    "trust_changes": Place(why=Reason.MODEL, mentions=("member_id",)),
    # Loans.
    "loans": Place(
        why=BOOKS,
        subjects=("borrower_id",),
        mentions=("approved_by_id",),
        clears={"purpose": ALL},
        keeps=("terms",),
    ),
    "group_loans": Place(why=BOOKS, mentions=("submitted_by_id",)),
    "instalments": Place(why=BOOKS, via=LOAN),
    "disbursements": Place(why=BOOKS, mentions=("actor_id",), via=LOAN),
    "payee_payments": Place(
        why=BOOKS,
        subjects=("payee_id",),
        mentions=("actor_id",),
        via=(("disbursement_id", "disbursements"),),
        keeps=("payee_name",),
    ),
    "repayments": Place(
        why=BOOKS,
        subjects=("payer_id",),
        mentions=("actor_id", "reversed_by_id"),
        via=LOAN,
        keeps=("reversed_reason",),
    ),
    "loan_changes": Place(
        why=BOOKS,
        mentions=("actor_id", "undone_by_id"),
        via=LOAN,
        keeps=("parameters", "reason", "source", "undone_reason"),
    ),
    "loan_charges": Place(why=BOOKS, mentions=("actor_id",), via=LOAN, keeps=("reason",)),
    "loan_steps": Place(why=BOOKS, mentions=("actor_id",), via=LOAN, keeps=("reason",)),
    "loan_positions": Place(why=BOOKS, via=LOAN),
    "loan_classes": Place(why=BOOKS, via=LOAN),
    "loan_class_changes": Place(why=BOOKS, via=LOAN, keeps=("reasons",)),
    "provision_changes": Place(why=BOOKS, via=LOAN),
    "accrual_lines": Place(why=BOOKS, via=LOAN),
    "declared_event_loans": Place(why=BOOKS, via=LOAN, keeps=("fingerprint", "before", "after")),
    "endorsements": Place(why=CARE, subjects=("endorser_id",), via=LOAN, clears={"comment": ALL}),
    # When a loan fails.
    "guarantees": Place(why=CONTRACT, subjects=("guarantor_id",)),
    "cover_lines": Place(why=CONTRACT, via=(("standing_id", "standings"), *LOAN)),
    "cover_changes": Place(
        why=CONTRACT,
        subjects=("leaving_id", "coming_id"),
        mentions=("proposed_by_id",),
        keeps=("reason",),
    ),
    "calls": Place(
        why=BOOKS,
        subjects=("guarantor_id",),
        mentions=("for_guarantor_id",),
        clears={"dispute_reason": ALL},
    ),
    "call_lines": Place(why=BOOKS, via=(("call_id", "calls"),)),
    "guarantee_payments": Place(why=BOOKS, subjects=("payer_id",)),
    "claims": Place(why=BOOKS, subjects=("claimant_id", "debtor_id")),
    "claim_settlements": Place(
        why=BOOKS,
        mentions=("stated_by_id",),
        via=(("claim_id", "claims"),),
        keeps=("reason",),
    ),
    "claim_movements": Place(
        why=BOOKS, mentions=("actor_id",), via=(("claim_id", "claims"),), keeps=("reason",)
    ),
    # Shared credit.
    "credit_line_shares": Place(why=CONTRACT, subjects=("member_id",)),
    "credit_line_changes": Place(
        why=CONTRACT, subjects=("member_id",), mentions=("actor_id",), keeps=("reason",)
    ),
    "line_reserve_moves": Place(why=BOOKS, subjects=("member_id",), mentions=("actor_id",)),
    # The village reviews itself.
    "campaign_reviewers": Place(
        why=CARE,
        subjects=("member_id",),
        mentions=("excluded_by_id",),
        clears={"excluded_reason": ALL},
    ),
    "campaign_assignments": Place(why=CARE, subjects=("reviewer_id",), keeps=("against",)),
    "campaign_answers": Place(why=CARE, subjects=("reviewer_id",), keeps=("against",)),
    "campaign_households": Place(
        why=CARE,
        subjects=("holder_id",),
        mentions=("visited_by_id",),
        clears={"visit_note": ALL},
        keeps=("grounds", "hindrance", "revoked_reason"),
        withheld="What single neighbours answered about a household is blind.",
    ),
    "campaign_objections": Place(
        why=CARE,
        subjects=("objector_id",),
        mentions=("answered_by_id",),
        clears={"reason": ALL, "answer": ALL},
    ),
    "campaign_findings": Place(
        why=CARE,
        mentions=("decided_by_id",),
        keeps=("reviewers", "rule", "facts", "decided_reason"),
    ),
    "campaign_rounds": Place(why=CARE, mentions=("drawn_by_id",), keeps=("inputs",)),
    # Monitoring.
    "risk_cases": Place(
        why=CARE,
        subjects=("member_id",),
        mentions=("owner_id",),
        keeps=("subject",),
        unless="is_confidential",
        withheld="Cases that neighbours' reports in confidence opened are not handed out.",
    ),
    "risk_events": Place(
        why=CARE,
        silent=("member_id",),
        via=(("case_id", "risk_cases"),),
        keeps=("finding", "facts"),
    ),
    "risk_event_people": Place(
        why=CARE,
        silent=("member_id",),
        withheld="Events that are about several people at once are not handed out.",
    ),
    "case_actions": Place(
        why=CARE,
        mentions=("actor_id",),
        via=(("case_id", "risk_cases"),),
        clears={"text": ALL},
    ),
    "peer_reports": Place(
        why=CARE,
        subjects=("reporter_id",),
        silent=("member_id",),
        clears={"text": ("member_id",)},
        withheld="Reports about somebody are told in confidence: who wrote one sees it.",
    ),
    "visits": Place(
        why=CARE,
        subjects=("visitor_id", "visited_id"),
        clears={
            "answers": ("visited_id",),
            "note": ("visited_id",),
            "latitude_micro": ("visited_id",),
            "longitude_micro": ("visited_id",),
        },
    ),
    "visit_photos": Place(
        why=CARE,
        via=(("visit_id", "visits"),),
        clears={"content": ("visited_id",)},
        keeps=("sha256",),
    ),
    "visit_rounds": Place(why=CARE, mentions=("drawn_by_id",), keeps=("inputs",)),
    "loan_uses": Place(
        why=CARE,
        subjects=("payee_id",),
        mentions=("stated_by_id",),
        via=LOAN,
        clears={"payee_name": ("payee_id",)},
    ),
    "use_evidence": Place(
        why=CARE,
        mentions=("verified_by_id",),
        via=(("use_id", "loan_uses"),),
        keeps=("reference",),
    ),
    "promises": Place(why=CARE, subjects=("member_id",), mentions=("noted_by_id",)),
    "meeting_plans": Place(why=CONTRACT, mentions=("set_by_id",), keeps=("place",)),
    "meetings": Place(
        why=CONTRACT,
        mentions=("entered_by_id",),
        keeps=("client_id", "place", "minutes"),
    ),
    "attendances": Place(
        why=CONTRACT, subjects=("member_id",), mentions=("proxy_id",), clears={"note": ALL}
    ),
    "motions": Place(why=CONTRACT, mentions=("proposed_by_id",), keeps=("text",)),
    "motion_voters": Place(why=CONTRACT, subjects=("member_id",)),
    "motion_votes": Place(why=CONTRACT, subjects=("member_id",), mentions=("cast_by_id",)),
    "purpose_consents": Place(why=Reason.CONSENT, subjects=("member_id",)),
    # What members say of how they are treated.
    "feedback_items": Place(
        why=CARE,
        subjects=("author_id",),
        mentions=("hidden_by_id",),
        clears={"text": ALL, "hidden_reason": ALL},
        keeps=("fingerprint",),
        hides=("fingerprint",),
    ),
    "feedback_ratings": Place(why=CARE, subjects=("member_id",)),
    "feedback_placements": Place(
        why=CARE, mentions=("placed_by_id",), via=(("item_id", "feedback_items"),)
    ),
    "feedback_themes": Place(
        why=CONTRACT,
        mentions=("decided_by_id", "created_by_id"),
        keeps=("title", "summary", "reason"),
    ),
    "feedback_polls": Place(why=CONTRACT, mentions=("put_by_id",)),
    "feedback_poll_voters": Place(why=CONTRACT, subjects=("member_id",)),
    "feedback_complaints": Place(
        why=CARE,
        subjects=("complainant_id",),
        mentions=("owner_id",),
        silent=("against_id",),
        clears={"title": ("complainant_id", "against_id")},
        withheld="Who complained about somebody is not told to them here.",
    ),
    "feedback_complaint_steps": Place(
        why=CARE,
        mentions=("owner_id", "actor_id"),
        via=(("complaint_id", "feedback_complaints"),),
        keeps=("text",),
    ),
    "member_messages": Place(why=CARE, subjects=("member_id",), keeps=("about", "facts")),
    # Records that travel.
    "record_consents": Place(
        why=Reason.CONSENT,
        subjects=("member_id",),
        keeps=("recipient", "recipient_subject", "purposes", "fields"),
    ),
    "credit_records": Place(
        why=Reason.CONSENT,
        mentions=("actor_id",),
        via=(("consent_id", "record_consents"),),
        keeps=("text",),
    ),
    "record_revocations": Place(
        why=Reason.CONSENT,
        mentions=("actor_id",),
        via=(("record_id", "credit_records"),),
        keeps=("reason",),
    ),
    "record_imports": Place(
        why=Reason.CONSENT,
        subjects=("member_id",),
        mentions=("actor_id",),
        keeps=("digest", "payload"),
    ),
    # What the risk desk works out.
    "risk_runs": Place(why=Reason.MODEL, mentions=("asked_by_id",), keeps=("network_version",)),
    "risk_circles": Place(why=Reason.MODEL, mentions=("hub_id",), keeps=("reasons", "actions")),
    "risk_circle_members": Place(why=Reason.MODEL, subjects=("member_id",)),
    "risk_stress_tests": Place(
        why=Reason.MODEL,
        mentions=("asked_by_id",),
        keeps=("spec", "network_version", "worker", "result", "failure"),
    ),
    "risk_stress_calls": Place(why=Reason.MODEL, mentions=("guarantor_id", "for_guarantor_id")),
    "risk_stress_members": Place(why=Reason.MODEL, subjects=("member_id",)),
    # Early warning: what a night said of a loan; its borrower may read that.
    "loan_warnings": Place(why=Reason.MODEL, via=LOAN, keeps=("reasons",)),
    "warning_models": Place(
        why=Reason.MODEL, mentions=("made_by_id",), keeps=("document", "digest")
    ),
    "warning_activations": Place(why=Reason.MODEL, mentions=("actor_id",), keeps=("reason",)),
    "warning_trainings": Place(
        why=Reason.MODEL, mentions=("asked_by_id",), keeps=("worker", "failure")
    ),
    # Who is told of what: receivers are no people, who entered them is one.
    "webhook_subscriptions": Place(
        why=CONTRACT,
        mentions=("created_by_id",),
        keeps=("url", "kinds", "secret_sealed", "reason"),
        hides=("secret_sealed",),
    ),
    # Rules and announcements: who wrote them.
    "charters": Place(why=CONTRACT, mentions=("created_by_id",), keeps=("rules", "source")),
    "product_versions": Place(why=CONTRACT, mentions=("created_by_id",), keeps=("terms", "source")),
    "declared_event_steps": Place(why=BOOKS, mentions=("actor_id",), keeps=("reason",)),
}

# Tables that are about no single member. Households have their line in export and erasure: whose
# they are stands in `members`.
NOBODY = frozenset(
    {
        "books",
        "campaigns",
        "communities",
        "credit_lines",
        "day_runs",
        "day_steps",
        "declared_events",
        "feedback_releases",
        "feedback_subjects",
        "group_agreements",
        "households",
        "network_builds",
        "products",
        "record_keys",
        "retention_runs",
        "risk_circle_names",
        "risk_stress_draws",
        "seasons",
        "warning_runs",
        "webhook_cursors",
        "webhook_deliveries",
    }
)


def as_table() -> list[str]:
    """The registry as lines of Markdown, for docs/personal-data.md."""
    lines = [
        "| Table | Why | About | Erasure empties | Erasure leaves |",
        "|---|---|---|---|---|",
    ]
    for name, place in sorted(ABOUT.items()):
        about = [*place.subjects, *(f"through {parent}" for _, parent in place.via)]
        emptied = "rows are deleted" if place.is_deleted else ", ".join(place.clears)
        left = "" if place.is_deleted else ", ".join(place.keeps)
        only = "named only" if place.mentions or place.silent else ""
        cells = (name, place.why.value, ", ".join(about) or only, emptied, left)
        lines.append("| " + " | ".join(cell or "–" for cell in cells) + " |")
    return lines
