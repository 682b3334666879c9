"""Which rules bind a credit limit, and at how much. Pure.

    limit = the smallest value of all constraints, never below zero

Every constraint says by itself how much could still be borrowed, where its rule is written, and
what it was worked out from.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from community.communities.charter import CharterRules, LiabilityMode
from community.credit.stagger import Stagger, waiting
from community.lines.headroom import Headroom
from community.money import share_bps
from community.products.terms import ProductTerms


@dataclass(frozen=True, slots=True)
class Source:
    """Where rules are written: a charter's, a product's or a credit line's version."""

    kind: str  # "charter", "product", "credit_line" or "voucher_record"
    owner: str  # public id of the community, the product, the line or whose record it is
    version: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """What somebody assessed that a member can owe and repay."""

    public_id: str
    amount_minor: int
    expires_on: date


@dataclass(frozen=True, slots=True)
class BorrowerFacts:
    """What is known of a borrower in a community, apart from who stands behind them."""

    owed_minor: int = 0
    # What guarantors paid for them and have not got back; a part of what is owed.
    recourse_minor: int = 0
    # Loans that they repaid themselves, nobody called: the steps that lead to larger ones.
    loans_repaid: int = 0
    overdue_since_on: date | None = None
    late_peers: int = 0
    # Active groups of theirs that have fewer members than the charter asks for.
    short_groups: int = 0
    capacity: Capacity | None = None
    # Only where the charter staggers lending, and the borrower is in an active group.
    stagger: Stagger | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """One rule, and how much could still be borrowed if it were the only one."""

    name: str
    value_minor: int
    rule: str
    source: Source
    detail: Mapping[str, Any] = field(default_factory=dict)


# What helps when a constraint binds.
REMEDIES: Mapping[str, str] = {
    "own_overdue": "Pay what is overdue.",
    "late_peers": "Help the late members of your group to pay.",
    "staggered": "Wait for your turn, and help those who borrowed first to pay.",
    "short_group": "Admit somebody to your group, so that it is whole again; or leave it.",
    "trust": "Ask somebody who can to stand behind you, or with more; or lock more savings.",
    "cover": "Ask somebody who can to stand behind you, or with more; or lock more savings.",
    "product": "Ask for less, or choose a product for larger sums.",
    "liability_mode": "Choose a product whose liability mode the charter allows.",
    "owed_per_member": "Repay a part of what is owed first.",
    "loan_cycle": "Repay a loan: the next step is larger.",
    "shared_line": "Wait until a draw on the line is repaid, or ask an officer to raise the line.",
    "sub_limit": "Repay a part of your draws on the line, or ask for a larger sub-limit.",
    "repayment_capacity": "Repay a part first, or ask for a new assessment of your capacity.",
}


def constraints(
    *,
    rules: CharterRules,
    charter: Source,
    facts: BorrowerFacts,
    flow_minor: int,
    cover_flow_minor: int,
    terms: ProductTerms | None = None,
    product: Source | None = None,
    headroom: Headroom | None = None,
) -> tuple[Constraint, ...]:
    """All constraints on what a borrower may still borrow, those that forbid lending first.

    `flow_minor` is what the circle can still stand for (reservations subtracted, so it counts
    for new debt as it is); `cover_flow_minor` the same along paths that can be reserved.
    """
    found = list(_forbidding(rules, charter, facts))
    owed = {"owed_minor": facts.owed_minor}
    if facts.recourse_minor:
        owed["recourse_minor"] = facts.recourse_minor
    # Individual liability rests on nobody's promise: trust does not bind it.
    if terms is None or terms.liability_mode is not LiabilityMode.NONE:
        found.append(
            Constraint(
                "trust",
                share_bps(flow_minor, rules.leverage_bps),
                "leverage_bps",
                charter,
                {
                    "flow_minor": flow_minor,
                    "leverage_bps": rules.leverage_bps,
                    "circle_of_trust": rules.circle_of_trust,
                },
            )
        )
    if terms is not None and product is not None:
        found += _of_product(rules, charter, terms, product, cover_flow_minor)
    if headroom is not None:
        found += line_constraints(headroom)
    found.append(
        Constraint(
            "owed_per_member",
            max(0, rules.owed_per_member_minor_max - facts.owed_minor),
            "owed_per_member_minor_max",
            charter,
            {"most_minor": rules.owed_per_member_minor_max, **owed},
        )
    )
    steps = rules.loan_cycle_steps_minor
    step = steps[min(facts.loans_repaid, len(steps) - 1)]
    found.append(
        Constraint(
            "loan_cycle",
            max(0, step - facts.owed_minor),
            "loan_cycle_steps_minor",
            charter,
            {"step_minor": step, "loans_repaid": facts.loans_repaid, **owed},
        )
    )
    capacity = facts.capacity
    if capacity is not None:
        found.append(
            Constraint(
                "repayment_capacity",
                max(0, capacity.amount_minor - facts.owed_minor),
                "repayment_capacity_required",
                charter,
                {
                    "assessment": capacity.public_id,
                    "capacity_minor": capacity.amount_minor,
                    "expires_on": capacity.expires_on.isoformat(),
                    **owed,
                },
            )
        )
    elif rules.repayment_capacity_required:
        found.append(
            Constraint(
                "repayment_capacity",
                0,
                "repayment_capacity_required",
                charter,
                {"reason": "No assessment of the repayment capacity is in force."},
            )
        )
    return tuple(found)


def line_constraints(headroom: Headroom) -> tuple[Constraint, Constraint]:
    """What a shared line still gives, and what the borrower's sub-limit on it does."""
    source = Source("credit_line", headroom.line, headroom.version)
    return (
        Constraint("shared_line", headroom.line_minor, "limit", source, headroom.facts),
        Constraint("sub_limit", headroom.sub_limit_left_minor, "sub_limit", source, headroom.facts),
    )


def binding(found: Iterable[Constraint]) -> Constraint:
    """The constraint with the smallest value; of equal ones the first."""
    return min(found, key=lambda constraint: constraint.value_minor)


def _forbidding(rules: CharterRules, charter: Source, facts: BorrowerFacts) -> Iterable[Constraint]:
    if facts.overdue_since_on is not None:
        yield Constraint(
            "own_overdue",
            0,
            "nobody borrows while overdue",
            charter,
            {"overdue_since_on": facts.overdue_since_on.isoformat()},
        )
    if rules.refuse_while_peer_late and facts.late_peers:
        yield Constraint(
            "late_peers",
            0,
            "refuse_while_peer_late",
            charter,
            {"late_peers": facts.late_peers},
        )
    waits = None
    if rules.stagger_instalments_min and facts.stagger is not None:
        waits = waiting(facts.stagger, rules.stagger_batches)
    if waits is not None:
        yield Constraint(
            "staggered",
            0,
            "stagger_batches",
            charter,
            {
                "batches": list(rules.stagger_batches),
                "instalments_min": rules.stagger_instalments_min,
                "batch": waits.batch,
                "others_begun": waits.others_begun,
                "others_needed": waits.others_needed,
                "waits_for": waits.waits_for,
                "reason": waits.reason,
            },
        )
    if facts.short_groups:
        yield Constraint(
            "short_group",
            0,
            "group_size_min",
            charter,
            {"size_min": rules.group_size_min},
        )


def _of_product(
    rules: CharterRules,
    charter: Source,
    terms: ProductTerms,
    product: Source,
    cover_flow_minor: int,
) -> Iterable[Constraint]:
    if terms.liability_mode not in rules.liability_modes:
        yield Constraint(
            "liability_mode",
            0,
            "liability_modes",
            charter,
            {
                "liability_mode": terms.liability_mode.value,
                "allowed": [mode.value for mode in rules.liability_modes],
            },
        )
    if terms.cover_ratio_bps:
        detail: dict[str, Any] = {
            "flow_minor": cover_flow_minor,
            "cover_ratio_bps": terms.cover_ratio_bps,
            "liability_mode": terms.liability_mode.value,
        }
        if rules.circle_of_trust > COVER_CIRCLE:
            detail["reason"] = "Cover is reserved along at most two promises."
        yield Constraint(
            "cover",
            # The largest principal whose cover, rounded up, is within the flow.
            cover_flow_minor * 10_000 // terms.cover_ratio_bps,
            "cover_ratio_bps",
            product,
            detail,
        )
    yield Constraint(
        "product",
        terms.principal_minor_max,
        "principal_minor_max",
        product,
        {
            "most_minor": terms.principal_minor_max,
            "least_minor": terms.principal_minor_min,
        },
    )


# A cover line has room for two promises; see graph.limits.reserve_cover.
COVER_CIRCLE = 2
