"""Who gets what from every route of the API.

A new route fails the first test until it has a line here. Paths are made from the route's rule and
`IDS`, public ids of `World.ids`.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from app.auth import API_PREFIX
from app.marks import mark_of, view_of
from tests.api.people import assert_problem
from tests.api.world import API, World

READING = {"GET"}
WRITING = {"POST", "PUT", "PATCH", "DELETE"}
IDS = {
    "community_id": "@village",
    "member_id": "@wang",
    "household_id": "@home",
    "group_id": "@active",
    "amendment_id": "@amendment",
    "expulsion_id": "@expulsion",
    "version": "1",
    "vouch_id": "@live",
    "assessment_id": "@assessment",
    "product_id": "@plain",
    "season_id": "@rice",
    "event_id": "@disaster",
    "loan_id": "@late",
    "group_loan_id": "@group_loan",
    "call_id": "@call",
    "claim_id": "@claim",
    "settlement_id": "@said",
    "charge_id": "@charge",
    "cover_change_id": "@handover",
    "change_id": "@moved",
    "collection_id": "@sheet",
    "bank_line_id": "@unmatched",
    "receipt_id": "@receipt",
    "token_id": "@kept",
    "grant_id": "@office",
    "hold_id": "@hold",
    "line_id": "@line",
    "consent_id": "@consent",
    "record_id": "@record",
    "campaign_id": "@campaign",
    "campaign_household_id": "@reviewed_home",
    "assignment_id": "@to_review",
    "finding_id": "@finding",
    "objection_id": "@objection",
    "case_id": "@case",
    "meeting_id": "@meeting",
    "motion_id": "@motion",
    "visit_id": "@visit",
    "use_id": "@use",
    "number": "1",
    "item_id": "@item",
    "theme_id": "@theme",
    "complaint_id": "@complaint",
    "message_id": "@message",
    "circle_id": "@circle",
    "stress_id": "@stress",
    "model_id": "@warning_model",
    "training_id": "@training",
    "webhook_id": "@webhook",
    "delivery_id": "@delivery",
    "purpose": "visit_place",
    "kind": "savings_cash",
    "name": "savers-circle",
}

# Whom a reading route is asked by, in this order: `concerned`, `peer` (on the other side, or in the
# same group or household) and `neighbour` (of the same village) are different people for different
# things; the rest is the same for all.
ANSWERS = (
    "concerned",
    "peer",
    "neighbour",
    "officer",
    "operator",
    "auditor",
    "foreign",
    "stranger",
)
ALL = "200 200 200 200 200 200 200 200"
# A thing of the whole village, of somebody and whom it concerns, of one member alone.
VILLAGERS = "200 200 200 200 200 200 404 404"
SHARED = "200 200 404 200 200 200 404 404"
FELLOWS = "200 200 404 403 403 403 404 404"
OWN = "200 404 404 200 200 200 404 404"
# What is for those who look after the village; members may know that there is such a list.
KEEPERS = "403 403 403 200 200 200 404 404"
BOOKS = "404 404 404 200 200 200 404 404"
# The desk names debtors: for who operates the platform and who audits it.
DESK = "404 404 404 404 200 200 404 404"
# What is nobody's business but the member's: who looks after them asks loan by loan.
PRIVATE = "200 404 404 404 404 404 404 404"


@dataclass(frozen=True)
class Read:
    """What each of `ANSWERS` gets, and who the first three of them are."""

    statuses: str
    concerned: str = "wang"
    peer: str = "zhao"
    neighbour: str = "gao"


ABOUT_DING = {"concerned": "ding", "peer": "li"}
READS = {
    "members.get_me": Read(ALL),
    "members.get_member": Read(SHARED),
    "members.get_household": Read(SHARED, "qian", "zhou"),
    # Officers hand tokens to members in their care; roles are the operator's.
    "members.list_roles": Read("200 403 404 403 200 200 404 404"),
    "members.list_tokens": Read("200 403 404 200 200 200 404 404"),
    # Who looked at it is the member's to know, and an auditor's; of the rest nobody gets a copy.
    "personal.list_access": Read("200 404 404 404 404 200 404 404"),
    "personal.export_own_data": Read(PRIVATE),
    "personal.list_consents": Read(OWN),
    # The wish is theirs; it is answered by who may erase.
    "personal.get_erasure_outlook": Read("200 404 404 200 200 404 404 404"),
    "personal.list_retention_runs": Read("403 403 403 403 200 403 403 403"),
    "personal.list_erasure_requests": Read("403 403 403 403 200 403 403 403"),
    "communities.list_communities": Read(ALL),
    "communities.get_community": Read(VILLAGERS),
    "communities.get_charter": Read(VILLAGERS),
    "communities.list_charters": Read(VILLAGERS),
    "communities.list_templates": Read(ALL),
    "communities.get_template": Read(ALL),
    "communities.list_members": Read(KEEPERS),
    "communities.get_membership": Read(OWN),
    "groups.list_my_groups": Read(ALL),
    "groups.list_groups": Read(KEEPERS),
    "groups.get_group": Read(SHARED),
    "groups.get_agreement": Read(SHARED),
    # One's own questions: those who look after the group do not answer them.
    "groups.get_questions": Read("200 200 404 403 403 403 404 404", "gao", "guo", "ma"),
    "grouplife.list_agreements": Read(SHARED),
    "grouplife.get_agreement_version": Read(SHARED),
    "grouplife.get_warnings": Read(SHARED),
    "grouplife.list_amendments": Read(SHARED),
    "grouplife.get_amendment": Read(SHARED),
    "grouplife.list_expulsions": Read(SHARED),
    "grouplife.get_expulsion": Read(SHARED),
    # One's own figures and questions: those who look after the group have none.
    "grouplife.get_statement": Read(FELLOWS),
    "grouplife.get_bonds": Read(FELLOWS),
    "grouplife.get_amendment_statement": Read(FELLOWS),
    "grouplife.get_amendment_questions": Read(FELLOWS),
    "savings.get_balances": Read(OWN),
    "savings.list_balances": Read("200 403 404 200 200 200 404 404"),
    "savings.list_movements": Read(OWN),
    "trust.get_vouch": Read(SHARED, peer="li"),
    "trust.list_vouches": Read(OWN),
    "trust.get_exposure": Read(OWN),
    "exposure.get_register": Read(OWN),
    # What a promise would add to one's own is for nobody else before it is made.
    "exposure.preview_offered": Read("200 403 404 403 403 403 404 404", "li", "wang", "gao"),
    "exposure.preview_agreement": Read(FELLOWS),
    "exposure.preview_amendment": Read(FELLOWS),
    # Who stands behind somebody sees what rests on that; a neighbour is told that there is nothing.
    "profiles.get_profile": Read(SHARED),
    "profiles.get_voucher_record": Read(OWN),
    "profiles.list_voucher_records": Read(BOOKS),
    "trust.get_standing": Read(OWN),
    "trust.list_assessments": Read(OWN),
    "products.list_products": Read(VILLAGERS),
    "products.get_product": Read(VILLAGERS),
    "products.list_versions": Read(VILLAGERS),
    "products.list_seasons": Read(VILLAGERS),
    "products.get_season": Read(VILLAGERS),
    "loans.get_quote": Read(VILLAGERS),
    "loans.list_my_loans": Read(ALL),
    "loans.list_loans": Read(BOOKS),
    "loans.get_loan": Read(SHARED, **ABOUT_DING),
    "loans.list_group_loans": Read(SHARED),
    "loans.list_waiting_group_loans": Read(ALL),
    "loans.get_group_loan": Read(SHARED, "zhao", "wang"),
    "guarantees.list_repayments": Read(SHARED, **ABOUT_DING),
    "guarantees.get_cover": Read(SHARED, **ABOUT_DING),
    "guarantees.list_cover_changes": Read(SHARED, **ABOUT_DING),
    "guarantees.get_cover_change": Read(SHARED, "li", "guo", "wei"),
    "guarantees.list_my_cover_changes": Read(ALL),
    # What it would put on who comes is theirs alone to see before they agree.
    "guarantees.preview_takeover": Read("200 403 404 403 403 403 404 404", "guo", "li", "wei"),
    "guarantees.list_loan_calls": Read(SHARED, **ABOUT_DING),
    "guarantees.list_calls": Read(BOOKS),
    "guarantees.list_my_calls": Read(ALL),
    "guarantees.get_call": Read(SHARED, "li", "ding"),
    "claims.list_my_claims": Read(ALL),
    "claims.list_claims": Read(OWN),
    "claims.get_claims_statement": Read(OWN),
    "claims.get_claim": Read(SHARED, "li", "dai"),
    "claims.get_settlement": Read(SHARED, "li", "dai"),
    "servicing.get_payoff": Read(OWN, **ABOUT_DING),
    "businessday.list_days": Read(BOOKS),
    "ledger.list_events": Read(DESK),
    "ledger.get_verification": Read(BOOKS),
    "portfolio.get_par": Read(BOOKS),
    "portfolio.get_par_table": Read(BOOKS),
    "portfolio.get_vintages": Read(BOOKS),
    "portfolio.get_vintages_table": Read(BOOKS),
    "portfolio.get_roll_rates": Read(BOOKS),
    "portfolio.get_roll_rates_table": Read(BOOKS),
    "portfolio.get_classes": Read(BOOKS),
    "portfolio.get_classes_table": Read(BOOKS),
    "portfolio.get_loan_class": Read(OWN, **ABOUT_DING),
    "risk.list_circles": Read(DESK),
    "risk.list_circles_table": Read(DESK),
    "risk.get_circle": Read(DESK),
    "risk.get_map": Read(DESK),
    "risk.get_map_table": Read(DESK),
    "risk.list_circle_history": Read(DESK),
    "risk.get_call_plan": Read(DESK),
    "risk.list_stress": Read(DESK),
    "risk.get_stress": Read(DESK),
    # Where news of all communities goes is for those who run the platform.
    "webhooks.list_webhooks": Read("403 403 403 403 200 403 403 403"),
    "webhooks.get_webhook": Read(DESK),
    "webhooks.list_deliveries": Read(DESK),
    "risk.list_stress_members": Read(DESK),
    "risk.list_stress_members_table": Read(DESK),
    "risk.list_stress_draws_table": Read(DESK),
    "risk.list_stress_calls": Read(DESK),
    "risk.get_concentration": Read(DESK),
    "risk.get_concentration_table": Read(DESK),
    "risk.list_alarms": Read(DESK),
    "risk.list_alarms_table": Read(DESK),
    "risk.get_gate": Read(DESK),
    "scoring.list_warnings": Read(BOOKS),
    "scoring.list_warnings_table": Read(BOOKS),
    "scoring.list_warning_models": Read(BOOKS),
    "scoring.get_warning_model": Read(BOOKS),
    "scoring.get_training": Read(BOOKS),
    # Of the loan's borrower alone: whoever vouches is not told.
    "scoring.get_loan_warning": Read(OWN, **ABOUT_DING),
    "receiving.get_sheet": Read(SHARED),
    "receiving.get_sheet_csv": Read(SHARED),
    "receiving.list_collections": Read(SHARED),
    "receiving.get_collection": Read(SHARED),
    "receiving.list_bank_lines": Read(BOOKS),
    "receiving.get_bank_line": Read(BOOKS),
    "receiving.get_suspense": Read(BOOKS),
    "receiving.get_receipt": Read(SHARED, peer="li"),
    "seasons.get_calendar": Read(BOOKS),
    "seasons.get_calendar_sheet": Read(BOOKS),
    "seasons.get_member_calendar": Read(PRIVATE),
    "seasons.list_events": Read(BOOKS),
    "seasons.get_event": Read(BOOKS),
    "seasons.list_event_loans": Read(BOOKS),
    "credit.get_credit_limit": Read(OWN),
    "credit.get_cover_preview": Read(OWN),
    "lines.list_lines": Read(VILLAGERS),
    "lines.list_group_lines": Read(SHARED),
    "lines.get_line": Read(SHARED),
    "lines.get_reserve": Read(SHARED),
    "lines.list_reserve_moves": Read(SHARED),
    "lines.list_draws": Read(SHARED),
    "lines.list_changes": Read(SHARED),
    "records.list_consents": Read(OWN),
    "records.get_consent": Read(OWN),
    "records.list_records": Read(OWN),
    # What a record says: whoever needs it gets it from the member.
    "records.get_record": Read(PRIVATE),
    "records.list_imports": Read(OWN),
    "campaigns.list_campaigns": Read(VILLAGERS),
    "campaigns.get_campaign": Read(VILLAGERS),
    # One's own: those who look after the campaign have none.
    "campaigns.list_my_assignments": Read(VILLAGERS),
    "campaigns.get_my_household": Read(FELLOWS, neighbour="wu"),
    "campaigns.list_reviewers": Read(BOOKS),
    "campaigns.list_findings": Read(BOOKS),
    "campaigns.list_households": Read(BOOKS),
    "campaigns.get_household": Read(OWN),
    # What was said of one's household is told in sums, not by whom.
    "campaigns.list_answers": Read("403 404 404 200 200 200 404 404"),
    "campaigns.list_objections": Read(VILLAGERS),
    "ledger.list_entries": Read(BOOKS),
    "ledger.get_balances": Read(BOOKS),
    "ledger.get_chart": Read(BOOKS),
    "ledger.get_trial_balance": Read(BOOKS),
    "ledger.get_account_statement": Read(BOOKS),
    "ledger.get_member_statement": Read(OWN),
    "holds.list_member_holds": Read(OWN),
    "holds.list_holds": Read(BOOKS),
    "holds.get_hold": Read(OWN),
    "feedback.get_ratings": Read(VILLAGERS),
    "feedback.list_items": Read(BOOKS),
    "feedback.list_my_items": Read(ALL),
    "feedback.get_item": Read(OWN),
    # Grouping is the officers'; who said it and who audits may read it.
    "feedback.list_alike": Read("403 404 404 200 200 403 404 404"),
    "feedback.list_messages": Read(ALL),
    "feedback.list_complaints": Read(BOOKS),
    "feedback.list_my_complaints": Read(ALL),
    # It is the officer's to answer, so the operator does not read it.
    "feedback.get_complaint": Read("200 404 404 200 404 200 404 404"),
    "feedback.list_themes": Read(VILLAGERS),
    "feedback.get_theme": Read(VILLAGERS),
    "feedback.list_shipped_themes": Read(VILLAGERS),
    "monitoring.list_cases": Read(BOOKS),
    # A leader's list: a fellow of the group has none, nor the one whom a case is about.
    "monitoring.list_group_cases": Read(OWN),
    "monitoring.list_my_cases": Read(ALL),
    # The leader, and whom it is about; nobody else of the group.
    "monitoring.get_case": Read(SHARED, "wang", "zhao", "sun"),
    "monitoring.list_rules": Read(BOOKS),
    "monitoring.get_meeting_plan": Read(SHARED),
    "monitoring.list_meetings": Read(SHARED),
    "monitoring.get_meeting": Read(SHARED),
    "monitoring.get_motion": Read(SHARED),
    "monitoring.list_uses": Read(SHARED, **ABOUT_DING),
    "monitoring.list_promises": Read(SHARED, **ABOUT_DING),
    # Members see the ratio alone.
    "monitoring.get_verified_use": Read(VILLAGERS),
    "monitoring.list_visit_rounds": Read(OWN),
    "monitoring.list_my_visits": Read(ALL),
    # Whoever visits, and the leader of the group.
    "monitoring.get_visit": Read(SHARED, "zhao", "wang"),
    "monitoring.get_photo": Read(SHARED, "zhao", "wang"),
}
YEAR = "?from=2026-01-01&until=2026-12-31"
QUERIES = {
    "feedback.get_ratings": "?kind=product&id=@plain",
    "loans.get_quote": "?product=@plain&amount=50.00&instalments=1",
    "credit.get_cover_preview": "?product=@plain&amount=50.00",
    "profiles.get_profile": "?community=@village",
    "profiles.get_voucher_record": "?community=@village",
    "seasons.get_calendar": YEAR,
    "seasons.get_calendar_sheet": YEAR,
    "seasons.get_member_calendar": YEAR,
}


@dataclass(frozen=True)
class Write:
    """A right body (a text is a CSV file), and who of those tried here may do it after all."""

    body: dict[str, Any] | str | None = None
    may: frozenset[str] = field(default_factory=frozenset)


FIVE = {"amount": {"amount": "5.00", "currency": "CNY"}}
CNY = {"amount": "50.00", "currency": "CNY"}
FUNDS = {**FIVE, "reference": "x"}
WHY = {"reason": "so it was decided"}
NEIGHBOUR = frozenset({"gao"})
LINE = {"name": "x", "limit": CNY, "from_on": "2026-05-01", "until_on": "2026-06-01", **WHY}
SHEET = "sheet,collected_on,kind,member,loan,amount\nx,2026-04-01,repayment,@wang,@current,5\n"
# A version of a product that could be published.
VERSION: dict[str, Any] = {
    "terms": {
        "principal_min": CNY,
        "principal_max": CNY,
        "rate_method": "none",
        "amortisation": "equal_principal",
        "yearly_rate_ppm": 0,
        "day_count": "30/360",
        "period_unit": "month",
        "period_length": 1,
        "instalments_min": 1,
        "instalments_max": 1,
        "allocation_order": ["interest", "principal"],
        "cover_ratio_bps": 10_000,
        "liability_mode": "several",
    },
    "valid_from": "2027-01-01",
    "source": "x",
}
CHARTER = {"valid_from": "2027-01-01", "source": "x", "begin_from": "present"}
WRITES = {
    "members.register_member": Write({"name": "New", "community": "@village"}),
    "members.change_member": Write({"name": "New"}),
    # Households have no community: every officer may enter one.
    "members.create_household": Write({"reference": "hh-2"}, frozenset({"foreign"})),
    "personal.give_consent": Write({"text_version": "2026-1"}),
    "personal.withdraw_consent": Write(),
    "personal.erase_member": Write(),
    "personal.ask_for_erasure": Write({"understood": True}),
    "personal.withdraw_erasure_request": Write(),
    "personal.refuse_erasure": Write(WHY),
    "members.grant_role": Write({"role": "officer", "community": "@village"}),
    "members.revoke_role": Write(),
    "members.issue_token": Write({"label": "x"}),
    "members.revoke_token": Write(),
    "members.set_credentials": Write({"login_name": "wang", "password": "a field of rice"}),
    "members.issue_enrolment_code": Write(),
    "communities.create_community": Write(
        {"kind": "region", "name": "x", "reference": "x", "currency": "CNY"}
    ),
    "communities.rename_community": Write({"name": "x"}),
    "communities.adopt_charter": Write(CHARTER),
    "communities.preview_charter": Write(CHARTER),
    "communities.apply_for_membership": Write({"member": "@wang"}),
    "communities.activate_membership": Write({}),
    "communities.suspend_membership": Write(WHY),
    "communities.resume_membership": Write(WHY),
    "communities.leave_community": Write(WHY),
    "groups.form_group": Write(
        {"name": "x", "pair_cap": CNY, "vouch_expires_on": "2027-01-01"}, NEIGHBOUR
    ),
    "groups.change_terms": Write({"name": "x"}),
    "groups.invite": Write({"member": "@li"}),
    "groups.answer_invitation": Write({"accept": True}),
    "groups.vote_leader": Write({"candidate": "@zhao"}),
    "groups.fix_agreement": Write(),
    "groups.reopen": Write(),
    "groups.answer_questions": Write(
        {"agreement_hash": "x", "answers": [{"question": "x", "choice": "no"}]}
    ),
    "groups.sign": Write({"agreement_hash": "x"}),
    "groups.step_back": Write(),
    "groups.activate": Write(),
    "groups.dissolve": Write(),
    # Writes nothing; members ask about those whom they are connected with.
    "grouplife.suggest": Write({"candidates": []}, NEIGHBOUR),
    "grouplife.call_election": Write(),
    "grouplife.recall_leader": Write({"recall": True}),
    "grouplife.exit_group": Write(),
    "grouplife.propose_amendment": Write({"pair_cap": CNY}),
    "grouplife.answer_amendment_questions": Write(
        {"agreement_hash": "x", "answers": [{"question": "x", "choice": "no"}]}
    ),
    "grouplife.sign_amendment": Write({"agreement_hash": "x"}),
    "grouplife.refuse_amendment": Write(),
    "grouplife.withdraw_amendment": Write(),
    "grouplife.put_into_force": Write(),
    "grouplife.propose_expulsion": Write(
        {"member": "@zhao", "settlement": "repaid", "reason": "x"}
    ),
    "grouplife.consent_to_expulsion": Write({}),
    "grouplife.refuse_expulsion": Write(),
    "grouplife.withdraw_expulsion": Write(),
    "grouplife.expel": Write(),
    "savings.deposit": Write(FIVE),
    "savings.withdraw": Write(FIVE),
    "holds.place_hold": Write({**FIVE, "expires_on": "2027-01-01", "reason": "x"}),
    "holds.post_hold": Write({}),
    "holds.void_hold": Write(WHY),
    "trust.offer_vouch": Write(
        {"side": "voucher", "other": "@wang", "limit": CNY, "expires_on": "2027-01-01"}, NEIGHBOUR
    ),
    # Writes nothing.
    "exposure.preview_vouch": Write(
        {"borrower": "@wang", "limit": CNY, "expires_on": "2027-01-01"}, NEIGHBOUR
    ),
    "trust.lower_vouch": Write({"limit": CNY}),
    "trust.accept_vouch": Write(),
    "trust.decline_vouch": Write(),
    "trust.withdraw_vouch": Write(),
    "trust.revoke_vouch": Write(),
    "trust.lock_stake": Write(FIVE),
    "trust.release_stake": Write(FIVE),
    "trust.grant_assessment": Write(
        {"kind": "standing", "amount": CNY, "evidence": "x", "expires_on": "2027-01-01"}
    ),
    "trust.end_assessment": Write(),
    "products.create_product": Write({"code": "x", "name": "x"}),
    "products.publish_version": Write(VERSION),
    "products.preview_version": Write(VERSION),
    "products.add_season": Write(
        {
            "code": "x",
            "crop": "x",
            "sow_from": "2026-10-01",
            "sow_until": "2026-11-01",
            "harvest_from": "2027-06-01",
            "selling": [{"due_on": "2027-07-01", "weight": 1}],
        }
    ),
    "loans.apply": Write(
        {
            "community": "@village",
            "product": "@plain",
            "principal": CNY,
            "instalments": 1,
            "purpose": "x",
            "borrower": "@wang",
        }
    ),
    # Any active member to whom the borrower gave the loan's id.
    "loans.endorse": Write({}, NEIGHBOUR),
    "loans.endorse_group_loan": Write({}, NEIGHBOUR),
    "loans.withdraw": Write({}),
    "loans.reject": Write(WHY),
    "loans.disburse": Write(),
    "loans.apply_as_group": Write(
        {
            "product": "@plain",
            "total": CNY,
            "shares": [{"member": "@zhao", "amount": CNY}],
            "instalments": 1,
            "purpose": "x",
        }
    ),
    "loans.quote_as_group": Write(
        {
            "product": "@plain",
            "shares": [{"member": "@zhao", "amount": CNY}],
            "instalments": 1,
        }
    ),
    "loans.withdraw_group_loan": Write({}),
    "loans.reject_group_loan": Write(WHY),
    "loans.disburse_group_loan": Write(),
    "seasons.change_season": Write({"notes": "x"}),
    "seasons.declare": Write(
        {
            "kind": "flood",
            "happened_on": "2026-04-01",
            "dues_from": "2026-04-01",
            "dues_until": "2026-05-01",
            "effect": {"kind": "move", "days": 1, "interest": "runs"},
            "reason": "x",
        }
    ),
    "seasons.preview": Write(),
    "seasons.apply": Write({}),
    "seasons.undo": Write(WHY),
    "credit.approve_loan": Write(),
    "credit.approve_group_loan": Write(),
    "credit.fund_lending_pool": Write(FUNDS),
    "credit.fund_reserve": Write(FUNDS),
    "guarantees.record_repayment": Write(FIVE),
    "guarantees.propose_substitution": Write({"leaving": "@li", "coming": "@gao", **WHY}),
    "guarantees.release_early": Write(WHY),
    "guarantees.agree_to_change": Write(),
    "guarantees.refuse_change": Write(),
    "guarantees.cancel_loan": Write(WHY),
    "guarantees.cancel_group_loan": Write(WHY),
    "guarantees.pay_call": Write(FIVE),
    "guarantees.promise_call": Write({"pay_on": "2026-04-15"}),
    "guarantees.dispute_call": Write(WHY),
    "guarantees.resolve_dispute": Write(WHY),
    "claims.state_settlement": Write(FIVE),
    "claims.confirm_settlement": Write(),
    "claims.decline_settlement": Write(WHY),
    "claims.reverse_settlement": Write(WHY),
    "claims.waive_claim": Write(WHY),
    "servicing.settle_early": Write(FIVE),
    "servicing.reverse_repayment": Write(WHY),
    "servicing.add_charge": Write(FIVE | WHY | {"kind": "fee"}),
    "servicing.waive_charge": Write(WHY),
    "servicing.change_plan": Write(WHY | {"kind": "rate", "yearly_rate_ppm": 1}),
    "servicing.undo_change": Write(WHY),
    "servicing.pay_tranche": Write(),
    "lines.open_line": Write(LINE),
    "lines.open_group_line": Write(LINE),
    "lines.change_limit": Write(WHY | {"limit": CNY}),
    "lines.change_sub_limit": Write(WHY | {"limit": CNY}),
    "lines.raise_for_a_while": Write(WHY | {"by": CNY, "until_on": "2026-05-01"}),
    "lines.contribute": Write(FIVE),
    "lines.suspend": Write(WHY),
    "lines.resume": Write(WHY),
    "lines.close": Write(WHY),
    "records.give_consent": Write(
        {"recipient": "x", "purposes": ["standing"], "fields": ["debts"], "until_on": "2026-05-01"}
    ),
    "records.withdraw_consent": Write({}),
    "records.issue_record": Write(),
    "records.revoke_record": Write({}),
    "records.take_record": Write({"record": "x"}),
    "campaigns.open_campaign": Write({"name": "x"}),
    "campaigns.draw_reviewers": Write(),
    "campaigns.answer": Write({"knows_household": False}),
    "campaigns.close_round": Write(),
    "campaigns.decide": Write(WHY | {"decision": "keep"}),
    "campaigns.visit": Write({"result": "confirmed", "note": "x"}),
    "campaigns.publish": Write(),
    # Everybody in the village may object.
    "campaigns.object_to": Write(WHY | {"member": "@wang"}, NEIGHBOUR),
    "campaigns.answer_objection": Write({"outcome": "rejected", "answer": "x"}),
    "campaigns.grant": Write(),
    "campaigns.revoke": Write(WHY),
    "campaigns.cancel": Write(WHY),
    # Who audits reads what was found, and does not start searches.
    "risk.search_circles": Write(),
    # Writes nothing; auditors may ask what would be.
    "risk.ask_what_if": Write({}, frozenset({"auditor", "inspector"})),
    "risk.ask_stress": Write({"shock": "common_factor"}),
    "scoring.ask_training": Write({}),
    "scoring.activate_model": Write(WHY | {"model": None}),
    "webhooks.add_webhook": Write({"url": "https://x.example/", "kinds": ["loan.*"]}),
    "webhooks.set_state": Write({"state": "paused"}),
    "webhooks.renew_secret": Write(),
    "webhooks.redeliver": Write(),
    "receiving.collect": Write({"lines": [{"loan": "@current", **FIVE}]}),
    "receiving.collect_csv": Write(SHEET),
    "receiving.enter_draft": Write({"lines": [{"loan": "@current", **FIVE}]}),
    "receiving.change_draft": Write({"lines": [{"loan": "@current", **FIVE}]}),
    "receiving.post_draft": Write(),
    "receiving.take_statement": Write("reference,booked_on,amount\nx-1,2026-04-01,5.00\n"),
    "receiving.apply_bank_line": Write({"loan": "@current"}),
    "receiving.save_bank_line": Write({"member": "@wang"}),
    "receiving.return_bank_line": Write(WHY),
    "monitoring.act": Write({"kind": "talk", "text": "x"}),
    "monitoring.take": Write(),
    "monitoring.assign": Write({"member": "@officer"}),
    "monitoring.escalate": Write({"text": "x"}),
    "monitoring.close": Write({"outcome": "resolved", "text": "x"}),
    "monitoring.send_report": Write({"member": "@wang", "kind": "misuse", "text": "x"}, NEIGHBOUR),
    "monitoring.read_reports": Write(),
    "monitoring.draw_visits": Write({"purpose": "crop", "due_on": "2026-06-01"}),
    "monitoring.answer_visit": Write({"answers": {}}),
    "monitoring.add_photo": Write("no picture"),
    "monitoring.state_use": Write({"purpose": "crop", "payee_name": "x", **FIVE}),
    "monitoring.verify_use": Write({"kind": "seen", "reference": "x", **FIVE}),
    "monitoring.promise_payment": Write({"promised_on": "2026-06-01", **FIVE}),
    "monitoring.set_meeting_plan": Write({"first_on": "2026-05-01", "every_days": 7}),
    "monitoring.enter_meeting": Write({"held_on": "2026-04-01"}),
    "monitoring.enter_meeting_csv": Write(
        "meeting,held_on,member,attendance\nx,2026-04-01,@wang,present\n"
    ),
    "monitoring.change_meeting": Write({"attendance": []}),
    "monitoring.link_meeting_sheet": Write({"collection": "@sheet"}),
    "monitoring.close_meeting": Write(),
    "monitoring.propose_motion": Write({"subject": "general", "text": "x", "ballot": "open"}),
    "monitoring.vote": Write({"choice": "yes"}),
    "monitoring.count_motion": Write(),
    "feedback.rate": Write({"subject": {"kind": "product", "id": "@plain"}, "stars": 5}, NEIGHBOUR),
    "feedback.say": Write({"kind": "suggestion", "text": "x"}, NEIGHBOUR),
    "feedback.place_item": Write({"theme": "@theme"}),
    "feedback.hide_item": Write(WHY),
    "feedback.mark_message": Write({"is_read": True}),
    "feedback.file_complaint": Write({"kind": "service", "title": "x", "text": "x"}, NEIGHBOUR),
    "feedback.reply_to_complaint": Write({"text": "x"}),
    "feedback.close_complaint": Write({"outcome": "upheld", "text": "x"}),
    "feedback.reopen_complaint": Write({"text": "x"}),
    "feedback.place_complaint": Write({"theme": "@theme"}),
    "feedback.create_theme": Write({"title": "x"}),
    "feedback.merge_theme": Write({"into": "@open_theme"}),
    "feedback.put_to_vote": Write({"opens_on": "2026-06-01", "closes_on": "2026-06-07"}),
    "feedback.vote_on_theme": Write({"choice": "yes"}, NEIGHBOUR),
    "feedback.decide_theme": Write({"accepted": True, "reason": "x"}),
    "feedback.ship_theme": Write({"product": "@plain", "version": 1}),
    # Writes nothing; auditors may try a rule on the past.
    "monitoring.replay": Write(
        {"rule": "late", "from_on": "2026-04-01", "until_on": "2026-04-02"},
        frozenset({"auditor", "inspector"}),
    ),
}
# Two auditors, somebody of another community, its officer, and a neighbour of whom it is.
OUTSIDERS = ("auditor", "inspector", "stranger", "foreign", "gao")


def routes(app: Flask, methods: set[str]) -> dict[str, tuple[str, str]]:
    """Method and path of every route of the API that is not for everybody, by endpoint."""
    found: dict[str, tuple[str, str]] = {}
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & methods):
            public = mark_of(view_of(app, rule.endpoint, method), "_public", False)
            if rule.rule.startswith(API_PREFIX) and not public:
                path = re.sub(r"<(?:[^<>:]*:)?(\w+)>", lambda part: IDS[part[1]], rule.rule)
                assert rule.endpoint not in found, "an endpoint with two methods needs two lines"
                found[rule.endpoint] = (method, path.removeprefix(API))
    return found


def test_every_route_has_its_line(world: World) -> None:
    assert set(READS) == set(routes(world.app, READING))
    assert set(WRITES) == set(routes(world.app, WRITING))


@pytest.mark.parametrize("endpoint", READS)
def test_who_may_read(world: World, endpoint: str) -> None:
    """As the table says, one answer for each; refusals are problems of the usual two kinds."""
    line, path = READS[endpoint], address(world, endpoint, READING)[1]
    people = {name: getattr(line, name, name) for name in ANSWERS}
    answers = {
        name: world.call(who, "GET", path + QUERIES.get(endpoint, ""))
        for name, who in people.items()
    }
    expected = dict(zip(ANSWERS, map(int, line.statuses.split()), strict=True))
    assert {name: answer.status_code for name, answer in answers.items()} == expected
    for answer in answers.values():
        if answer.status_code == 404:
            assert_problem(answer, 404, "not-found")
        if answer.status_code == 403:
            assert_problem(answer, 403, "not-allowed")
    assert_problem(world.call(None, "GET", path), 401, "bad-token")


@pytest.mark.parametrize("endpoint", WRITES)
def test_outsiders_and_auditors_never_write(world: World, endpoint: str) -> None:
    """401, 403 or 404, whatever they send; and not one row has changed."""
    line, (method, path) = WRITES[endpoint], address(world, endpoint, WRITING)
    options: dict[str, Any] = {"headers": {"Idempotency-Key": "a-key-of-this-request"}}
    if isinstance(line.body, str):
        kind = "image/jpeg" if endpoint.endswith("photo") else "text/csv"
        options |= {"data": world.named(line.body), "content_type": kind}
    elif line.body is not None:
        options["json"] = world.named(line.body)
    for who in OUTSIDERS:
        if who not in line.may:
            answer = world.call(who, method, path, **options)
            hidden = answer.status_code == 404
            assert_problem(answer, *((404, "not-found") if hidden else (403, "not-allowed")))
    assert_problem(world.call(None, method, path, **options), 401, "bad-token")
    assert world.changed() == []


def address(world: World, endpoint: str, methods: set[str]) -> tuple[str, str]:
    """Where a route is asked for; some need another thing than usual to get as far as they can."""
    method, path = routes(world.app, methods)[endpoint]
    if endpoint == "groups.get_questions":
        path = path.replace("@active", "@signing")
    if endpoint == "members.revoke_role":
        path = path.replace("@wang", "@officer")
    if endpoint == "monitoring.read_reports":
        path = path.replace("@case", "@reported")
    return method, path
