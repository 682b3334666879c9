"""Which loan a line of a bank statement is for. Pure: a line and known facts in, a match out.

Every answer says by which rule it came and on what it rests. Each line is judged alone, so neither
the order nor the company of lines matters. The rules, first one that speaks:

1. The text names loans (`lon_…`). One live loan: it is that one. A loan that is not live, that is
   nobody's here, or several loans: not matched; a text that names a loan is never overruled.
2. The text names a member, by public id or by the reference that files know them under. Digits
   alone may be a date or an amount: such a reference counts only if the payer's name is the
   member's, or the amount is what one of their loans asks for next.
3. The account that the money came from is known to be a member's.

Several members named: not matched. One: their only live loan, else the one with the oldest due,
else, among equally old, the only one whose next due is the amount. Nothing of that: not matched.

It is `certain` when the loan is named, or the amount is what the loan asks for next; else `likely`.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

_LOAN = re.compile(r"(?<![0-9a-z_])lon_[0-9a-hj-km-np-tv-z]{16}(?![0-9a-z])")
_MEMBER = re.compile(r"(?<![0-9a-z_])mem_[0-9a-hj-km-np-tv-z]{16}(?![0-9a-z])")
# A reference may hold any of these in its middle; a text puts them around it.
# How much of an account is written down to tell it from others.
_ENDING = 4
_ROUND = ".,:!?#()[]{}<>\"'-_/，。：！？（）【】《》、“”"
_PARTS = re.compile(r"[\s;；]+")
_FINE_PARTS = re.compile(r"[\s;；,，。:：/、()（）\[\]【】]+")
_PLAIN_PARTS = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*")


class Rule(StrEnum):
    LOAN_NAMED = "loan_named"
    MEMBER_NAMED = "member_named"
    ACCOUNT_KNOWN = "account_known"
    BY_HAND = "by_hand"


class Certainty(StrEnum):
    CERTAIN = "certain"
    LIKELY = "likely"


class Unmatched(StrEnum):
    """Why a line is in suspense."""

    NOTHING_NAMED = "nothing_named"  # neither text nor account says whose it is
    SEVERAL_LOANS = "several_loans"  # the text names more than one
    SEVERAL_MEMBERS = "several_members"
    LOAN_UNKNOWN = "loan_unknown"  # the loan that the text names is none of this community
    LOAN_NOT_LIVE = "loan_not_live"
    NO_LIVE_LOAN = "no_live_loan"  # the member has none
    LOANS_ALIKE = "loans_alike"  # several loans, and nothing tells them apart
    OTHER_CURRENCY = "other_currency"


@dataclass(frozen=True, slots=True)
class Line:
    """Money that came in, as the bank tells it."""

    reference: str
    booked_on: date
    amount_minor: int
    currency: str
    payer_name: str = ""
    payer_account: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class KnownLoan:
    """A loan of the community. The dues are those that are unpaid; none for one not live."""

    loan_id: int
    public_id: str
    borrower_id: int
    currency: str
    live: bool
    oldest_due_on: date | None = None
    next_due_minor: int = 0


@dataclass(frozen=True, slots=True)
class KnownMember:
    """A member of the community."""

    member_id: int
    public_id: str
    reference: str | None
    name: str


@dataclass(frozen=True)
class Known:
    """What is known in one community, by what a line may name."""

    loans: Mapping[str, KnownLoan] = field(default_factory=dict)  # by public id
    members: Mapping[str, KnownMember] = field(default_factory=dict)  # by public id
    references: Mapping[str, KnownMember] = field(default_factory=dict)
    accounts: Mapping[str, KnownMember] = field(default_factory=dict)
    # Live loans by borrower.
    live: Mapping[int, tuple[KnownLoan, ...]] = field(default_factory=dict)
    people: Mapping[int, KnownMember] = field(default_factory=dict)  # by inner id


@dataclass(frozen=True, slots=True)
class Match:
    """Where a line goes: to a loan, or to suspense (`loan` None) with the reason.

    `borrower_pays` is whether the money is the borrower's own; `payer_id` whose it is, if known.
    """

    loan: KnownLoan | None
    rule: Rule | None
    certainty: Certainty | None
    reason: Unmatched | None
    facts: tuple[tuple[str, str], ...]
    payer_id: int | None
    borrower_pays: bool


def match(line: Line, known: Known) -> Match:
    """The loan that a line is for, or why none; see the rules above."""
    named = sorted(loan_ids_in(line.text))
    if named:
        return _by_loan(line, known, named)
    people, facts = _named_members(line, known)
    rule = Rule.MEMBER_NAMED
    if not people:
        owner = known.accounts.get(line.payer_account)
        if owner is None:
            return _unmatched(line, known, Unmatched.NOTHING_NAMED, ())
        people, rule = [owner], Rule.ACCOUNT_KNOWN
        facts = (("account", ending_of(line.payer_account)), ("member", owner.public_id))
    if len(people) > 1:
        return _unmatched(line, known, Unmatched.SEVERAL_MEMBERS, facts)
    [borrower] = people
    everything = known.live.get(borrower.member_id, ())
    loans = [loan for loan in everything if loan.currency == line.currency]
    if not loans:
        reason = Unmatched.OTHER_CURRENCY if everything else Unmatched.NO_LIVE_LOAN
        return _unmatched(line, known, reason, facts)
    chosen = _oldest(loans, line.amount_minor)
    if chosen is None:
        return _unmatched(line, known, Unmatched.LOANS_ALIKE, facts)
    asks = chosen.next_due_minor == line.amount_minor
    certainty = Certainty.CERTAIN if asks else Certainty.LIKELY
    if len(loans) > 1:
        facts += (("oldest_of", str(len(loans))),)
    return _matched(line, known, chosen, rule, certainty, facts)


def ending_of(account: str) -> str:
    """What tells an account from others without giving it away: its end, if it is long enough."""
    return f"…{account[-_ENDING:]}" if len(account) >= 2 * _ENDING else "…"


def loan_ids_in(text: str) -> set[str]:
    """Public ids of loans that a text names."""
    return set(_LOAN.findall(text.lower()))


def member_ids_in(text: str) -> set[str]:
    """Public ids of members that a text names."""
    return set(_MEMBER.findall(text.lower()))


def references_in(text: str) -> set[str]:
    """Whatever in a text could be a member's reference: whole words, however they are set apart."""
    return {word for word in _words(text) if word}


def _words(text: str) -> Iterator[str]:
    for part in _PARTS.split(text):
        yield part
        yield part.strip(_ROUND)
    yield from _FINE_PARTS.split(text)
    yield from _PLAIN_PARTS.findall(text)


def same_name(one: str, other: str) -> bool:
    """Whether two names are the same but for case, width and spaces."""
    return _plain(one) == _plain(other) != ""


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _by_loan(line: Line, known: Known, named: list[str]) -> Match:
    facts = tuple(("loan", public_id) for public_id in named)
    if len(named) > 1:
        return _unmatched(line, known, Unmatched.SEVERAL_LOANS, facts)
    loan = known.loans.get(named[0])
    if loan is None:
        return _unmatched(line, known, Unmatched.LOAN_UNKNOWN, facts)
    if not loan.live:
        return _unmatched(line, known, Unmatched.LOAN_NOT_LIVE, facts)
    if loan.currency != line.currency:
        return _unmatched(line, known, Unmatched.OTHER_CURRENCY, facts)
    return _matched(line, known, loan, Rule.LOAN_NAMED, Certainty.CERTAIN, facts)


def _named_members(
    line: Line, known: Known
) -> tuple[list[KnownMember], tuple[tuple[str, str], ...]]:
    """Members that the text names, in a fixed order, and how it names them."""
    found: dict[int, KnownMember] = {}
    facts = []
    for public_id in sorted(member_ids_in(line.text)):
        member = known.members.get(public_id)
        if member is not None:
            found[member.member_id] = member
            facts.append(("member", public_id))
    for word in sorted(references_in(line.text)):
        member = known.references.get(word)
        if member is not None and (not word.isdigit() or _speaks_for(line, known, member)):
            found[member.member_id] = member
            facts.append(("reference", word))
    return [found[member_id] for member_id in sorted(found)], tuple(facts)


def _speaks_for(line: Line, known: Known, member: KnownMember) -> bool:
    """Whether something else of the line points at the member too."""
    return same_name(line.payer_name, member.name) or any(
        loan.next_due_minor == line.amount_minor and loan.currency == line.currency
        for loan in known.live.get(member.member_id, ())
    )


def _oldest(loans: list[KnownLoan], amount_minor: int) -> KnownLoan | None:
    if len(loans) == 1:
        return loans[0]
    first = min(loan.oldest_due_on or date.max for loan in loans)
    oldest = [loan for loan in loans if (loan.oldest_due_on or date.max) == first]
    if len(oldest) > 1:
        oldest = [loan for loan in oldest if loan.next_due_minor == amount_minor]
    return oldest[0] if len(oldest) == 1 else None


def _matched(
    line: Line,
    known: Known,
    loan: KnownLoan,
    rule: Rule,
    certainty: Certainty,
    facts: tuple[tuple[str, str], ...],
) -> Match:
    if loan.next_due_minor == line.amount_minor:
        facts += (("amount", "next_due"),)
    payer_id, by_what = _payer(line, known, loan.borrower_id)
    # Where the bank names nobody, it is the borrower's as at the counter.
    own = payer_id == loan.borrower_id or not (line.payer_name or line.payer_account)
    return Match(loan, rule, certainty, None, (*facts, ("payer", by_what)), payer_id, own)


def _unmatched(
    line: Line, known: Known, reason: Unmatched, facts: tuple[tuple[str, str], ...]
) -> Match:
    owner = known.accounts.get(line.payer_account)
    payer_id = None if owner is None else owner.member_id
    return Match(None, None, None, reason, facts, payer_id, False)


def _payer(line: Line, known: Known, borrower_id: int) -> tuple[int | None, str]:
    """Whose money it is, and how that is known."""
    owner = known.accounts.get(line.payer_account)
    if owner is not None:
        return owner.member_id, "account"
    borrower = known.people.get(borrower_id)
    if borrower is not None and same_name(line.payer_name, borrower.name):
        return borrower_id, "name"
    return None, "unknown" if line.payer_name or line.payer_account else "not_said"
