"""The rules of a charter as typed values, each with its source. Pure.

A charter document is `{"rule_name": {"value": …, "source": "…"}, …}`. Every rule must be given:
what a community did not decide, its template decides, and the source says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
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


class Declarer(StrEnum):
    """Whose word makes a flood or a fallen price change the dues of a region."""

    OFFICER = "officer"
    OPERATOR = "operator"


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
    # When a loan fails
    liability_modes: tuple[LiabilityMode, ...]
    call_day: int  # days overdue after which guarantors are called
    call_deadline_days: int
    accelerate_on_call: bool
    set_off_stake: bool
    reserve_fund_stands_in: bool
    write_off_day: int  # days overdue after which what is left is written off
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
    inflow_days: int  # days in which introductions, deposits and payouts are looked at together
    inflow_below_min: int  # newcomers below one introducer that make a pyramid, on two levels
    inflow_alike_bps: int  # of their deposits, how many have to be of one amount
    inflow_payout_bps: int  # paid out above, per 10,000 of what came in below


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
    "yearly_rate_ppm_max": (0, 10_000_000),
    "endorsements_min": (0, 100),
    "stagger_instalments_min": (0, 600),
    "line_minor_max": (1, 10**15),
    "line_days_max": (1, 36_600),
    "line_shares_bps_max": (1, 1_000_000),
    "line_raise_bps_max": (0, 10_000),
    "line_raise_days_max": (1, 366),
    "call_day": (1, 3660),
    "call_deadline_days": (0, 366),
    "write_off_day": (1, 3660),
    "class_watch_days": (0, 3660),
    "class_crop_seasons": (0, 20),
    "restructures_max": (0, 100),
    "member_age_min": (0, 150),
    "event_deferral_days_max": (0, 3660),
    "event_drift_bps_max": (0, 10_000),
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
    "inflow_days": (1, 3660),
    "inflow_below_min": (2, 10_000),
    "inflow_alike_bps": (0, 10_000),
    "inflow_payout_bps": (0, 1_000_000),
}

# Lists of whole numbers: from, to, and what an item is.
_LISTS: dict[str, tuple[int, int, str]] = {
    "loan_cycle_steps_minor": (1, 10**15, "Every step is a positive number of minor units."),
    "stagger_batches": (1, 100, "Every item is a number of members from 1 to 100."),
    "class_days": (1, 3660, "Every item is a number of days from 1 to 3660."),
    "provision_bps": (0, 10_000, "Every item is a share from 0 to 10000 ten-thousandths."),
    "par_days": (1, 3660, "Every item is a number of days from 1 to 3660."),
    "failure_bps": (0, 10_000, "Every item is a share from 0 to 10000 ten-thousandths."),
}
_PAR_DAYS_MAX = 6


def read_rules(document: Mapping[str, Any]) -> CharterRules:
    """Typed rules of a charter document; refuses what is missing, unknown, mistyped or absurd.

    Raises CharterInvalid with one message a rule under `errors`.
    """
    hints = get_type_hints(CharterRules)
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
    if kind is RiskClass:
        if not isinstance(value, str) or value not in set(RiskClass):
            raise ValueError(f"Choose from {', '.join(RiskClass)}.")
        return RiskClass(value)
    if not isinstance(value, (list, tuple)) or not value:
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
    if list(values["loan_cycle_steps_minor"]) != sorted(values["loan_cycle_steps_minor"]):
        errors["loan_cycle_steps_minor"] = "Steps do not fall."
    if len(values["class_days"]) != len(RiskClass) - 1 or not _rises(values["class_days"]):
        errors["class_days"] = "Four numbers that rise: one for each class below normal."
    if len(values["provision_bps"]) != len(RiskClass) or list(values["provision_bps"]) != sorted(
        values["provision_bps"]
    ):
        errors["provision_bps"] = "Five shares that do not fall: one for each class."
    if len(values["failure_bps"]) != len(RiskClass) or list(values["failure_bps"]) != sorted(
        values["failure_bps"]
    ):
        errors["failure_bps"] = "Five shares that do not fall: one for each class."
    if values["circle_members_max"] < values["circle_members_min"]:
        errors["circle_members_max"] = "It is below circle_members_min."
    if len(values["par_days"]) > _PAR_DAYS_MAX or not _rises(values["par_days"]):
        errors["par_days"] = f"At most {_PAR_DAYS_MAX} numbers that rise."
    return errors


def _rises(numbers: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(numbers))
