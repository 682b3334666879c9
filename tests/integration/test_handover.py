"""A guarantor leaves a live loan, and at no moment is less held than the loan needs.

Amounts are plain minor units.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.credit import service as credit
from community.credit.errors import CreditLimitExceeded
from community.engine import session_factory
from community.guarantees import handover
from community.guarantees.cover import cover_for
from community.guarantees.errors import (
    CoverChangeOpen,
    CoverChangeOver,
    CoverIsCalled,
    CoverNotMoving,
    CoverShortOf,
    CoversNothing,
    NotInCoverChange,
)
from community.guarantees.models import (
    Call,
    CoverChange,
    CoverChangeStatus,
    CoverLine,
    Guarantee,
)
from community.ledger.models import Event
from community.loans.models import Loan, LoanStatus
from community.servicing import service as servicing
from community.trust.models import Vouch
from community.trust.standings import lock_stake
from community.verification import verify
from tests.hamlet import Hamlet, yuan

HELD = CoverLine.amount_minor - CoverLine.released_minor - CoverLine.paid_minor


def lent(session: Session, mode: str = "several", **rules: Any) -> tuple[Hamlet, Loan]:
    """Ben borrows 100: own 10, Uma 60 and Wei 30 behind her; Xia has 90 that nothing rests on."""
    hamlet = Hamlet(session, terms={"liability_mode": mode}, rules=rules)
    hamlet.fund(1_000)
    for name, stake in (("ben", 10), ("uma", 60), ("wei", 30), ("xia", 90)):
        hamlet.person(name, stake=stake)
    hamlet.vouch("uma", "ben", 90)
    hamlet.vouch("wei", "uma", 30)
    loan = hamlet.lend("ben", 100)
    hamlet.person("yan", stake=40)
    return hamlet, loan


def held(hamlet: Hamlet, loan: Loan) -> dict[str, int]:
    names = {hamlet.standing(name).id: name for name in hamlet.people}
    found: dict[str, int] = {}
    lines = hamlet.session.scalars(select(CoverLine).where(CoverLine.loan_id == loan.id))
    for line in lines:
        name = names[line.standing_id]
        found[name] = found.get(name, 0) + line.held_minor
    return {name: amount for name, amount in found.items() if amount}


@contextmanager
def never_short(hamlet: Hamlet, loan: Loan) -> Iterator[list[int]]:
    """After every write inside the block, the loan's cover is looked at in the database."""
    seen: list[int] = []

    def look(session: Session, _context: object) -> None:
        connection = session.connection()
        cover = connection.scalar(select(func.sum(HELD)).where(CoverLine.loan_id == loan.id))
        row = connection.execute(
            select(Loan.outstanding_minor, Loan.principal_minor - Loan.disbursed_minor).where(
                Loan.id == loan.id
            )
        ).one()
        seen.append(int(cover or 0))
        assert int(cover or 0) >= sum(row)

    event.listen(hamlet.session, "after_flush", look)
    try:
        yield seen
    finally:
        event.remove(hamlet.session, "after_flush", look)


def propose(hamlet: Hamlet, loan: Loan, leaving: str, coming: str, by: str) -> CoverChange:
    return hamlet.do(
        handover.propose_substitution,
        loan_id=loan.id,
        leaving_id=hamlet.people[leaving].id,
        coming_id=hamlet.people[coming].id,
        reason="she moves away",
        now=hamlet.now,
        actor_id=hamlet.people[by].id,
    )


def agree(hamlet: Hamlet, change: CoverChange, by: str) -> CoverChange:
    return hamlet.do(
        handover.agree, change_id=change.id, actor_id=hamlet.people[by].id, **hamlet.when
    )


def leave(hamlet: Hamlet, loan: Loan, name: str) -> CoverChange:
    who = hamlet.people[name].id
    return hamlet.do(
        handover.release_early,
        loan_id=loan.id,
        member_id=who,
        reason="I am getting old",
        actor_id=who,
        **hamlet.when,
    )


def behind_ben(hamlet: Hamlet, loan: Loan) -> list[str]:
    """Those on whose promises some of the loan's cover is held."""
    ids = select(Vouch.voucher_id).join(
        CoverLine, (CoverLine.inner_vouch_id == Vouch.id) | (CoverLine.outer_vouch_id == Vouch.id)
    )
    found = set(hamlet.session.scalars(ids.where(CoverLine.loan_id == loan.id, HELD > 0)))
    return [name for name, member in hamlet.people.items() if member.id in found]


def foreseen(hamlet: Hamlet, change: CoverChange) -> tuple[int | None, ...]:
    """Wanted; own, behind, missing of it; the cap and what rests on promises, now and then."""
    seen = handover.preview_takeover(hamlet.session, change, on=hamlet.day)
    hamlet.session.commit()
    return (
        *(seen.wanted_minor, seen.own_minor, seen.behind_minor, seen.missing_minor),
        *(seen.cap_before_minor, seen.cap_after_minor),
        *(seen.resting_before_minor, seen.resting_after_minor),
    )


@pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("mode", "seed"), [("several", 1), ("joint_and_several", 7)])
def test_who_comes_is_told_what_then_is(db_session: Session, mode: str, seed: int) -> None:
    """Over random circles: what was missing is refused, else all is as it was told."""
    rng = random.Random(f"{mode} {seed}")
    hamlet = Hamlet(db_session, terms={"liability_mode": mode, "cover_ratio_bps": 9_000})
    hamlet.fund(10_000)
    names = ("ben", "uma", "wei", "xia", "yan")
    for name in names:
        hamlet.person(name, stake=rng.randint(20, 120))
    # Small promises to Ben: much of what is held on them comes from those behind.
    for voucher in names[1:]:
        hamlet.vouch(voucher, "ben", 190 if voucher == "uma" else rng.randint(20, 90))
        hamlet.vouch(voucher, rng.choice([n for n in names[1:] if n != voucher]), 100)
    loan = hamlet.lend("ben", 130)
    short = done = 0
    for _ in range(9):
        holders = behind_ben(hamlet, loan)
        if not holders:
            break  # what is owed rests on Ben's own standing
        leaving = rng.choice(holders)
        coming = rng.choice([n for n in names[1:] if n != leaving])
        change = propose(hamlet, loan, leaving, coming, by="ben")
        agree(hamlet, change, leaving)
        wanted, own, behind, missing, _, cap, _, resting = foreseen(hamlet, change)
        assert wanted == own + behind + missing
        if missing:
            with pytest.raises(CoverShortOf) as refused:
                agree(hamlet, change, coming)
            told = refused.value.members["missing"]
            assert told == {"amount": f"{missing / 100:.2f}", "currency": "CNY"}
            who = hamlet.people["ben"].id
            hamlet.do(handover.refuse, change_id=change.id, now=hamlet.now, actor_id=who)
            short += 1
            continue
        before = sum(held(hamlet, loan).values())
        agree(hamlet, change, coming)
        assert change.taken_minor == wanted
        signed = select(Guarantee.cap_minor).where(
            Guarantee.loan_id == loan.id, Guarantee.guarantor_id == hamlet.people[coming].id
        )
        assert db_session.scalar(signed) == cap
        given = select(func.sum(Vouch.reserved_minor)).where(
            Vouch.voucher_id == hamlet.people[coming].id
        )
        assert db_session.scalar(given) == resting
        assert sum(held(hamlet, loan).values()) == before
        done += 1
        hamlet.repay(loan, rng.randint(1, 8))
    assert done > 2
    assert short > 0 or mode == "several"
    hamlet.check()


def test_who_stood_behind_the_one_who_leaves_steps_forward(db_session: Session) -> None:
    """What Wei held behind Uma is let go as he takes her place, and is not counted twice."""
    hamlet, loan = lent(db_session)
    hamlet.vouch("wei", "ben", 90)
    hamlet.save("wei", 100)
    hamlet.lock("wei", 100)
    change = propose(hamlet, loan, "uma", "wei", by="ben")
    agree(hamlet, change, "uma")
    # 30 rest on his promise to Uma now, 90 on that to Ben then.
    assert foreseen(hamlet, change) == (90, 90, 0, 0, 30, 90, 30, 90)
    agree(hamlet, change, "wei")
    assert held(hamlet, loan) == {"ben": 10, "wei": 90}
    [signed] = db_session.scalars(
        select(Guarantee).where(Guarantee.guarantor_id == hamlet.people["wei"].id)
    )
    assert signed.cap_minor == 90
    with pytest.raises(CoverChangeOver):
        handover.preview_takeover(db_session, change, on=hamlet.day)
    hamlet.check()


@pytest.mark.parametrize("mode", ["several", "joint_and_several", "pledge_only"])
def test_all_three_agree_and_the_cover_goes_over(db_session: Session, mode: str) -> None:
    hamlet, loan = lent(db_session, mode)
    assert held(hamlet, loan) == {"ben": 10, "uma": 60, "wei": 30}
    hamlet.vouch("xia", "ben", 95)
    change = propose(hamlet, loan, "uma", "xia", by="uma")
    assert agree(hamlet, change, "ben").status is CoverChangeStatus.PROPOSED
    assert held(hamlet, loan) == {"ben": 10, "uma": 60, "wei": 30}
    joint = mode == "joint_and_several"
    # What Xia is told beforehand is what then is.
    assert foreseen(hamlet, change) == (90, 90, 0, 0, 0, 95 if joint else 90, 0, 90)
    with never_short(hamlet, loan) as seen:
        agree(hamlet, change, "xia")
    # 190 for a moment: the new cover is there before the old one goes.
    assert max(seen) == 190
    assert held(hamlet, loan) == {"ben": 10, "xia": 90}
    assert (change.status, change.freed_minor, change.taken_minor) == ("done", 90, 90)
    assert [hamlet.standing(name).reserved_minor for name in ("uma", "wei", "xia")] == [0, 0, 90]
    caps = {
        guarantee.guarantor_id: guarantee.cap_minor
        for guarantee in db_session.scalars(select(Guarantee).where(Guarantee.loan_id == loan.id))
    }
    assert caps[hamlet.people["xia"].id] == (95 if joint else 90)
    assert caps[hamlet.people["uma"].id] == 0
    hamlet.check()
    # Who left is not asked any more, whatever happens.
    hamlet.wait(45, loan)
    assert set(hamlet.calls(loan)) <= {"ben", "xia"}
    hamlet.wait(6, loan)
    hamlet.wait(6, loan)
    assert set(hamlet.calls(loan)) <= {"ben", "xia"}
    hamlet.check()


def test_who_comes_may_bring_those_behind_them(db_session: Session) -> None:
    hamlet, loan = lent(db_session)
    hamlet.vouch("yan", "ben", 90)
    change = propose(hamlet, loan, "uma", "yan", by="ben")
    agree(hamlet, change, "uma")
    assert foreseen(hamlet, change) == (90, 40, 0, 50, 0, None, 0, None)
    with pytest.raises(CoverShortOf) as refused:
        agree(hamlet, change, "yan")
    # Yan's 40 of 90; nothing of it stays, her consent neither.
    assert refused.value.members["missing"] == {"amount": "0.50", "currency": "CNY"}
    assert {item["name"] for item in refused.value.members["could_fill"]} == {"yan"}
    db_session.refresh(change)
    assert change.coming_agreed_at is None
    assert held(hamlet, loan) == {"ben": 10, "uma": 60, "wei": 30}
    hamlet.vouch("xia", "yan", 50)
    assert foreseen(hamlet, change) == (90, 40, 50, 0, 0, 90, 0, 90)
    with never_short(hamlet, loan):
        agree(hamlet, change, "yan")
    assert held(hamlet, loan) == {"ben": 10, "yan": 40, "xia": 50}
    hamlet.check()


def test_nobody_else_agrees_and_a_no_ends_it(db_session: Session) -> None:
    hamlet, loan = lent(db_session)
    hamlet.vouch("xia", "ben", 90)
    with pytest.raises(NotInCoverChange):
        propose(hamlet, loan, "uma", "xia", by="wei")
    with pytest.raises(CoversNothing):
        propose(hamlet, loan, "yan", "xia", by="ben")
    change = propose(hamlet, loan, "uma", "xia", by="uma")
    with pytest.raises(CoverChangeOpen):
        propose(hamlet, loan, "uma", "yan", by="ben")
    with pytest.raises(NotInCoverChange):
        agree(hamlet, change, "wei")
    facts = {"change_id": change.id, "now": hamlet.now}
    hamlet.do(handover.refuse, actor_id=hamlet.people["xia"].id, **facts)
    assert change.status is CoverChangeStatus.REFUSED
    with pytest.raises(CoverChangeOver):
        agree(hamlet, change, "ben")
    again = propose(hamlet, loan, "uma", "xia", by="uma")
    hamlet.do(
        handover.refuse,
        change_id=again.id,
        now=hamlet.now,
        actor_id=hamlet.people["uma"].id,
    )
    assert again.status is CoverChangeStatus.WITHDRAWN
    hamlet.check()


def test_a_release_is_granted_when_the_rest_can_carry_it(db_session: Session) -> None:
    hamlet, loan = lent(db_session)
    hamlet.vouch("xia", "ben", 50)
    with pytest.raises(CoverShortOf) as refused:
        leave(hamlet, loan, "uma")
    # Xia's promise of 50 for 90; Ben may lock savings of his own.
    assert refused.value.members["missing"] == {"amount": "0.40", "currency": "CNY"}
    assert [(item["name"], item["how"]) for item in refused.value.members["could_fill"]] == [
        ("ben", "lock_stake")
    ]
    assert refused.value.members["others"] == 1  # Xia's promise could grow
    assert held(hamlet, loan) == {"ben": 10, "uma": 60, "wei": 30}
    hamlet.save("ben", 40)
    hamlet.do(
        lock_stake,
        community_id=hamlet.community.id,
        member_id=hamlet.people["ben"].id,
        amount=yuan(40),
        actor_id=None,
        **hamlet.when,
    )
    with never_short(hamlet, loan):
        change = leave(hamlet, loan, "uma")
    assert held(hamlet, loan) == {"ben": 50, "xia": 50}
    assert (change.kind, change.status, change.cap_before_minor) == ("release", "done", 90)
    kinds = db_session.scalars(select(Event.kind).where(Event.subject == loan.public_id)).all()
    assert "cover.released" in kinds
    hamlet.check()


def test_one_behind_another_leaves_alone(db_session: Session) -> None:
    hamlet, loan = lent(db_session)
    hamlet.vouch("xia", "uma", 30)  # Uma's promise to Ben is used up by what is held on it now
    with pytest.raises(CoverShortOf):
        leave(hamlet, loan, "wei")
    hamlet.vouch("uma", "ben", 120)
    with never_short(hamlet, loan):
        leave(hamlet, loan, "wei")
    assert held(hamlet, loan) == {"ben": 10, "uma": 60, "xia": 30}
    hamlet.check()


def test_what_went_over_does_not_come_back(db_session: Session) -> None:
    hamlet, loan = lent(db_session)
    hamlet.vouch("xia", "ben", 90)
    receipt = hamlet.repay(loan, 20)
    assert held(hamlet, loan) == {"ben": 10, "uma": 60, "wei": 10}
    leave(hamlet, loan, "uma")
    assert held(hamlet, loan) == {"ben": 10, "xia": 70}
    hamlet.do(
        servicing.reverse_repayment,
        repayment_id=receipt.id,
        reason="it bounced",
        actor_id=None,
        **hamlet.when,
    )
    # 100 are owed again; Uma and Wei signed off, so that 20 are noted as short.
    assert held(hamlet, loan) == {"ben": 10, "xia": 70}
    assert loan.cover_short_minor == 20
    hamlet.check()


def test_called_cover_stays_where_it_is(db_session: Session) -> None:
    hamlet, loan = lent(db_session)
    hamlet.vouch("xia", "ben", 90)
    change = propose(hamlet, loan, "uma", "xia", by="uma")
    agree(hamlet, change, "ben")
    hamlet.wait(45, loan)
    assert loan.status is LoanStatus.CALLED
    with pytest.raises(CoverIsCalled):
        handover.preview_takeover(db_session, change, on=hamlet.day)
    assert db_session.scalars(select(Call).where(Call.loan_id == loan.id)).all()
    for step in (
        lambda: agree(hamlet, change, "xia"),
        lambda: leave(hamlet, loan, "uma"),
    ):
        with pytest.raises(CoverIsCalled):
            step()
    hamlet.check()


def test_a_loan_without_cover_has_none_to_move(db_session: Session) -> None:
    hamlet, loan = lent(db_session)
    hamlet.repay(loan, 100)
    with pytest.raises(CoverNotMoving):
        leave(hamlet, loan, "uma")


def test_the_database_refuses_half_a_handover(db_session: Session) -> None:
    hamlet, loan = lent(db_session)
    hamlet.vouch("xia", "ben", 90)
    change = propose(hamlet, loan, "uma", "xia", by="uma")
    for broken in (
        f"UPDATE cover_changes SET status = 'done', ended_at = proposed_at, freed_minor = 1"
        f" WHERE id = {change.id}",
        f"UPDATE cover_changes SET coming_id = leaving_id WHERE id = {change.id}",
        f"UPDATE cover_changes SET coming_id = NULL WHERE id = {change.id}",
        f"UPDATE cover_lines SET change_id = {change.id}",
    ):
        with pytest.raises(DatabaseError), db_session.begin_nested():
            db_session.execute(text(broken))
    # What no constraint sees, the verifier does: lines let go by a change that was never done.
    hamlet.repay(loan, 40)
    db_session.execute(
        text(
            f"UPDATE cover_lines SET change_id = {change.id}"
            " WHERE released_minor + paid_minor = amount_minor"
        )
    )
    db_session.commit()
    assert {(b.law, b.table) for b in verify(db_session).breaches} == {(3, "cover_lines")}
    db_session.execute(text("UPDATE cover_lines SET change_id = NULL"))
    agree(hamlet, change, "ben")
    agree(hamlet, change, "xia")
    db_session.execute(text("UPDATE cover_changes SET freed_minor = freed_minor + 900"))
    db_session.commit()
    assert {(b.law, b.table) for b in verify(db_session).breaches} == {(3, "cover_changes")}


def test_who_leaves_and_who_approves_at_once_share_no_promise(engine: Engine) -> None:
    """Xia's room of 90 goes to the substitution or to a new loan, not to both."""
    with session_factory(engine)() as session:
        hamlet, loan = lent(session)
        hamlet.person("zoe")
        hamlet.vouch("xia", "ben", 90)
        hamlet.vouch("xia", "zoe", 90)
        other = hamlet.apply("zoe", 60)
        leaving = {
            "loan_id": loan.id,
            "member_id": hamlet.people["uma"].id,
            "reason": "x",
            "actor_id": hamlet.people["uma"].id,
            **hamlet.when,
        }
        approving = {"loan_id": other.id, "actor_id": hamlet.officer.id, **hamlet.when}

    answers: list[Any] = [None, None]
    gate = threading.Barrier(2)

    def work(place: int, job: Callable[[Session], Any]) -> None:
        gate.wait(timeout=60)
        with session_factory(engine)() as session:
            try:
                run_unit(session, job)
                answers[place] = "done"
            except Exception as error:  # noqa: BLE001  whatever it is, the test looks at it
                answers[place] = error

    jobs = (
        lambda session: handover.release_early(session, **leaving) and None,
        lambda session: credit.approve_loan(session, **approving) and None,
    )
    threads = [threading.Thread(target=work, args=item) for item in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    assert answers.count("done") == 1, answers
    refused = next(answer for answer in answers if answer != "done")
    assert isinstance(refused, CoverShortOf | CreditLimitExceeded), answers
    with session_factory(engine)() as session:
        assert verify(session).breaches == ()


@pytest.mark.parametrize("mode", ["several", "joint_and_several", "pledge_only"])
def test_cover_falls_as_principal_falls_farthest_first(db_session: Session, mode: str) -> None:
    """After every receipt exactly what the debt needs is held; nearer cover before farther."""
    rng = random.Random(f"{mode} 5")
    hamlet = Hamlet(
        db_session, terms={"liability_mode": mode, "cover_ratio_bps": rng.randint(3_000, 9_999)}
    )
    hamlet.fund(10_000)
    for name in ("ben", "uma", "wei", "xia"):
        hamlet.person(name, stake=rng.randint(5, 300))
    for voucher, borrower in (("uma", "ben"), ("xia", "ben"), ("wei", "uma"), ("wei", "xia")):
        hamlet.vouch(voucher, borrower, rng.randint(50, 400))
    loan = hamlet.lend("ben", 200)
    ratio = loan.terms["product"]["cover_ratio_bps"]
    while loan.status is not LoanStatus.CLOSED:
        before = by_hops(db_session, loan)
        hamlet.repay(loan, rng.randint(1, 40))
        needed = cover_for(loan, loan.outstanding_minor)
        # Rounded up, by whole minor units and nothing more.
        assert needed == -(-loan.outstanding_minor * ratio // 10_000)
        after = by_hops(db_session, loan)
        assert sum(map(sum, after.values())) == needed
        for hops in (0, 1):
            farther = sum(sum(after.get(h, [])) for h in (1, 2) if h > hops)
            if farther:
                assert after.get(hops) == before.get(hops)
        for hops, lines in after.items():
            was = before[hops]
            # Pro rata among equals, to within one minor unit.
            for part, whole in zip(lines, was, strict=True):
                assert abs(part * sum(was) - whole * sum(lines)) <= sum(was)
    hamlet.check()


def by_hops(session: Session, loan: Loan) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for line in session.scalars(
        select(CoverLine).where(CoverLine.loan_id == loan.id).order_by(CoverLine.id)
    ):
        found.setdefault(line.hops, []).append(line.held_minor)
    return found
