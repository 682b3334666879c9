"""What a standing and a vouch are worth on a day. Pure."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class StandingFacts:
    """A member's standing as its row says."""

    id: int
    member_id: int
    stake_minor: int
    assessed_minor: int
    assessed_until_on: date | None
    reserved_minor: int
    overdue_since_on: date | None

    def assessed_on(self, on: date) -> int:
        """The assessed part, unless its time is over."""
        lapsed = self.assessed_until_on is not None and self.assessed_until_on < on
        return 0 if lapsed else self.assessed_minor

    def free_on(self, on: date, *, pledge_only: bool = False) -> int:
        """What can still be reserved: nothing while overdue, else stake + assessed - reserved.

        `pledge_only` leaves out what was assessed: such loans rest on locked savings alone.
        """
        if self.overdue_since_on is not None:
            return 0
        backing = self.stake_minor + (0 if pledge_only else self.assessed_on(on))
        return max(0, backing - self.reserved_minor)

    @property
    def stake_free_minor(self) -> int:
        """What of the stake can be released: the stake goes first when a promise is called."""
        return max(0, self.stake_minor - self.reserved_minor)


@dataclass(frozen=True, slots=True)
class VouchFacts:
    """A live vouch as its row says."""

    id: int
    public_id: str
    voucher_id: int
    borrower_id: int
    limit_minor: int
    reserved_minor: int
    spent_minor: int

    def room(self, *, voucher_overdue: bool) -> int:
        """What can still be reserved on it: nothing while the voucher has something overdue."""
        return 0 if voucher_overdue else self.limit_minor - self.reserved_minor - self.spent_minor
