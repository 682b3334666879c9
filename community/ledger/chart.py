"""The chart of accounts: what each kind of account is, for whom, on which side. Pure.

It is data. `models.AccountKind` is what the database admits, `models.DEBIT_KINDS` and
`models.OWNED_KINDS` are what its constraints are made of; a test holds the three together.
"""

from dataclasses import dataclass
from enum import StrEnum

from community.ledger.models import AccountKind


class AccountClass(StrEnum):
    """Where a kind of account stands in the accounts of a lender."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"
    MEMORANDUM = "memorandum"  # money between members, beside the books


class Side(StrEnum):
    """The side on which an account grows."""

    DEBIT = "debit"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One kind of account. An allowance is an asset on the credit side: it lessens assets."""

    code: str
    kind: AccountKind
    account_class: AccountClass
    side: Side
    # Every member has an account of their own; else there is one of the kind in a book.
    owned: bool
    name_en: str
    name_zh: str
    purpose: str


def _line(
    code: str,
    kind: AccountKind,
    account_class: AccountClass,
    side: Side,
    name_en: str,
    name_zh: str,
    purpose: str,
    *,
    owned: bool = False,
) -> ChartLine:
    return ChartLine(code, kind, account_class, side, owned, name_en, name_zh, purpose)


_A, _C, _S = AccountKind, AccountClass, Side

# The first digit is the class: 1 assets, 2 liabilities, 3 equity, 4 income, 5 expense,
# 9 memorandum.
CHART: tuple[ChartLine, ...] = (
    _line(
        "1010",
        _A.SAVINGS_CASH,
        _C.ASSET,
        _S.DEBIT,
        "Members' money in custody",
        "成员储蓄托管款",
        "Cash and bank money that belongs to members. It is never lent.",
    ),
    _line(
        "1020",
        _A.LENDING_CASH,
        _C.ASSET,
        _S.DEBIT,
        "Lending pool",
        "放贷资金",
        "The lender's cash, from which loans are paid out and to which repayments come.",
    ),
    _line(
        "1110",
        _A.LOAN_PRINCIPAL,
        _C.ASSET,
        _S.DEBIT,
        "Loan principal receivable",
        "应收贷款本金",
        "Principal that borrowers have not paid back. Each leg names its loan.",
    ),
    _line(
        "1120",
        _A.INTEREST_RECEIVABLE,
        _C.ASSET,
        _S.DEBIT,
        "Interest receivable",
        "应收利息",
        "Interest that the day close has counted as earned and nobody has paid yet.",
    ),
    _line(
        "1130",
        _A.FEE_RECEIVABLE,
        _C.ASSET,
        _S.DEBIT,
        "Fees receivable",
        "应收手续费",
        "Fees that were charged and not paid yet.",
    ),
    _line(
        "1140",
        _A.PENALTY_RECEIVABLE,
        _C.ASSET,
        _S.DEBIT,
        "Penalties receivable",
        "应收罚息",
        "Penalties for lateness that were charged and not paid yet.",
    ),
    _line(
        "1190",
        _A.LOAN_LOSS_ALLOWANCE,
        _C.ASSET,
        _S.CREDIT,
        "Loan loss allowance",
        "贷款损失准备",
        "What is set aside against loans that may not come back. It lessens the assets.",
    ),
    _line(
        "2010",
        _A.MEMBER_SAVINGS,
        _C.LIABILITY,
        _S.CREDIT,
        "Members' savings",
        "成员储蓄",
        "What a member may withdraw, less what is on hold.",
        owned=True,
    ),
    _line(
        "2020",
        _A.MEMBER_STAKE,
        _C.LIABILITY,
        _S.CREDIT,
        "Members' stake",
        "成员质押储蓄",
        "A member's savings locked as cover for what they stand behind.",
        owned=True,
    ),
    _line(
        "2030",
        _A.OVERPAYMENT,
        _C.LIABILITY,
        _S.CREDIT,
        "Overpayments",
        "多付款",
        "What a payer gave beyond the debt. It is theirs.",
        owned=True,
    ),
    _line(
        "2040",
        _A.SUSPENSE,
        _C.LIABILITY,
        _S.CREDIT,
        "Suspense",
        "待查款项",
        "Money that came in over the bank and is not matched to anybody yet.",
    ),
    _line(
        "2050",
        _A.LINE_RESERVE,
        _C.LIABILITY,
        _S.CREDIT,
        "First-loss reserves of credit lines",
        "授信额度首损准备金",
        "What members and the community paid in to stand first for draws on a shared line. It lies"
        " in custody; what a closed line has left goes back.",
    ),
    _line(
        "3010",
        _A.LENDER_FUNDS,
        _C.EQUITY,
        _S.CREDIT,
        "Lender's funds",
        "放贷方资金",
        "What the lender has put into the lending pool.",
    ),
    _line(
        "3020",
        _A.RESERVE_FUND,
        _C.EQUITY,
        _S.CREDIT,
        "Reserve fund",
        "风险准备金",
        "What the community has set aside to stand in for failed loans, last before a write-off.",
    ),
    _line(
        "4010",
        _A.INTEREST_INCOME,
        _C.INCOME,
        _S.CREDIT,
        "Interest income",
        "利息收入",
        "Interest earned: when it accrues if the day close accrues it, else when it is paid.",
    ),
    _line(
        "4020",
        _A.FEE_INCOME,
        _C.INCOME,
        _S.CREDIT,
        "Fee income",
        "手续费收入",
        "Fees charged, less those waived.",
    ),
    _line(
        "4030",
        _A.PENALTY_INCOME,
        _C.INCOME,
        _S.CREDIT,
        "Penalty income",
        "罚息收入",
        "Penalties charged, less those waived.",
    ),
    _line(
        "4040",
        _A.RECOVERY_INCOME,
        _C.INCOME,
        _S.CREDIT,
        "Recoveries",
        "已核销贷款收回",
        "Money that came in on loans after they were written off.",
    ),
    _line(
        "5010",
        _A.PROVISION_EXPENSE,
        _C.EXPENSE,
        _S.DEBIT,
        "Provisions",
        "计提贷款损失准备",
        "What setting aside for doubtful loans has cost, less what was released again.",
    ),
    _line(
        "5020",
        _A.WRITE_OFF,
        _C.EXPENSE,
        _S.DEBIT,
        "Write-offs",
        "贷款核销损失",
        "Principal that was given up.",
    ),
    _line(
        "9010",
        _A.RECOURSE_RECEIVABLE,
        _C.MEMORANDUM,
        _S.DEBIT,
        "Recourse claims",
        "追偿权",
        "What those who paid for others may claim back. It is money between members.",
    ),
    _line(
        "9020",
        _A.RECOURSE_CONTRA,
        _C.MEMORANDUM,
        _S.CREDIT,
        "Recourse claims, contra",
        "追偿权对应科目",
        "The other side of recourse claims, so that the memorandum balances by itself.",
    ),
)

LINES: dict[AccountKind, ChartLine] = {line.kind: line for line in CHART}


def in_chart_order(kind: AccountKind) -> str:
    """Sort key: the kind's code."""
    return LINES[kind].code
