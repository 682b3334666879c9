"""Groups under random steps of random people: whatever is refused, the laws hold after each.

Small amounts, so that promises are often full; most steps are refused, and change nothing.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.errors import CommunityError
from community.groups import amendments, expulsions, queries
from community.groups import service as groups
from community.groups.checks import check_groups
from community.groups.models import (
    Group,
    GroupExpulsion,
    GroupStatus,
    Settlement,
)
from community.guarantees import group_life
from community.guarantees.checks import check_guarantees
from community.ledger.models import Event
from community.loans.models import Loan, LoanStatus
from community.trust.checks import check_trust
from community.trust.models import Vouch, VouchStatus
from tests.circle import RULES, Circle
from tests.hamlet import yuan

PEOPLE = ("an", "bo", "chen", "ding", "feng", "gao", "han", "ji")
STEPS = 150


class Life:
    """A dice and a circle."""

    def __init__(self, circle: Circle, seed: int) -> None:
        self.circle, self.dice = circle, random.Random(seed)
        self.done: Counter[str] = Counter()
        self.groups: list[Group] = [circle.bind(*PEOPLE[:4]), circle.bind(*PEOPLE[4:7])]
        circle.person(PEOPLE[7], stake=300)

    def step(self) -> None:
        work = self.dice.choice(
            [
                self.lend,
                self.lend,
                self.repay,
                self.propose,
                self.propose,
                self.sign,
                self.sign,
                self.force,
                self.force,
                self.turn_down,
                self.exit,
                self.want_out,
                self.consent,
                self.expel,
                self.recall,
                self.vote,
                self.tend,
                self.wait,
            ]
        )
        self.circle.group = self.dice.choice(self.groups)
        try:
            work()
        except CommunityError as refusal:
            self.done[f"{work.__name__}: {refusal.code}"] += 1
        else:
            self.done[work.__name__] += 1

    def somebody(self) -> str:
        """Mostly somebody of the group at hand, so that not every step is refused."""
        if self.dice.random() < 0.8:
            names = {member.id: name for name, member in self.circle.people.items()}
            living = queries.living_members(self.circle.session, self.circle.group.id)
            if living:
                return names[self.dice.choice(living).member_id]
        return self.dice.choice(PEOPLE)

    def lend(self) -> None:
        self.circle.lend(self.somebody(), self.dice.choice([20, 310, 350, 420]), 12)

    def repay(self) -> None:
        loans = self.circle.session.scalars(
            select(Loan).where(Loan.status == LoanStatus.CURRENT).order_by(Loan.id)
        ).all()
        if loans:
            loan = self.dice.choice(loans)
            part = self.dice.choice([loan.outstanding_minor, max(1, loan.outstanding_minor // 2)])
            self.circle.repay(loan, part)

    def propose(self) -> None:
        joining = [self.circle.id(self.somebody())] if self.dice.random() < 0.5 else []
        self.circle.propose(
            self.somebody(), pair_cap=yuan(self.dice.choice([40, 100, 130])), joining=joining
        )

    def sign(self) -> None:
        """Everybody whom an open proposal asks."""
        amendment = queries.open_amendment(self.circle.session, self.circle.group.id)
        if amendment is not None:
            names = {member.id: name for name, member in self.circle.people.items()}
            for member_id in sorted(amendments.missing(self.circle.session, amendment)):
                self.circle.agree(amendment, names[member_id])

    def force(self) -> None:
        amendment = queries.open_amendment(self.circle.session, self.circle.group.id)
        if amendment is not None:
            self.circle.force(amendment)

    def turn_down(self) -> None:
        amendment = queries.open_amendment(self.circle.session, self.circle.group.id)
        if amendment is not None:
            self._act(amendments.refuse, amendment_id=amendment.id, by=self.somebody())

    def exit(self) -> None:
        self.circle.exit(self.somebody())

    def want_out(self) -> None:
        self.circle.do(
            expulsions.propose,
            proposer_id=self.circle.id(self.somebody()),
            member_id=self.circle.id(self.somebody()),
            settlement=self.dice.choice(list(Settlement)),
            reason="x",
            **self.circle.step(),
        )

    def consent(self) -> None:
        """All others, to the oldest that is voted on, with the figures of the moment."""
        expulsion = self._voted_on()
        if expulsion is not None:
            for place in queries.living_members(self.circle.session, expulsion.group_id):
                if place.member_id != expulsion.member_id:
                    part = group_life.covers_for(self.circle.session, expulsion, place.member_id)
                    takes = expulsion.settlement is Settlement.TAKEN_OVER
                    self.circle.do(
                        group_life.consent_to_expulsion,
                        expulsion_id=expulsion.id,
                        member_id=place.member_id,
                        takes_over=yuan(part) if takes else None,
                        actor_id=None,
                        **self.circle.when,
                    )

    def expel(self) -> None:
        expulsion = self._voted_on()
        if expulsion is not None:
            self.circle.do(
                group_life.expel, expulsion_id=expulsion.id, actor_id=None, **self.circle.when
            )

    def recall(self) -> None:
        self.circle.do(
            groups.recall_leader,
            member_id=self.circle.id(self.somebody()),
            recall=True,
            **self.circle.step(),
        )

    def vote(self) -> None:
        candidate = self.circle.id(self.somebody())
        for place in queries.living_members(self.circle.session, self.circle.group.id):
            self.circle.do(
                groups.vote_leader,
                voter_id=place.member_id,
                candidate_id=candidate,
                **self.circle.step(),
            )

    def tend(self) -> None:
        for group in self.groups:
            self.circle.do(group_life.tend_group, group_id=group.id, **self.circle.when)

    def wait(self) -> None:
        self.circle.wait(self.dice.choice([1, 5, 15]))

    def _voted_on(self) -> GroupExpulsion | None:
        found = queries.open_expulsions(self.circle.session, self.circle.group.id)
        return found[0] if found else None

    def _act(self, service: Callable[..., Any], *, by: str, **facts: Any) -> None:
        who = {"member_id": self.circle.id(by), "actor_id": self.circle.id(by)}
        self.circle.do(service, **who, **self.circle.when, **facts)

    def check(self) -> None:
        """The laws, and: live promises are exactly between those who stand in a group."""
        session = self.circle.session
        session.expire_all()
        for check in (check_groups, check_trust, check_guarantees):
            assert list(check(session)) == []
        for group in self.groups:
            living = {p.member_id for p in queries.living_members(session, group.id)}
            pairs = {
                (row.voucher_id, row.borrower_id)
                for row in session.scalars(
                    select(Vouch).where(
                        Vouch.group_id == group.id, Vouch.status == VouchStatus.LIVE
                    )
                )
            }
            if group.status is GroupStatus.ACTIVE:
                assert pairs == {(a, b) for a in living for b in living if a != b}
            else:
                assert (pairs, living) == (set(), set())
            # Nobody stands for more than they signed, whatever rows there are of a pair.
            for place in queries.living_members(session, group.id):
                stands = sum(
                    row.limit_minor if row.status is VouchStatus.LIVE else row.reserved_minor
                    for row in session.scalars(
                        select(Vouch).where(
                            Vouch.group_id == group.id,
                            Vouch.voucher_id == place.member_id,
                            Vouch.borrower_id.in_(living),
                        )
                    )
                )
                assert stands == place.exposure_minor


@pytest.mark.parametrize("seed", range(1))
def test_the_laws_hold_whatever_a_groups_members_do(db_session: Session, seed: int) -> None:
    circle = Circle(db_session, rules=RULES | {"vouch_days_max": 900})
    circle.fund(1_000_000)
    life = Life(circle, seed)
    for _ in range(STEPS):
        life.step()
        life.check()
    circle.check()
    # What nobody ever reaches tests nothing: these were taken, and refused, at least once.
    for name in ("lend", "repay", "propose", "sign", "exit"):
        assert life.done[name], life.done
    kinds = set(db_session.scalars(select(Event.kind)))
    assert {"group.amended", "group.vouches_amended", "group.vouches_ended"} <= kinds
    assert any(name.startswith("exit: group-still-binds") for name in life.done), life.done
