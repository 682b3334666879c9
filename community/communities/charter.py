"""The rules of a charter as typed values, each with its source. Pure.

A charter document is `{"rule_name": {"value": …, "source": "…"}, …}`. Every rule must be given:
what a community did not decide, its template decides, and the source says so.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Any, get_args, get_type_hints

from community.errors import Invalid


class LiabilityMode(StrEnum):
    """Who answers when a borrower does not pay (design, "When a loan fails")."""

    SEVERAL = "several"
    JOINT_AND_SEVERAL = "joint_and_several"
    PLEDGE_ONLY = "pledge_only"
    NONE = "none"


class RiskClass(StrEnum):
    """How likely a loan is to be paid back, best first: the five tiers 正常 关注 次级 可疑 损失."""

    NORMAL = "normal"
    SPECIAL_MENTION = "special_mention"
    SUBSTANDARD = "substandard"
    DOUBTFUL = "doubtful"
    LOSS = "loss"


class GuaranteeBase(StrEnum):
    """What a member's promises for others are measured against."""

    STANDING = "standing"  # locked savings and what was assessed
    SAVINGS = "savings"  # all savings in the community's custody, locked or free
    REPAYMENT_CAPACITY = "repayment_capacity"  # the most that they were found able to repay


class Declarer(StrEnum):
    """Whose word makes a flood or a fallen price change the dues of a region."""

    OFFICER = "officer"
    OPERATOR = "operator"


class BoardView(StrEnum):
    """What the village at large is shown of a campaign; never a household's name or figure."""

    NOTHING = "nothing"
    COUNTS = "counts"  # how many households were reviewed and how many are to get credit
    TOTALS = "totals"  # and how much all of them together


class Purpose(StrEnum):
    """What a loan's money is for: which questions a visit asks, and what counts as evidence."""

    CROP = "crop"
    ANIMALS = "animals"
    STOCK = "stock"
    EQUIPMENT = "equipment"
    HOUSING = "housing"
    OTHER = "other"


class RiskRule(StrEnum):
    """What makes a risk event. A rule is switched on by naming it under a severity."""

    LATE = "late"
    BROKEN_PROMISE = "broken_promise"
    FALLING_STAKE = "falling_stake"
    EXPIRING_COVER = "expiring_cover"
    MISSED_MEETINGS = "missed_meetings"
    MISSED_VISITS = "missed_visits"
    CONCENTRATION = "concentration"
    CIRCULAR_MONEY = "circular_money"
    # What members report about members.
    MISUSE = "misuse"
    DISTRESS = "distress"
    COERCION = "coercion"
    GHOST_MEMBER = "ghost_member"
    # What a review's own tests find in its reviewers' answers.
    REVIEW_CONFLICT = "review_conflict"
    # What the risk desk finds: circles, those that cover themselves, invented members, pyramids.
    CLUSTER_ALERT = "cluster_alert"
    SELF_DEALING = "self_dealing"
    INVENTED_RING = "invented_ring"
    UNUSUAL_PATTERN = "unusual_pattern"
    # Somebody hardly known, at admission or at a first vouch.
    NEWCOMER = "newcomer"
    # What a score or the charter's rules say of a loan that is well.
    EARLY_WARNING = "early_warning"


# Peer reports open a case always: whoever reports is not told that nobody looks.
REPORT_RULES = frozenset(
    {RiskRule.MISUSE, RiskRule.DISTRESS, RiskRule.COERCION, RiskRule.GHOST_MEMBER}
)


class GateWay(StrEnum):
    """What is done about somebody hardly known who is to be admitted, or vouched for first."""

    OFF = "off"
    WARN = "warn"  # it goes on; officers are told, and a case is opened
    HOLD = "hold"  # it waits until an officer has decided


class LentBy(StrEnum):
    """By what loans are put together to see how much lies in one place."""

    REGION = "region"
    INDUSTRY = "industry"
    CROP = "crop"


class Severity(StrEnum):
    """How fast a case has to be answered, slowest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class MotionSubject(StrEnum):
    """What a motion is about; the charter says what needs everybody."""

    GENERAL = "general"
    LOAN = "loan"
    MONEY = "money"
    MEMBERSHIP = "membership"
    RULES = "rules"


class ComplaintKind(StrEnum):
    """What a complaint is about; the charter says, in this order, how long an answer may take."""

    SERVICE = "service"
    PRODUCT = "product"
    DECISION = "decision"
    MONEY = "money"
    CONDUCT = "conduct"


class CharterInvalid(Invalid):
    code = "charter-invalid"
    title = "The charter is not complete or not consistent"


@dataclass(frozen=True, slots=True)
class CharterRules:
    """Every number that a community decides. Amounts are minor units of its currency."""

    # Groups
    group_size_min: int
    group_size_max: int
    cooling_off_days: int
    second_group_per_product: bool  # a member may stand in a second group, for another product
    leader_term_days: int
    leader_acting_days: int  # a leader whose term is over acts on so long, until a successor
    amendment_days_max: int  # days in which everybody has to sign or consent to a proposal
    group_whole_days: int  # days in which a group that fell below its size has to be whole again
    # What is pointed out before anybody signs; it refuses nothing.
    kin_warnings: bool  # members who may be kin: one family name, one household before
    mutual_pair_warnings: bool  # two members who promised each other something elsewhere too
    group_alike_bps_max: int  # of a group, who may live from one crop or industry unremarked
    # Trust and limits
    circle_of_trust: int  # longest path in vouches: 1, 2 or 3
    vouch_days_max: int
    vouch_minor_max: int
    leverage_bps: int  # loan principal per 10,000 of cover
    owed_per_member_minor_max: int
    loan_cycle_steps_minor: tuple[
        int, ...
    ]  # the most for a first loan, a second, …; the last stays
    repayment_capacity_required: bool
    # What one member may promise for others, all in all, in this community
    guarantees_count_max: int  # members whom one member stands behind
    guarantee_ratio_bps_max: int  # all promises, per 10,000 of the base; 0: no such cap
    guarantee_base: GuaranteeBase
    guarantee_warning_bps: int  # of a cap, from where on it is pointed out before signing
    circle_warning_members: int  # circles of promises among up to so many are pointed out; 0: none
    # Voucher records: how those whom a member stood behind paid, from their own money alone
    voucher_half_life_days: int  # after so many days what was paid or not weighs half
    # What is believed of everybody before any loan: so much is paid, as after so many cases.
    voucher_prior_bps: int
    voucher_prior_cases: int
    voucher_case_minor: int  # a loan that asks for so much, or for more, is one case
    voucher_interval_bps: int  # of belief, that lies within the interval that is shown
    # All promises, per 10,000 of the base, of whose record's lower end is 100%; 0: no such bound.
    voucher_bound_bps: int
    # Who counts as at risk: late for so many days, or with a loan of this class or a worse one
    at_risk_days: int
    at_risk_from: RiskClass
    yearly_rate_ppm_max: int
    rate_cap_basis: str
    # Lending habits
    refuse_while_peer_late: bool
    endorsements_min: int
    # How many of a group borrow first, how many next, …, the leader in the last batch; and how many
    # instalments those before have to have repaid by then. 0: everybody at once.
    stagger_batches: tuple[int, ...]
    stagger_instalments_min: int
    # Shared credit lines
    line_minor_max: int  # a temporary raise included
    line_days_max: int
    line_shares_bps_max: int  # all sub-limits together, per 10,000 of the line
    line_raise_bps_max: int  # a temporary raise, per 10,000 of the limit
    line_raise_days_max: int
    one_line_per_product: bool  # a holder has one line for a product at a time
    # Of what is drawn on a line, how much may be late before nobody draws, per 10,000. 0: nothing.
    line_late_bps_max: int
    # Credit records of other communities
    # Whose records give standing: `com_…` of this platform, `com_…@<public key>` elsewhere.
    record_issuers: tuple[str, ...]
    record_standing_bps: int  # of the standing assessed there, per 10,000
    record_days_max: int  # how old a record may be
    record_list_days_max: int  # how old the issuer's list of revocations may be
    record_valid_days_max: int  # how long a record that is issued here is valid
    record_consent_days_max: int
    # Whole-village credit: blind review of every household
    campaign_reviewers_per_household: int
    campaign_rounds_max: int  # a second round asks others where answers lie too far apart
    campaign_known_min: int  # answers of people who know the household; below: no proposal
    campaign_spread_bps_max: int  # median deviation from the centre, per 10,000 of it
    campaign_against_bps_max: int  # of those who know a household, who may give reasons against
    campaign_outlier_mads_bps: int  # modified z score of an outlier, in ten-thousandths
    campaign_outlier_floor_bps: int  # nearer to the others than this nothing is an outlier
    campaign_bias_bps: int  # from this one-sided deviation on a reviewer's answers are corrected
    campaign_bias_answers_min: int
    campaign_agreement_ppm: int  # chance, per million campaigns, of accusing honest pairs
    campaign_agreement_shared_min: int  # households that two have to share before it is asked
    campaign_inflation_bps: int  # above the others' centre: an answer that lifts a household
    campaign_recheck_bps: int  # of proposed households, who are visited before publication
    campaign_objection_days: int
    campaign_grant_share_bps: int  # granted, per 10,000 of the centre
    campaign_household_minor_max: int
    campaign_expiry_months: int
    campaign_board_sees: BoardView
    # When a loan fails
    liability_modes: tuple[LiabilityMode, ...]
    call_day: int  # days overdue after which guarantors are called
    call_deadline_days: int
    accelerate_on_call: bool
    set_off_stake: bool
    reserve_fund_stands_in: bool
    write_off_day: int  # days overdue after which what is left is written off
    # What is owed to those who paid for others: simple interest, by the year; days of that year;
    # and whether money pays their interest before what they paid.
    recourse_yearly_rate_ppm: int
    recourse_year_days: int
    recourse_interest_first: bool
    # Classes of risk and what is set aside
    # Days overdue from which a loan is special mention, substandard, doubtful, loss.
    class_days: tuple[int, ...]
    # Days without arrears before a loan that did not perform is put into a better class.
    class_watch_days: int
    worst_loan_per_member: bool  # every loan of a member has the class of their worst one
    # Seasons of its crop that a seasonal loan may stay unpaid before it is substandard;
    # 0: days count, as for any loan.
    class_crop_seasons: int
    # Set aside of outstanding principal, class by class from normal to loss.
    provision_bps: tuple[int, ...]
    non_accrual_from: RiskClass  # from this class on interest is no longer counted as earned
    par_days: tuple[int, ...]  # portfolio at risk is reported beyond so many days
    restructures_max: int  # how often one loan's schedule may be made anew
    # Members
    member_age_min: int
    # Declared events
    event_declarers: tuple[Declarer, ...]
    event_deferral_days_max: int  # all events together, from a due's own day
    event_drift_bps_max: int  # loans that may have changed since the preview, of those touched
    # Risk events: the rules that are on, by how severe what they find is.
    risk_low_rules: tuple[RiskRule, ...]
    risk_medium_rules: tuple[RiskRule, ...]
    risk_high_rules: tuple[RiskRule, ...]
    risk_critical_rules: tuple[RiskRule, ...]
    risk_leader_rules: tuple[RiskRule, ...]  # whose cases begin with the group's leader
    risk_case_days: tuple[int, ...]  # days to answer a case, from low to critical
    risk_late_days: tuple[int, ...]  # days overdue that are an event, each a severity worse
    risk_promise_grace_days: int  # after the promised day, before a promise is broken
    risk_stake_fall_bps: int  # of a stake, withdrawn within risk_stake_days
    risk_stake_days: int
    risk_cover_days: int  # before a promise ends that backs a loan
    risk_meetings_missed: int  # in a row
    risk_concentration_bps: int  # of what the community has to lend, owed by one household
    risk_visits_missed: int  # of the visits that somebody was drawn for, in a row
    risk_visit_grace_days: int  # after a visit's last day, before it is missed
    risk_review_members_min: int  # reviewers in a finding of a review; 1: also one who is odd alone
    # Herfindahl's index, of 10,000: each listed number is an event, one severity worse.
    risk_hhi_bps: tuple[int, ...]
    risk_hhi_by: tuple[LentBy, ...]  # of what; none: it is not looked at
    # What a circle may lose, of all that the community has out: each listed number is an event.
    risk_circle_worst_bps: tuple[int, ...]  # if all in it fail
    risk_circle_expected_bps: tuple[int, ...]  # expected within a year
    risk_grown_bps: int  # by how much more a ring or pyramid has to grow to be told again
    risk_search_days: int  # from one search for circles to the next at a day's close
    # Newcomers who are hardly known
    gate_admission: GateWay
    gate_first_vouch: GateWay
    gate_crowd_min: int  # so many whom nobody knows, with the applicant, are remarked
    # Peer reports
    reports_per_span_max: int  # of one reporter, within report_span_days
    report_span_days: int
    # What is believed of a reporter before any case is closed: so many right, so many wrong.
    report_prior: tuple[int, ...]
    # Meetings
    meeting_quorum_bps: int  # of the members, in person or by proxy
    meeting_proxies_max: int  # that one member may hold
    motion_majority_bps: int  # of the votes cast; more than this has to be in favour
    motion_unanimous: tuple[MotionSubject, ...]  # subjects on which all cast votes have to agree
    # Visits
    visit_photos_max: int
    visit_photo_bytes_max: int
    # Use of proceeds
    proceeds_return_days: int  # within which money from a payee to the borrower is a circle
    payee_direct_above_minor: int  # a loan of more goes straight to its payees; 0: none has to
    payee_direct_purposes: tuple[Purpose, ...]  # whose money goes straight to the payees
    # The risk desk
    circle_members_min: int  # fewer members bound to each other are no guarantee circle
    circle_members_max: int  # more are looked at in parts
    circle_ring_max: int  # promises on the longest ring that is looked for
    circles_advised_max: int  # the most costly circles get suggestions with their computed effect
    hub_share_bps_max: int  # of what is lent, what may rest on one member's promises
    contingent_bps_max: int  # own debt and promises, per 10,000 of stake and assessment
    # Of 10,000 borrowers, how many fail within a year, class by class from normal to loss.
    failure_bps: tuple[int, ...]
    fail_together_bps: int  # how much of that is a circle failing as a whole
    common_factor_bps: int  # correlation of failures within a community, in stress tests
    assessed_pays_bps: int  # of what was assessed beyond the stake, what a call really brings
    shortfall_tail_bps: int  # the worst outcomes that expected shortfall is the mean of
    newcomer_days: int  # so long after joining a member is still to be known
    newcomer_trust_bps: int  # trust that reaches a newcomer, of what reaches the known, unremarked
    invented_ring_min: int  # so many who are hardly known, tied to each other, are remarked
    self_dealing_bps: int  # of a circle's cover, what may be its own unremarked
    self_dealing_promised_bps: int  # of what its members are promised, what may be from within
    self_dealing_owed_bps: int  # what its members may owe, of what they all have, unremarked
    inflow_days: int  # days in which introductions, deposits and payouts are looked at together
    inflow_below_min: int  # newcomers below one introducer that make a pyramid, on two levels
    inflow_alike_bps: int  # of their deposits, how many have to be of one amount
    inflow_payout_bps: int  # paid out above, per 10,000 of what came in below
    # Early warning
    warning_days_late: int  # a loan later than this is what the warning is to be ahead of
    warning_horizon_days: int  # and so many days ahead
    warning_loans_min: int  # loans that a model needs to be made from
    warning_bad_min: int  # of them, how many have to have come into trouble
    warning_months_min: int  # month ends on which loans were looked at
    warning_bands_bps: tuple[int, ...]  # probabilities from which it is raised, and high
    warning_rules_held: tuple[int, ...]  # by rules: how many have to hold for raised, and for high
    warning_reasons_max: int  # reasons that are told of a loan
    warning_error_bps_max: int  # calibration error of a model that may count, beyond chance
    warning_drift_bps_max: int  # stability index beyond which a model stands back for the rules
    warning_drift_chance_ppm: int  # chance, per million nights, of standing back for nothing
    # Feedback
    rating_raters_min: int  # that many have to be added before a mean is published, or again
    rating_per_day_max: int  # of one member
    feedback_per_day_max: int  # comments and suggestions of one member
    feedback_per_week_max: int
    feedback_weight_days: int  # of membership, until a member's word counts in full; 0: at once
    feedback_tied_bps: int  # how much a further one of those closely tied to each other counts
    feedback_burst_days: int  # within which many who are new or tied are flagged
    feedback_burst_min: int  # how many such are a burst
    complaint_per_week_max: int  # of one member
    complaint_days: tuple[int, ...]  # to answer: service, product, decision, money, conduct
    complaint_reopen_days: int  # after it was closed
    complaint_reopens_max: int
    theme_alike_bps: int  # similarity from which items are suggested as belonging together
    theme_poll_days_min: int
    theme_poll_days_max: int
    theme_voter_days: int  # of membership before a vote opens
    theme_quorum_bps: int  # of those who may vote
    theme_majority_bps: int  # of yes and no; more than this has to be in favour


_CHECKS: dict[str, tuple[int, int]] = {
    "group_size_min": (2, 100),
    "group_size_max": (2, 100),
    "cooling_off_days": (0, 60),
    "leader_term_days": (1, 3660),
    "leader_acting_days": (0, 366),
    "amendment_days_max": (1, 366),
    "group_whole_days": (0, 3660),
    "group_alike_bps_max": (0, 10_000),
    "circle_of_trust": (1, 3),
    "vouch_days_max": (1, 3660),
    "vouch_minor_max": (1, 10**15),
    "leverage_bps": (1, 1_000_000),
    "owed_per_member_minor_max": (1, 10**15),
    "guarantees_count_max": (1, 100_000),
    "guarantee_ratio_bps_max": (0, 10_000_000),
    "guarantee_warning_bps": (0, 10_000),
    "circle_warning_members": (0, 6),
    "voucher_half_life_days": (1, 36_600),
    "voucher_prior_bps": (1, 9_999),
    "voucher_prior_cases": (1, 1_000),
    "voucher_case_minor": (1, 10**15),
    "voucher_interval_bps": (1, 9_999),
    "voucher_bound_bps": (0, 10_000_000),
    "at_risk_days": (1, 3660),
    "yearly_rate_ppm_max": (0, 10_000_000),
    "endorsements_min": (0, 100),
    "stagger_instalments_min": (0, 600),
    "line_minor_max": (1, 10**15),
    "line_days_max": (1, 36_600),
    "line_shares_bps_max": (1, 1_000_000),
    "line_raise_bps_max": (0, 10_000),
    "line_raise_days_max": (1, 366),
    "line_late_bps_max": (0, 10_000),
    "record_standing_bps": (0, 10_000),
    "record_days_max": (0, 3660),
    "record_list_days_max": (0, 366),
    "record_valid_days_max": (1, 3660),
    "record_consent_days_max": (1, 3660),
    "campaign_reviewers_per_household": (3, 50),
    "campaign_rounds_max": (1, 2),
    "campaign_known_min": (2, 50),
    "campaign_spread_bps_max": (0, 100_000),
    "campaign_against_bps_max": (0, 10_000),
    "campaign_outlier_mads_bps": (10_000, 1_000_000),
    "campaign_outlier_floor_bps": (0, 100_000),
    "campaign_bias_bps": (1, 100_000),
    "campaign_bias_answers_min": (2, 1_000),
    "campaign_agreement_ppm": (0, 1_000_000),
    "campaign_agreement_shared_min": (1, 1_000),
    "campaign_inflation_bps": (1, 1_000_000),
    "campaign_recheck_bps": (0, 10_000),
    "campaign_objection_days": (1, 366),
    "campaign_grant_share_bps": (1, 10_000),
    "campaign_household_minor_max": (1, 10**15),
    "campaign_expiry_months": (1, 120),
    "call_day": (1, 3660),
    "call_deadline_days": (0, 366),
    "write_off_day": (1, 3660),
    "recourse_yearly_rate_ppm": (0, 1_000_000),
    "recourse_year_days": (360, 366),
    "class_watch_days": (0, 3660),
    "class_crop_seasons": (0, 20),
    "restructures_max": (0, 100),
    "member_age_min": (0, 150),
    "event_deferral_days_max": (0, 3660),
    "event_drift_bps_max": (0, 10_000),
    "risk_promise_grace_days": (0, 366),
    "risk_stake_fall_bps": (1, 10_000),
    "risk_stake_days": (1, 3660),
    "risk_cover_days": (1, 3660),
    "risk_meetings_missed": (1, 100),
    "risk_concentration_bps": (1, 10_000),
    "risk_visits_missed": (1, 100),
    "risk_visit_grace_days": (0, 366),
    "risk_review_members_min": (1, 1_000),
    "risk_grown_bps": (1, 1_000_000),
    "risk_search_days": (1, 366),
    "gate_crowd_min": (1, 10_000),
    "reports_per_span_max": (1, 1_000),
    "report_span_days": (1, 3660),
    "meeting_quorum_bps": (1, 10_000),
    "meeting_proxies_max": (0, 100),
    "motion_majority_bps": (0, 9_999),
    "visit_photos_max": (0, 100),
    "visit_photo_bytes_max": (1, 10_000_000),
    "proceeds_return_days": (1, 3660),
    "payee_direct_above_minor": (0, 10**15),
    "circle_members_min": (2, 1_000),
    "circle_members_max": (2, 1_000),
    "circle_ring_max": (2, 8),
    "circles_advised_max": (0, 1_000),
    "hub_share_bps_max": (1, 10_000),
    "contingent_bps_max": (0, 10_000_000),
    "fail_together_bps": (0, 10_000),
    "common_factor_bps": (0, 9_900),
    "assessed_pays_bps": (0, 10_000),
    "shortfall_tail_bps": (1, 10_000),
    "newcomer_days": (1, 3660),
    "newcomer_trust_bps": (0, 10_000),
    "invented_ring_min": (2, 1_000),
    "self_dealing_bps": (1, 10_000),
    "self_dealing_promised_bps": (1, 10_000),
    "self_dealing_owed_bps": (1, 100_000),
    "inflow_days": (1, 3660),
    "inflow_below_min": (2, 10_000),
    "inflow_alike_bps": (0, 10_000),
    "inflow_payout_bps": (0, 1_000_000),
    "warning_days_late": (0, 366),
    "warning_horizon_days": (1, 366),
    "warning_loans_min": (20, 1_000_000),
    "warning_bad_min": (10, 1_000_000),
    "warning_months_min": (4, 600),
    "warning_reasons_max": (1, 10),
    "warning_error_bps_max": (0, 10_000),
    "warning_drift_bps_max": (0, 100_000),
    "warning_drift_chance_ppm": (1, 1_000_000),
    "rating_raters_min": (3, 1_000),
    "rating_per_day_max": (1, 1_000),
    "feedback_per_day_max": (1, 1_000),
    "feedback_per_week_max": (1, 1_000),
    "feedback_weight_days": (0, 3660),
    "feedback_tied_bps": (0, 10_000),
    "feedback_burst_days": (1, 366),
    "feedback_burst_min": (2, 1_000),
    "complaint_per_week_max": (1, 1_000),
    "complaint_reopen_days": (0, 366),
    "complaint_reopens_max": (0, 20),
    "theme_alike_bps": (1, 10_000),
    "theme_poll_days_min": (1, 366),
    "theme_poll_days_max": (1, 366),
    "theme_voter_days": (0, 3660),
    "theme_quorum_bps": (1, 10_000),
    "theme_majority_bps": (0, 9_999),
}

# Lists of whole numbers: from, to, and what an item is.
_LISTS: dict[str, tuple[int, int, str]] = {
    "loan_cycle_steps_minor": (1, 10**15, "Every step is a positive number of minor units."),
    "stagger_batches": (1, 100, "Every item is a number of members from 1 to 100."),
    "class_days": (1, 3660, "Every item is a number of days from 1 to 3660."),
    "provision_bps": (0, 10_000, "Every item is a share from 0 to 10000 ten-thousandths."),
    "par_days": (1, 3660, "Every item is a number of days from 1 to 3660."),
    "risk_case_days": (0, 366, "Every item is a number of days from 0 to 366."),
    "risk_late_days": (1, 3660, "Every item is a number of days from 1 to 3660."),
    "risk_hhi_bps": (1, 10_000, "Every item is an index from 1 to 10000."),
    "risk_circle_worst_bps": (1, 10_000, "Every item is a share from 1 to 10000 ten-thousandths."),
    "risk_circle_expected_bps": (
        1,
        10_000,
        "Every item is a share from 1 to 10000 ten-thousandths.",
    ),
    "report_prior": (1, 1_000, "Every item is a number of reports from 1 to 1000."),
    "failure_bps": (0, 10_000, "Every item is a share from 0 to 10000 ten-thousandths."),
    "warning_bands_bps": (1, 10_000, "Every item is a share from 1 to 10000 ten-thousandths."),
    "warning_rules_held": (1, 100, "Every item is a number of rules from 1 to 100."),
    "complaint_days": (0, 366, "Every item is a number of days from 0 to 366."),
}
_MAY_BE_EMPTY = frozenset(
    {
        "risk_low_rules",
        "risk_medium_rules",
        "risk_high_rules",
        "risk_critical_rules",
        "risk_leader_rules",
        "risk_hhi_by",
        "risk_circle_worst_bps",
        "risk_circle_expected_bps",
        "motion_unanimous",
        "payee_direct_purposes",
    }
)
_PAR_DAYS_MAX = 6
# Lists whose every number is an event, each a severity worse.
_STEPPED = (
    "risk_late_days",
    "risk_hhi_bps",
    "risk_circle_worst_bps",
    "risk_circle_expected_bps",
)

# Lists of texts, which may be empty: what an item looks like, how many, and what it is.
_TEXTS: dict[str, tuple[re.Pattern[str], int, str]] = {
    "record_issuers": (
        re.compile("com_[0-9a-hj-km-np-tv-z]{16}(@[A-Za-z0-9_-]{43})?"),
        100,
        "Every item is a community's id, com_0123456789abcdef, or com_0123456789abcdef@<public key>"
        " for one of another platform; each community once, 100 at most.",
    ),
}


def severity_of(rules: CharterRules, rule: RiskRule) -> Severity | None:
    """Under which severity a rule is switched on; None: it is off."""
    by_severity: dict[Severity, tuple[RiskRule, ...]] = {
        severity: getattr(rules, f"risk_{severity.value}_rules") for severity in Severity
    }
    return next((severity for severity, named in by_severity.items() if rule in named), None)


def read_rules(document: Mapping[str, Any]) -> CharterRules:
    """Typed rules of a charter document; refuses what is missing, unknown, mistyped or absurd.

    Raises CharterInvalid with one message a rule under `errors`.
    """
    hints = _hints()
    errors: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name in document.keys() - hints.keys():
        errors[name] = "There is no such rule."
    for field in fields(CharterRules):
        item = document.get(field.name)
        if not isinstance(item, Mapping) or set(item) != {"value", "source"}:
            errors[field.name] = "Give the rule as {value, source}."
        elif not isinstance(item["source"], str) or not item["source"].strip():
            errors[field.name] = "Name the source of the rule."
        else:
            try:
                values[field.name] = _typed(field.name, item["value"], hints[field.name])
            except ValueError as error:
                errors[field.name] = str(error)
    if not errors:
        errors |= _inconsistent(values)
    if errors:
        raise CharterInvalid(
            "; ".join(f"{k}: {v}" for k, v in sorted(errors.items())), errors=errors
        )
    return CharterRules(**values)


@cache
def _hints() -> dict[str, Any]:
    """The rules' types. Working them out takes as long as reading a whole charter."""
    return get_type_hints(CharterRules)


def _typed(name: str, value: Any, kind: Any) -> Any:
    if kind is bool:
        if type(value) is not bool:
            raise ValueError("This is true or false.")
        return value
    if kind is int:
        return _bounded(name, value)
    if kind is str:
        if not isinstance(value, str) or not value.strip():
            raise ValueError("This is a text.")
        return value
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if not isinstance(value, str) or value not in set(kind):
            raise ValueError(f"Choose from {', '.join(kind)}.")
        return kind(value)
    if name in _TEXTS:
        return _texts(name, value)
    if not isinstance(value, (list, tuple)) or not (value or name in _MAY_BE_EMPTY):
        raise ValueError("This is a list with at least one item.")
    (item_kind, _) = get_args(kind)
    if issubclass(item_kind, StrEnum):
        if not all(isinstance(item, str) and item in set(item_kind) for item in value):
            raise ValueError(f"Choose from {', '.join(item_kind)}.")
        return tuple(item_kind(item) for item in value)
    low, high, what = _LISTS[name]
    if any(type(item) is not int or not low <= item <= high for item in value):
        raise ValueError(what)
    return tuple(value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    pattern, most, what = _TEXTS[name]
    if not isinstance(value, (list, tuple)) or len(value) > most:
        raise ValueError(what)
    if any(not isinstance(item, str) or not pattern.fullmatch(item) for item in value):
        raise ValueError(what)
    if len({item.partition("@")[0] for item in value}) < len(value):
        raise ValueError(what)
    return tuple(value)


def _bounded(name: str, value: Any) -> int:
    low, high = _CHECKS[name]
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"This is a whole number from {low} to {high}.")
    return value


def _inconsistent(values: Mapping[str, Any]) -> dict[str, str]:
    errors = {}
    if values["group_size_max"] < values["group_size_min"]:
        errors["group_size_max"] = "It is below group_size_min."
    if values["write_off_day"] <= values["call_day"]:
        errors["write_off_day"] = "Guarantors are called before anything is written off."
    if values["recourse_yearly_rate_ppm"] > values["yearly_rate_ppm_max"]:
        errors["recourse_yearly_rate_ppm"] = "It is above yearly_rate_ppm_max."
    if list(values["loan_cycle_steps_minor"]) != sorted(values["loan_cycle_steps_minor"]):
        errors["loan_cycle_steps_minor"] = "Steps do not fall."
    if len(values["class_days"]) != len(RiskClass) - 1 or not _rises(values["class_days"]):
        errors["class_days"] = "Four numbers that rise: one for each class below normal."
    if len(values["provision_bps"]) != len(RiskClass) or list(values["provision_bps"]) != sorted(
        values["provision_bps"]
    ):
        errors["provision_bps"] = "Five shares that do not fall: one for each class."
    if values["campaign_known_min"] > values["campaign_reviewers_per_household"]:
        errors["campaign_known_min"] = "It is above campaign_reviewers_per_household."
    if len(values["failure_bps"]) != len(RiskClass) or list(values["failure_bps"]) != sorted(
        values["failure_bps"]
    ):
        errors["failure_bps"] = "Five shares that do not fall: one for each class."
    if values["circle_members_max"] < values["circle_members_min"]:
        errors["circle_members_max"] = "It is below circle_members_min."
    if len(values["complaint_days"]) != len(ComplaintKind):
        errors["complaint_days"] = f"Five numbers: {', '.join(ComplaintKind)}."
    if values["theme_poll_days_max"] < values["theme_poll_days_min"]:
        errors["theme_poll_days_max"] = "It is below theme_poll_days_min."
    if len(values["par_days"]) > _PAR_DAYS_MAX or not _rises(values["par_days"]):
        errors["par_days"] = f"At most {_PAR_DAYS_MAX} numbers that rise."
    return errors | _risk_inconsistent(values)


def _risk_inconsistent(values: Mapping[str, Any]) -> dict[str, str]:
    errors = {}
    switched_on: set[RiskRule] = set()
    for severity in Severity:
        name = f"risk_{severity.value}_rules"
        rules = values[name]
        if len(set(rules)) != len(rules) or switched_on & set(rules):
            errors[name] = "A rule stands under one severity, once."
        switched_on |= set(rules)
    days = values["risk_case_days"]
    if len(days) != len(Severity) or list(days) != sorted(days, reverse=True):
        errors["risk_case_days"] = "Four numbers that do not rise: one for each severity."
    for name in _STEPPED:
        if len(values[name]) > len(Severity) or not _rises(values[name]):
            errors[name] = "At most four numbers that rise."
    if len(set(values["risk_hhi_by"])) < len(values["risk_hhi_by"]):
        errors["risk_hhi_by"] = "Each is named once."
    if REPORT_RULES & set(values["risk_leader_rules"]):
        errors["risk_leader_rules"] = "What members report is for officers, not for leaders."
    for name in ("gate_admission", "gate_first_vouch"):
        if values[name] is GateWay.HOLD and RiskRule.NEWCOMER not in switched_on:
            errors[name] = "What is held is decided in a case: switch on the rule newcomer."
    if len(values["report_prior"]) != 2:
        errors["report_prior"] = "Two numbers: right and wrong."
    for name in ("warning_bands_bps", "warning_rules_held"):
        if len(values[name]) != 2 or not _rises(values[name]):
            errors[name] = "Two numbers that rise: from where it is raised, and high."
    if values["warning_bad_min"] > values["warning_loans_min"]:
        errors["warning_bad_min"] = "It is above warning_loans_min."
    return errors


def _rises(numbers: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(numbers))
