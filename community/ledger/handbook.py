"""The handbook of the books, docs/ledger.md: written out of the chart and the rules. Pure.

A test holds the file to what is written here.
"""

from collections.abc import Iterable

from community.ledger import rules
from community.ledger.chart import CHART, in_chart_order
from community.ledger.rules import RULES, Leg

_DEBT = {"principal": 100, "interest": 7, "interest_receivable": 11, "fee": 3, "penalty": 2}
# What each rule is shown with: small figures, so that every account it may move is seen.
_SHOWN: dict[str, list[Leg]] = {
    "capital.received": rules.capital_received(100),
    "reserve.funded": rules.reserve_funded(100),
    "savings.deposit": rules.many_savings_deposited({1: 100}),
    "savings.withdrawal": rules.savings_withdrawn(1, 100),
    "savings.stake_lock": rules.stake_locked({1: 100}),
    "savings.stake_release": rules.stake_released(1, 100),
    "loan.disbursed": rules.loan_disbursed(1, 1, 100),
    "loan.paid_to_payees": rules.loan_paid_to_payees(1, 1, 100, [60, 30]),
    "loan.repaid": rules.loan_repaid(1, 1, **_DEBT, overpaid=4),
    "loan.paid_from_stake": rules.loan_paid_from_stake(1, 1, **_DEBT),
    "loan.paid_from_reserve": rules.loan_paid_from_reserve(1, **_DEBT),
    "loan.receipt_moved": rules.receipt_moved(1, 1, principal=5, interest=-3, fee=0, penalty=-2),
    "loan.written_off": rules.loan_written_off(1, 1, 100),
    "loan.recovered": rules.loan_recovered(1, 1, 100),
    "loan.fee_charged": rules.fee_charged(1, 1, 100),
    "loan.fee_waived": rules.fee_waived(1, 1, 100),
    "loan.penalty_charged": rules.penalty_charged(1, 1, 100),
    "loan.penalty_waived": rules.penalty_waived(1, 1, 100),
    "recourse.arisen": rules.recourse_arisen(1, 1, 100),
    "recourse.settled": rules.recourse_settled(1, 2, [(1, 60), (None, 40)]),
    "recourse.interest": rules.recourse_interest([(1, 1, 100)]),
    "recourse.settled_outside": rules.recourse_settled_outside(1, 1, 100),
    "recourse.taken_over": rules.recourse_taken_over(1, 1, 2, 100),
    "recourse.waived": rules.recourse_waived(1, 1, 100),
    "interest.accrued": rules.interest_accrued(100),
    "interest.taken_back": rules.interest_taken_back(100),
    "provision.raised": rules.provision_raised(100),
    "provision.released": rules.provision_released(100),
    "firstloss.paid_in": rules.line_reserve_paid_in(1, 100),
    "firstloss.set_aside": rules.line_reserve_set_aside(100),
    "firstloss.used": rules.line_reserve_used(1, 100),
    "firstloss.refilled": rules.line_reserve_refilled(1, 100),
    "firstloss.returned": rules.line_reserve_returned({1: 60, None: 40}),
    "suspense.received": rules.suspense_received(100),
    "suspense.released": rules.suspense_released(100),
    "suspense.returned": rules.suspense_returned(100),
}

_INTRODUCTION = """\
# The books

One book per community, double entry, whole minor units. Debits are positive, credits negative. This
page is printed by `flask ledger handbook` out of `community/ledger/chart.py` and
`community/ledger/rules.py`; a test compares.

## What holds

- An entry is one event in money. It balances, and is never changed: a correction is a new entry
  that points at the old one.
- Every entry stands on a business day. A closed day takes no more postings and is never opened
  again: the refusal `day-closed` names the first open day. A correction goes there, with the *value
  date* of when the event was. A value date is never later than the business day.
- Entries and events of consequence of a book form one hash chain. Its head seals each record.
- Money may be put *on hold*: nothing is posted, but it cannot be taken out until the hold is posted
  (all of it, or a part: the rest is free again), voided, or its last day is over.
- The database itself refuses UPDATE, DELETE and TRUNCATE of entries, postings and events, legs for
  a sealed entry, sealing what does not balance, moving a head that is not the hash of its last
  record, and opening a closed day (`community/ledger/guards.py`).
- `flask ledger verify` proves all of it and names the first row that breaks it, also where somebody
  took the guards away. `--community` looks at one book, `--json` answers a program.

## Reading

Below `/api/v1/communities/<id>`, for officers and auditors: `/chart`, `/entries`, `/balances`,
`/trial-balance?from=&to=`, `/accounts/<kind>/statement?from=&to=`. A member's own, and for those
who look after them: `/members/<id>/statement?from=&to=`. `Accept: text/csv` or `?format=csv` gives
a sheet: UTF-8 with a byte order mark, so that spreadsheets read Chinese; a text that a spreadsheet
would take for a formula begins with an apostrophe. `/statement` is the page for printing.

A trial balance is added up from the postings of its days, never from today's balances.
"""


def handbook() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_chart(), "", *_rules(), ""])


def _chart() -> list[str]:
    lines = [
        "## Chart of accounts",
        "",
        "An *owned* kind has an account for every member, the others have one in a book.",
        "",
        "| Code | Account | Name | 名称 | Class | Side | Owned | What it is for |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line in CHART:
        owned = "yes" if line.owned else ""
        lines.append(
            f"| {line.code} | `{line.kind.value}` | {line.name_en} | {line.name_zh} | "
            f"{line.account_class.value} | {line.side.value} | {owned} | {line.purpose} |"
        )
    return lines


def _rules() -> list[str]:
    lines = [
        "## Posting rules",
        "",
        "By the kind of the entry, each with an example. An entry that undoes another has its kind "
        "with `.reversed` behind it, and every leg turned round.",
        "",
        "| Entry | Name | 名称 | What happens | Debits | Credits |",
        "|---|---|---|---|---|---|",
    ]
    for kind, rule in RULES.items():
        legs = sorted(_SHOWN[kind], key=lambda leg: in_chart_order(leg.kind))
        cells = [
            f"`{kind}`",
            rule.name_en,
            rule.name_zh,
            rule.sentence,
            _told(leg for leg in legs if leg.amount_minor > 0),
            _told(leg for leg in legs if leg.amount_minor < 0),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _told(legs: Iterable[Leg]) -> str:
    return ", ".join(f"`{leg.kind.value}` {abs(leg.amount_minor)}" for leg in legs)
