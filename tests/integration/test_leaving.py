"""Nobody leaves a community while something that binds them is being written, on real commits."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.communities.bonds import bonds_of
from app.transaction import run_unit
from community.communities import queries as communities
from community.communities.models import Community, MembershipStatus
from community.communities.service import leave_community
from community.engine import session_factory
from community.errors import CommunityError
from community.loans import service as loans
from community.savings import service as savings
from community.trust import service as trust
from community.trust.models import VouchSide
from tests.lending import NOW, TODAY, cny, make_village

# How long the second unit may take; one that has to wait for the first does not come back sooner.
PATIENCE_SECONDS = 1.0


class Place:
    """A village with a member who is about to leave, and what might bind them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with session_factory(engine)() as session:
            village = make_village(session)
            self.community_id = village.village.id
            self.member_id = village.person("Ma Li").id
            self.other_id = village.person("Gao Ming").id
            self.product_id = village.monthly.id
            session.commit()

    def leave(self, session: Session) -> str:
        community = session.get_one(Community, self.community_id)
        leave_community(
            session,
            community_id=community.id,
            member_id=self.member_id,
            on=TODAY,
            reason="moved",
            now=NOW,
            actor_id=None,
            still_bound=bonds_of(session, community, self.member_id, TODAY),
        )
        return "left"

    def save(self, session: Session) -> str:
        savings.deposit(
            session,
            community_id=self.community_id,
            member_id=self.member_id,
            amount=cny(5_00),
            on=TODAY,
            now=NOW,
            actor_id=None,
        )
        return "bound"

    def apply(self, session: Session) -> str:
        loans.apply(
            session,
            community_id=self.community_id,
            borrower_id=self.member_id,
            product_id=self.product_id,
            principal=cny(500_00),
            instalments=3,
            purpose="a pump",
            on=TODAY,
            now=NOW,
            actor_id=None,
        )
        return "bound"

    def vouch(self, session: Session) -> str:
        for side in (VouchSide.BORROWER, VouchSide.VOUCHER):
            trust.offer_vouch(
                session,
                community_id=self.community_id,
                voucher_id=self.member_id,
                borrower_id=self.other_id,
                side=side,
                limit=cny(100_00),
                expires_on=TODAY + timedelta(days=30),
                on=TODAY,
                now=NOW,
                actor_id=None,
            )
        return "bound"

    def run(self, act: Callable[[Session], str]) -> str:
        with session_factory(self.engine)() as session:
            try:
                return run_unit(session, act)
            except CommunityError as refusal:
                return refusal.code

    def status(self) -> MembershipStatus:
        with session_factory(self.engine)() as session:
            return communities.get_membership(
                session, community_id=self.community_id, member_id=self.member_id
            ).status


@pytest.fixture(params=["save", "apply", "vouch"])
def binding(request: pytest.FixtureRequest) -> str:
    """What would bind the member."""
    return str(request.param)


def test_what_is_being_written_binds_who_wants_to_leave(engine: Engine, binding: str) -> None:
    place = Place(engine)
    answers = _one_inside_the_other(place, getattr(place, binding), place.leave)
    assert answers == ("bound", "still-bound")
    assert place.status() is MembershipStatus.ACTIVE


def test_who_is_leaving_is_bound_by_nothing_new(engine: Engine, binding: str) -> None:
    place = Place(engine)
    answers = _one_inside_the_other(place, place.leave, getattr(place, binding))
    assert answers == ("left", "not-an-active-member")
    assert place.status() is MembershipStatus.LEFT


def _one_inside_the_other(
    place: Place, first: Callable[[Session], str], second: Callable[[Session], str]
) -> tuple[str, str]:
    """The second unit begins and does all it can after the first has written and not committed."""
    with ThreadPoolExecutor(1) as threads:
        begun: list[Future[Any]] = []

        def outer(session: Session) -> str:
            answer = first(session)
            session.flush()
            if not begun:
                begun.append(threads.submit(place.run, second))
                with suppress(StillRunning):
                    begun[0].result(PATIENCE_SECONDS)
            return answer

        return place.run(outer), begun[0].result()
