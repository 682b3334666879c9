"""A member's profile from a life worked by hand, as each relation sees it.

Amounts are plain minor units.
"""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.errors import Invalid
from community.loans.models import Instalment, Loan
from community.monitoring import meetings, proceeds
from community.monitoring.meetings import Present
from community.monitoring.models import AttendanceKind
from community.profiles.profile import Profile, profile_of, ties_between
from community.profiles.relations import Figure, Relation, Scope
from community.trust import service as trust
from community.trust.models import VouchSide
from tests.hamlet import FAR, yuan
from tests.monitoring_life import Watched, watched


@pytest.fixture
def hamlet(sqlite_session: Session) -> Watched:
    return neighbours(sqlite_session)


def neighbours(session: Session) -> Watched:
    """Ada leads Ben and Cai; Uma stands behind Ben, Ben behind Eva; Dan is a neighbour."""
    rules = {"meeting_quorum_bps": 5_000, "risk_promise_grace_days": 3, "par_days": [5, 30]}
    place = watched(session, rules)
    for name in ("uma", "dan"):
        place.person(name, assessed=1_000_00)
    place.person("eva")
    place.person("ben", stake=1_00)  # no assessment: his loans need Uma's word
    place.group("ada", "ben", "cai")
    place.vouch("uma", "ben", 500_00)
    place.vouch("ben", "eva", 1_00)
    return place


def look(place: Watched, viewer: str, at: str = "ben", *more: Relation, **span: Any) -> Profile:
    who = {"community_id": place.community.id, "member_id": place.people[at].id}
    viewer_id = place.people[viewer].id
    ties = ties_between(place.session, **who, viewer_id=viewer_id, on=place.day)
    own = {Relation.SELF} if viewer == at else set()
    return profile_of(
        place.session,
        **who,
        viewer_id=viewer_id,
        relations=ties.relations | own | set(more),
        ties=ties,
        on=place.day,
        **span,
    )


def values(found: Profile, figure: str) -> dict[str, Any]:
    seen = {item.figure.value: item for item in found.figures}
    return dict(seen[figure].values)


def shown(found: Profile) -> set[str]:
    return {item.figure.value for item in found.figures}


def due_days(place: Watched, loan: Loan) -> list[Any]:
    rows = select(Instalment.due_on).where(Instalment.loan_id == loan.id)
    return list(place.session.scalars(rows.order_by(Instalment.number)))


def lived(place: Watched) -> Loan:
    """Ben borrows 90 in three parts: one paid on its day, one ten days late, the third open."""
    loan = place.lend("ben", 90_00, instalments=3)
    days = due_days(place, loan)
    place.day = days[0]
    place.save("ben", 5_00)
    place.repay(loan, 30_00)
    place.day = days[1] - timedelta(days=2)
    place.do(
        proceeds.promise,
        loan_id=loan.id,
        amount=yuan(30_00),
        promised_on=days[1] + timedelta(days=5),
        actor_id=place.people["ben"].id,
        **place.when,
    )
    place.day = days[1] + timedelta(days=10)
    place.save("ben", 7_00)
    place.repay(loan, 30_00)
    place.day = days[2] + timedelta(days=1)
    return loan


def test_the_figures_by_hand(db_session: Session) -> None:
    hamlet = neighbours(db_session)
    lived(hamlet)
    lines = [
        Present(hamlet.people["ada"].id, AttendanceKind.PRESENT, None),
        Present(hamlet.people["ben"].id, AttendanceKind.PROXY, hamlet.people["ada"].id),
    ]
    meeting = hamlet.do(
        meetings.enter,
        group_id=_group_id(hamlet),
        held_on=hamlet.day,
        lines=lines,
        client_id=None,
        actor_id=hamlet.people["ada"].id,
        **hamlet.when,
    )
    act = {"meeting_id": meeting.id, "actor_id": hamlet.people["ada"].id, **hamlet.when}
    hamlet.do(meetings.close, **act)
    found = look(hamlet, "ben")
    assert found.relations == {Relation.SELF}
    assert shown(found) == {figure.value for figure in Figure}
    paid = values(found, "repayment")
    assert (paid["loans"], paid["dues"], paid["paid_on_time"], paid["open"]) == (1, 3, 1, 1)
    assert (paid["due"], paid["paid_by_themself"]) == (yuan(90_00), yuan(60_00))
    assert paid["on_time_ppm"] == 333_333
    bands = [(band["from"], band["to"], band["dues"]) for band in paid["days_late"]]
    assert bands == [(0, 0, 1), (1, 5, 1), (6, 30, 1), (31, None, 0)]
    saved = values(found, "savings")
    assert (saved["deposits"], saved["deposited"]) == (3, yuan(1_00 + 5_00 + 7_00))
    assert (saved["months"], saved["months_with_deposit"]) == (4, 3)
    assert (saved["free"], saved["stake"]) == (yuan(12_00), yuan(1_00))
    # He promised by the fifth day after, with three of grace, and paid on the tenth.
    assert values(found, "promises") == {"made": 1, "kept": 0, "broken": 1, "open": 0}
    met = values(found, "attendance")
    assert (met["meetings"], met["proxy"], met["present_or_spoken_for_ppm"]) == (1, 1, 1_000_000)
    assert values(found, "vouching_given")["limit"] == yuan(1_00)
    assert values(found, "vouching_received")["limit"] == yuan(500_00)
    assert values(found, "exposure")["most"] == yuan(1_00)
    assert values(found, "standing")["stake"] == yuan(1_00)
    assert values(found, "voucher_record")["good_cases"] == 0
    assert values(found, "membership")["status"] == "active"
    active = values(found, "activity")
    assert (active["months"], active["months_active"]) == (4, 3)
    assert values(found, "visits") == {"assigned": 0, "done": 0, "done_late": 0, "received": 0}
    # Law 7: which rows, from when to when, by which rule of the charter.
    source = next(item for item in found.figures if item.figure is Figure.REPAYMENT)
    assert source.rows == {"loans": 1, "instalments": 3, "repayments": 2}
    assert (source.from_on, source.until_on) == (found.since_on, hamlet.day)
    assert [(rule.rule, rule.value, rule.source) for rule in source.rules] == [
        ("par_days", [5, 30], "test")
    ]
    # A span of its own: the last instalment alone.
    late = values(look(hamlet, "ben", since=hamlet.day - timedelta(days=5)), "repayment")
    assert (late["dues"], late["on_time_ppm"]) == (1, 0)
    with pytest.raises(Invalid):
        look(hamlet, "ben", since=hamlet.day + timedelta(days=1))
    # Uma's record is Ben's paying: two parts of three.
    record = values(look(hamlet, "uma", "uma"), "voucher_record")
    assert record["borrowers"] == 1
    assert record["good_cases"] > record["bad_cases"] > 0


def _group_id(hamlet: Watched) -> int:
    who = hamlet.people["ben"].id, hamlet.people["ada"].id
    ties = ties_between(
        hamlet.session,
        community_id=hamlet.community.id,
        member_id=who[0],
        viewer_id=who[1],
        on=hamlet.day,
    )
    return next(iter(ties.group_ids))


def test_everybody_sees_their_part(hamlet: Watched) -> None:
    lived(hamlet)
    # The leader: what belongs to the group; Ben's own loan is not the group's.
    ada = look(hamlet, "ada")
    assert ada.relations == {Relation.LEADER}
    assert shown(ada) == {"membership", "repayment", "attendance", "promises", "visits"}
    assert values(ada, "repayment")["loans"] == 0
    assert values(ada, "promises")["made"] == 0
    # Who stands behind him: what rests on that promise, and the promise.
    uma = look(hamlet, "uma")
    assert uma.relations == {Relation.VOUCHER}
    assert shown(uma) == {"membership", "repayment", "promises", "vouching_received"}
    assert values(uma, "repayment")["loans"] == 1
    assert values(uma, "vouching_received")["promises"] == 1
    # Another loan that does not rest on her word is none of hers.
    hamlet.vouch("dan", "ben", 10_00)
    dan = look(hamlet, "dan")
    assert values(dan, "repayment")["loans"] == 0
    assert values(dan, "vouching_received")["limit"] == yuan(10_00)
    # Whom he stands behind: little.
    eva = look(hamlet, "eva")
    assert eva.relations == {Relation.BACKED}
    assert shown(eva) == {"membership", "vouching_given"}
    # In office: all of it.
    assert shown(look(hamlet, "cai", "ben", Relation.AUDITOR)) == {f.value for f in Figure}


def test_what_one_side_alone_does_opens_nothing(hamlet: Watched) -> None:
    lived(hamlet)
    assert look(hamlet, "dan").relations == frozenset()
    assert look(hamlet, "cai").relations == frozenset()  # of the same group, and no leader
    for side, ends in ((VouchSide.VOUCHER, ("dan", "ben")), (VouchSide.BORROWER, ("ben", "dan"))):
        hamlet.do(
            trust.offer_vouch,
            community_id=hamlet.community.id,
            voucher_id=hamlet.people[ends[0]].id,
            borrower_id=hamlet.people[ends[1]].id,
            side=side,
            limit=yuan(1_00),
            expires_on=FAR,
            actor_id=hamlet.people["dan"].id,
            **hamlet.when,
        )
    found = look(hamlet, "dan")
    assert (found.relations, found.figures) == (frozenset(), ())
    # A leader whose term is over leads nobody.
    hamlet.day = FAR + timedelta(days=1)
    assert look(hamlet, "ada").relations == frozenset()


def test_two_relations_see_both_parts(hamlet: Watched) -> None:
    lived(hamlet)
    hamlet.vouch("ada", "ben", 10_00)
    found = look(hamlet, "ada")
    seen = next(item for item in found.figures if item.figure is Figure.REPAYMENT)
    assert seen.scopes == {Scope.GROUP, Scope.PROMISE}
    assert values(found, "repayment")["loans"] == 0
    assert values(found, "vouching_received")["limit"] == yuan(10_00)
