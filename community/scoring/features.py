"""What is known of a loan at the close of a day, as one row of numbers. Pure.

Days are ordinals. Everything carries the day from which it was known: a receipt that was entered
late with its own day was not there before it was entered. Whatever is known only after the day is
not looked at, so the row of a past day is the one that the day itself would have given.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BPS = 10_000
# Not to be told: no meeting was held, nobody vouches. A value of its own, below all others.
NONE = -1
# How far back habits are looked at: half a year and a year.
_HALF_YEAR, _YEAR = 183, 365
_MONTH = 30
# Paid later than this after its day, an instalment counts as paid late: weekends and holidays.
_LATE = 3


@dataclass(frozen=True, slots=True)
class Feature:
    """One number of the row; `others`: it tells something about other members than the borrower."""

    code: str
    others: bool = False


FEATURES: tuple[Feature, ...] = (
    Feature("days_late"),
    Feature("late_share"),
    Feature("worst_late"),
    Feature("share_paid"),
    Feature("due_ahead"),
    Feature("savings_months"),
    Feature("stake_fall"),
    Feature("meetings_missed"),
    Feature("promises_broken"),
    Feature("vouchers_troubled", others=True),
    Feature("cover_ending", others=True),
    Feature("peers_late", others=True),
    Feature("season_phase"),
    Feature("member_months"),
    Feature("cycle"),
)
CODES: tuple[str, ...] = tuple(feature.code for feature in FEATURES)
OF_OTHERS = frozenset(feature.code for feature in FEATURES if feature.others)
Row = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money on a loan: its day, since when it is known, and since when it is known to be gone."""

    day: int
    known: int
    minor: int
    by_borrower: bool = True
    gone: int | None = None
    # Others' money by rule (a stake, a guarantor, a reserve), or principal given up.
    is_loss: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A promise to pay: made and known, for a day, and the last day that still keeps it."""

    made: int
    known: int
    until: int
    minor: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a loan has to pay when, known since a day."""

    known: int
    # Rising days, and all that is due up to each, that day included.
    days: tuple[int, ...]
    due: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LoanLife:
    """One loan: its plans, what came, and what was promised."""

    loan_id: int
    borrower_id: int
    community_id: int
    from_day: int
    principal_minor: int
    plans: tuple[Plan, ...]
    receipts: tuple[Receipt, ...] = ()
    words: tuple[Word, ...] = ()
    # Since when it is known to be over, or made anew.
    ended: int | None = None
    restructured: int | None = None
    # Of its crop: first day of harvest, and of selling.
    harvest: int | None = None
    selling: int | None = None

    def plan_on(self, day: int) -> Plan:
        """The plan as it was known on a day."""
        found = self.plans[0]
        for plan in self.plans[1:]:
            if plan.known <= day:
                found = plan
        return found

    def is_out(self, day: int) -> bool:
        """Paid out by the close of the day, and not over."""
        return self.from_day <= day and (self.ended is None or self.ended > day)


@dataclass(frozen=True, slots=True)
class Tie:
    """A promise for a member: by whom, known since, given back on, and its last day as agreed."""

    voucher_id: int
    known: int
    ended: int | None = None
    is_group: bool = False
    # Since when which last day was agreed, oldest first.
    last_days: tuple[tuple[int, int], ...] = ()

    def is_live(self, day: int) -> bool:
        return self.known <= day and (self.ended is None or self.ended > day)

    def last_day(self, day: int) -> int | None:
        """The promise's last day, as it was agreed by a day."""
        agreed = [last for since, last in self.last_days if since <= day]
        return agreed[-1] if agreed else None


@dataclass(frozen=True, slots=True)
class MemberLife:
    """What a member did beside borrowing. Lists are of days since which something is known."""

    joined: int | None = None
    # (day, known).
    deposits: tuple[tuple[int, int], ...] = ()
    # Changes of the stake: (day, known, signed minor).
    stakes: tuple[tuple[int, int, int], ...] = ()
    # Meetings: (day from which it counts, whether they missed it).
    meetings: tuple[tuple[int, bool], ...] = ()
    # Days on which they were called for somebody.
    calls: tuple[int, ...] = ()
    ties: tuple[Tie, ...] = ()


NOBODY = MemberLife()


@dataclass(frozen=True, slots=True)
class Policy:
    """The charter's numbers that features and outcomes rest on."""

    days_late: int
    horizon_days: int
    stake_days: int
    cover_days: int


@dataclass(frozen=True, slots=True)
class Around:
    """How a day looks for everybody: whose loans are late, by member."""

    # The most days that something of a member is late.
    late: Mapping[int, int] = field(default_factory=dict)


def paid_by(loan: LoanLife, day: int, *, borrower_only: bool = False) -> int:
    """What is known on a day to have come by it."""
    return sum(
        receipt.minor
        for receipt in loan.receipts
        if receipt.known <= day
        and (receipt.gone is None or receipt.gone > day)
        and (receipt.by_borrower or not borrower_only)
    )


def days_late(loan: LoanLife, day: int) -> int:
    """How many days the oldest unpaid instalment is late at the close of a day."""
    plan = loan.plan_on(day)
    paid = paid_by(loan, day)
    place = bisect_right(plan.due, paid)
    if place == len(plan.days) or plan.days[place] >= day:
        return 0
    return day - plan.days[place]


def lateness(loan: LoanLife, day: int) -> tuple[int, int, int]:
    """Instalments that fell due before a day, how many of them were paid late or not at all, and
    the most days that one was late."""
    plan = loan.plan_on(day)
    fallen = bisect_right(plan.days, day - 1)
    came = sorted(
        (receipt.day, receipt.minor)
        for receipt in loan.receipts
        if receipt.known <= day and (receipt.gone is None or receipt.gone > day)
    )
    late = worst = total = at = 0
    for number in range(fallen):
        while total < plan.due[number] and at < len(came):
            total += came[at][1]
            at += 1
        paid_on = day if total < plan.due[number] else (came[at - 1][0] if at else day)
        days = max(paid_on - plan.days[number], 0)
        late += days > _LATE
        worst = max(worst, days)
    return fallen, late, worst


def build_row(
    loan: LoanLife,
    *,
    day: int,
    policy: Policy,
    own: Sequence[LoanLife],
    member: MemberLife,
    others: Mapping[int, MemberLife],
    around: Around,
) -> Row:
    """The row of a loan at the close of a day, in the order of `FEATURES`.

    `own` are all loans of the borrower, `others` the lives of whoever vouches for them. Shares are
    of 10,000, `NONE` says that there is nothing of which to tell a share.
    """
    plan = loan.plan_on(day)
    past = [life for life in own if life.from_day <= day]
    fallen = late = worst = 0
    for life in past:
        number, slow, most = lateness(life, day)
        fallen, late, worst = fallen + number, late + slow, max(worst, most)
    planned = plan.due[-1] if plan.due else 0
    ahead = _due_by(plan, day + policy.horizon_days) - _due_by(plan, day)
    live = [tie for tie in member.ties if tie.is_live(day)]
    return (
        max((days_late(life, day) for life in past if life.is_out(day)), default=0),
        _share(late, fallen),
        worst,
        _share(min(paid_by(loan, day, borrower_only=True), planned), planned),
        _share(ahead, planned),
        _months_saved(member, day),
        _stake_fall(member, day, policy.stake_days),
        _missed(member, day),
        sum(_is_broken(life, word, day) for life in past for word in life.words),
        _troubled([tie.voucher_id for tie in live if not tie.is_group], day, others, around),
        _ending(live, day, policy.cover_days),
        _share_of(
            [around.late.get(tie.voucher_id, 0) > 0 for tie in live if tie.is_group],
        ),
        _phase(loan, day),
        NONE if member.joined is None else max(day - member.joined, 0) // _MONTH,
        sum(life.from_day < loan.from_day for life in past) + 1,
    )


def is_in_trouble(loan: LoanLife, day: int, policy: Policy) -> bool:
    """Whether a loan is, at the close of a day, what the warning is to be ahead of."""
    if loan.restructured is not None and loan.restructured <= day:
        return True
    if any(
        r.is_loss and r.known <= day and (r.gone is None or r.gone > day) for r in loan.receipts
    ):
        return True
    return days_late(loan, day) > policy.days_late


def comes_into_trouble(loan: LoanLife, day: int, policy: Policy) -> bool:
    """Whether a loan that is well on a day comes into trouble within the horizon after it.

    It is made anew, somebody else pays for it, or an instalment stays unpaid for more days than the
    charter allows. As the rows tell it in the end: money taken back never came.
    """
    last = day + policy.horizon_days
    if loan.restructured is not None and day < loan.restructured <= last:
        return True
    came = sorted((r.day, r.minor, r.is_loss) for r in loan.receipts if r.gone is None)
    if any(is_loss and day < on <= last for on, _, is_loss in came):
        return True
    plan = loan.plan_on(last)
    total = at = 0
    for due_on, due in zip(plan.days, plan.due, strict=True):
        first_bad = due_on + policy.days_late + 1
        if first_bad > last:
            break
        while total < due and at < len(came):
            total += came[at][1]
            at += 1
        paid_on = came[at - 1][0] if total >= due and at else None
        # It is bad from that day to the day before it was paid; some of that lies after the day.
        if paid_on is None or paid_on > max(first_bad, day + 1):
            return True
    return False


def _due_by(plan: Plan, day: int) -> int:
    place = bisect_right(plan.days, day)
    return plan.due[place - 1] if place else 0


def _share(part: int, whole: int) -> int:
    return part * BPS // whole if whole > 0 else NONE


def _share_of(flags: Sequence[bool]) -> int:
    return _share(sum(flags), len(flags))


def _months_saved(member: MemberLife, day: int) -> int:
    """In how many of the last six months of thirty days something was brought."""
    return len(
        {
            (day - on) // _MONTH
            for on, known in member.deposits
            if known <= day and 0 <= day - on < 6 * _MONTH
        }
    )


def _stake_fall(member: MemberLife, day: int, days: int) -> int:
    """How much of the stake was taken back within the days."""
    known = [(on, minor) for on, since, minor in member.stakes if since <= day]
    had = sum(minor for on, minor in known if on <= day - days)
    has = sum(minor for _, minor in known)
    return _share(max(had - has, 0), had)


def _missed(member: MemberLife, day: int) -> int:
    return _share_of([missed for on, missed in member.meetings if day - _HALF_YEAR < on <= day])


def _is_broken(loan: LoanLife, word: Word, day: int) -> bool:
    if word.known > day or not day - _YEAR < word.until + 1 <= day:
        return False
    paid = sum(
        receipt.minor
        for receipt in loan.receipts
        if receipt.known <= day
        and (receipt.gone is None or receipt.gone > day)
        and not receipt.is_loss
        and word.made <= receipt.day <= word.until
    )
    return paid < word.minor


def _troubled(
    vouchers: Sequence[int], day: int, others: Mapping[int, MemberLife], around: Around
) -> int:
    """Of those who vouch, who are late themselves or were called for somebody in half a year."""
    return _share_of(
        [
            around.late.get(who, 0) > 0
            or any(day - _HALF_YEAR < on <= day for on in others.get(who, NOBODY).calls)
            for who in vouchers
        ]
    )


def _ending(live: Sequence[Tie], day: int, days: int) -> int:
    """Of the promises for the borrower, how many end within the days."""
    last_days = [tie.last_day(day) for tie in live if not tie.is_group]
    return _share_of([last is not None and last <= day + days for last in last_days])


def _phase(loan: LoanLife, day: int) -> int:
    """No crop; before the harvest; harvest, nothing sold; selling."""
    if loan.harvest is None or loan.selling is None:
        return NONE
    return 0 if day < loan.harvest else 1 if day < loan.selling else 2
