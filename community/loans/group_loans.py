"""A group's loan as one thing: what it would cost, who would answer for whom, how far it is.

Its shares are loans like any other; what is decided of them is decided together.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, aliased

from community.communities.charter import LiabilityMode, read_rules
from community.communities.models import Charter, Membership, MembershipStatus
from community.groups import queries as groups
from community.groups.models import Group, GroupMember, GroupMemberStatus
from community.groups.steps import require_ready_to_borrow
from community.loans.models import Endorsement, GroupLoan, Loan, LoanStatus
from community.loans.schedule import yearly_rate_of
from community.loans.service import Quote, check_borrowing_group, of_share, offer_on, quote_on
from community.loans.states import LIVE, OPEN
from community.members.models import Member
from community.money import Money, share_bps
from community.products.terms import ProductTerms


class Stage(StrEnum):
    """How far a group loan is."""

    WAITS_FOR_WORDS = "waits_for_words"
    WAITS_FOR_DECISION = "waits_for_decision"
    WAITS_FOR_MONEY = "waits_for_money"
    BEING_REPAID = "being_repaid"
    OVER = "over"  # every share is repaid or written off
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Answering:
    """How much one member could be asked for at most, by the borrower of a share.

    This is what the group's agreement lets be asked; what is really held is decided with the loan.
    """

    member_id: int
    # By borrower id; shares for which nothing can be asked are left out.
    for_shares: Mapping[int, int]

    @property
    def at_most_minor(self) -> int:
        return sum(self.for_shares.values())


@dataclass(frozen=True, slots=True)
class GroupQuote:
    """What a group loan would cost if it were paid out on the day: by borrower id, and in all."""

    shares: Mapping[int, Quote]
    effective_yearly_rate_ppm: int
    terms: ProductTerms
    answering: tuple[Answering, ...]

    @property
    def one(self) -> Quote:
        """Any of its shares: the rules are the same for all of them."""
        return next(iter(self.shares.values()))

    @property
    def principal_minor(self) -> int:
        return sum(share.principal_minor for share in self.shares.values())

    @property
    def interest_minor(self) -> int:
        return sum(share.interest_minor for share in self.shares.values())

    @property
    def fees_minor(self) -> int:
        return sum(share.fees_minor for share in self.shares.values())

    @property
    def total_minor(self) -> int:
        return sum(share.total_minor for share in self.shares.values())


@dataclass(frozen=True, slots=True)
class GroupLoanFile:
    """A group loan with its shares, the words given for them and those that could still come."""

    group_loan: GroupLoan
    group: Group
    shares: Sequence[Loan]
    # By loan id: the words given, how many more it takes, and which of the group could give one.
    words: Mapping[int, Sequence[Endorsement]]
    needed: Mapping[int, int]
    missing: Mapping[int, Sequence[int]]

    @property
    def stage(self) -> Stage:
        return stage_of([share.status for share in self.shares])

    @property
    def missing_ids(self) -> frozenset[int]:
        """Who of the group could still give their word, and is waited for."""
        return frozenset(member for ids in self.missing.values() for member in ids)


def quote_as_group(
    session: Session,
    *,
    group_id: int,
    product_id: int,
    shares: Mapping[int, int],
    currency: str,
    on: date,
    actor_id: int,
    instalments: int | None = None,
    season_id: int | None = None,
) -> GroupQuote:
    """What each share and all of them would cost, and who would answer for whom.

    Refuses what `service.apply_as_group` would refuse, the borrowers' memberships and ages aside.
    Nothing is written or locked.
    """
    group = groups.get_group_by_id(session, group_id)
    check_borrowing_group(session, group, shares, on=on, actor_id=actor_id)
    require_ready_to_borrow(group, product_id)
    offer = offer_on(session, community_id=group.community_id, product_id=product_id, on=on)
    quotes: dict[int, Quote] = {}
    for borrower_id in sorted(shares):
        with of_share(session, borrower_id):
            quotes[borrower_id] = quote_on(
                session,
                offer,
                principal=Money(shares[borrower_id], currency),
                on=on,
                instalments=instalments,
                season_id=season_id,
            )
    return GroupQuote(
        shares=quotes,
        effective_yearly_rate_ppm=yearly_rate_of(
            [tranche for one in quotes.values() for tranche in one.tranches],
            [row for one in quotes.values() for row in one.rows],
            [fee for one in quotes.values() for fee in one.fees_by_row()],
        ),
        terms=offer.terms,
        answering=answering(
            offer.terms, shares, signed_ids(session, [group.id])[group.id], group.pair_cap_minor
        ),
    )


def answering(
    terms: ProductTerms,
    shares: Mapping[int, int],
    members: Collection[int],
    pair_cap_minor: int,
) -> tuple[Answering, ...]:
    """What each member of a group could be asked for at most, by the product's kind of liability.

    For a share, another member answers with what is held of it over their promise, never beyond
    the promise; jointly and severally they may be asked for what others leave unpaid, up to it.
    """
    found = []
    for member in sorted(members):
        parts: dict[int, int] = {}
        for borrower, principal_minor in sorted(shares.items()):
            cover_minor = share_bps(principal_minor, terms.cover_ratio_bps, up=True)
            if borrower == member or cover_minor == 0 or terms.liability_mode is LiabilityMode.NONE:
                continue
            joint = terms.liability_mode is LiabilityMode.JOINT_AND_SEVERAL
            parts[borrower] = pair_cap_minor if joint else min(pair_cap_minor, cover_minor)
        found.append(Answering(member, parts))
    return tuple(found)


def stage_of(statuses: Collection[LoanStatus]) -> Stage:
    """How far a group loan is whose shares are so far."""
    if any(status in OPEN for status in statuses):
        endorsed = all(status is LoanStatus.ENDORSED for status in statuses)
        return Stage.WAITS_FOR_DECISION if endorsed else Stage.WAITS_FOR_WORDS
    if LoanStatus.APPROVED in statuses:
        return Stage.WAITS_FOR_MONEY
    if any(status in LIVE for status in statuses):
        return Stage.BEING_REPAID
    for status in (LoanStatus.REJECTED, LoanStatus.WITHDRAWN, LoanStatus.EXPIRED):
        if status in statuses:
            return Stage(status.value)
    return Stage.OVER


def files_of(session: Session, rows: Sequence[GroupLoan]) -> list[GroupLoanFile]:
    """Group loans with all that is shown of them; a fixed number of statements."""
    ids = [row.id for row in rows]
    shares = session.scalars(
        select(Loan).where(Loan.group_loan_id.in_(ids)).order_by(Loan.id)
    ).all()
    words: dict[int, list[Endorsement]] = {share.id: [] for share in shares}
    for word in session.scalars(
        select(Endorsement).where(Endorsement.loan_id.in_(words)).order_by(Endorsement.id)
    ):
        words[word.loan_id].append(word)
    of_groups = {row.group_id for row in rows}
    found = {
        group.id: group for group in session.scalars(select(Group).where(Group.id.in_(of_groups)))
    }
    signed = signed_ids(session, of_groups)
    active = _active(session, {row.community_id for row in rows}, set().union(*signed.values()))
    homes = _households(
        session,
        {share.borrower_id for share in shares}.union(*signed.values()),
    )
    charters = {
        charter.id: read_rules(charter.rules).endorsements_min
        for charter in session.scalars(
            select(Charter).where(Charter.id.in_({share.charter_id for share in shares}))
        )
    }
    files = []
    for row in rows:
        own = [share for share in shares if share.group_loan_id == row.id]
        files.append(
            GroupLoanFile(
                group_loan=row,
                group=found[row.group_id],
                shares=own,
                words={share.id: words[share.id] for share in own},
                needed={
                    share.id: max(0, charters[share.charter_id] - len(words[share.id]))
                    if share.status is LoanStatus.SUBMITTED
                    else 0
                    for share in own
                },
                missing={
                    share.id: _could_endorse(
                        share,
                        words[share.id],
                        [one for one in signed[row.group_id] if (row.community_id, one) in active],
                        homes,
                    )
                    for share in own
                },
            )
        )
    return files


def waiting_for(member_id: int) -> Select[GroupLoan]:
    """Applications of a member's groups that wait for their word; page by GroupLoan.id.

    As `service.endorse_group_loan` would take it: for a share that still needs words, of somebody
    of another household, by an active member who has not given theirs.
    """
    me, borrower = aliased(Member), aliased(Member)
    return (
        select(GroupLoan)
        .join(GroupMember, GroupMember.group_id == GroupLoan.group_id)
        .join(me, me.id == GroupMember.member_id)
        .join(
            Membership,
            (Membership.member_id == me.id) & (Membership.community_id == GroupLoan.community_id),
        )
        .where(
            GroupMember.member_id == member_id,
            GroupMember.status == GroupMemberStatus.SIGNED,
            Membership.status == MembershipStatus.ACTIVE,
            select(Loan.id)
            .join(borrower, borrower.id == Loan.borrower_id)
            .where(
                Loan.group_loan_id == GroupLoan.id,
                Loan.status == LoanStatus.SUBMITTED,
                Loan.borrower_id != member_id,
                or_(
                    me.household_id.is_(None),
                    borrower.household_id.is_(None),
                    borrower.household_id != me.household_id,
                ),
                ~select(Endorsement.id)
                .where(Endorsement.loan_id == Loan.id, Endorsement.endorser_id == member_id)
                .exists(),
            )
            .exists(),
        )
    )


def signed_ids(session: Session, group_ids: Collection[int]) -> dict[int, list[int]]:
    """Who has signed the agreement of each group; one statement."""
    found: dict[int, list[int]] = {group_id: [] for group_id in group_ids}
    for group_id, member_id in session.execute(
        select(GroupMember.group_id, GroupMember.member_id)
        .where(GroupMember.group_id.in_(group_ids), GroupMember.status == GroupMemberStatus.SIGNED)
        .order_by(GroupMember.id)
    ):
        found[group_id].append(member_id)
    return found


def _could_endorse(
    share: Loan,
    words: Sequence[Endorsement],
    signed: Sequence[int],
    homes: Mapping[int, int | None],
) -> list[int]:
    """Who of the group could still give the word that a share waits for."""
    if share.status is not LoanStatus.SUBMITTED:
        return []
    given = {word.endorser_id for word in words}
    home = homes[share.borrower_id]
    return [
        member
        for member in signed
        if member != share.borrower_id
        and member not in given
        and (home is None or homes[member] != home)
    ]


def _active(
    session: Session, community_ids: Collection[int], member_ids: Collection[int]
) -> set[tuple[int, int]]:
    rows = session.execute(
        select(Membership.community_id, Membership.member_id).where(
            Membership.community_id.in_(community_ids),
            Membership.member_id.in_(member_ids),
            Membership.status == MembershipStatus.ACTIVE,
        )
    )
    return set(rows.all())


def _households(session: Session, ids: Collection[int]) -> dict[int, int | None]:
    rows = session.execute(select(Member.id, Member.household_id).where(Member.id.in_(ids)))
    return dict(rows.all())
