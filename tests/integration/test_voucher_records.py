"""Voucher records from real rows, and what they bound: on every path, nothing that is signed.

Amounts are plain minor units.
"""

import ast
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from community.communities.queries import charter_on
from community.credit import service as credit
from community.credit.explain import WhatIf
from community.credit.limits import Source
from community.guarantees import handover
from community.importing.errors import ImportRefused
from community.importing.report import Report
from community.importing.ties import import_ties, read_ties
from community.loans.models import Instalment, Loan
from community.money import Money
from community.servicing import service as servicing
from community.trust import service as trust
from community.trust.checks import check_trust
from community.trust.errors import GuaranteeCapReached, VoucherRecordBound
from community.trust.guarantee_caps import CapKind
from community.trust.models import Vouch, VoucherBound, VouchSide, VouchStatus
from community.vouching.evidence import belief
from community.vouching.records import VoucherRecord, all_records, figures_of, records_of
from tests.circle import FOUR, RULES, Circle
from tests.hamlet import FAR, Hamlet, yuan

# A case is a loan of 100; half the weight after a hundred days; no doubt shared with anybody yet.
RECORD: dict[str, Any] = {
    "voucher_half_life_days": 100,
    "voucher_case_minor": 100,
    "voucher_prior_cases": 5,
    "voucher_prior_bps": 8_000,
    "voucher_interval_bps": 9_000,
}
# Beta(4, 1): of a base of 100 and a bound of four times that, 47.287 % are 189.
BOUND = {**RECORD, "voucher_bound_bps": 40_000}


def record(hamlet: Hamlet, name: str = "uma", *, days_ago: int = 0) -> VoucherRecord:
    on = hamlet.day - timedelta(days=days_ago)
    charter = charter_on(hamlet.session, hamlet.community.id, hamlet.day)
    who = hamlet.people[name].id
    return records_of(hamlet.session, hamlet.community.id, [who], on, charter)[who]


def cases(hamlet: Hamlet, name: str = "uma", *, days_ago: int = 0) -> tuple[float, float]:
    figures = record(hamlet, name, days_ago=days_ago).figures
    return round(figures.good_cases, 6), round(figures.bad_cases, 6)


def lent(session: Session, **rules: Any) -> tuple[Hamlet, Loan]:
    """Ben borrows 100 in two instalments: Uma covers 60, Ben himself 40."""
    hamlet = Hamlet(session, rules={**RECORD, "call_day": 40, "write_off_day": 400, **rules})
    hamlet.fund(10_000, reserve=10_000)
    hamlet.person("uma", stake=30, assessed=70)
    hamlet.person("ben", stake=40)
    hamlet.person("wei", stake=100)
    hamlet.vouch("uma", "ben", 60)
    return hamlet, hamlet.lend("ben", 100, instalments=2)


def due_day(hamlet: Hamlet, loan: Loan, number: int) -> Any:
    rows = select(Instalment).where(Instalment.loan_id == loan.id, Instalment.number == number)
    return hamlet.session.scalars(rows).one().due_on


def test_what_the_borrower_pays_counts_and_what_others_pay_does_not(
    sqlite_session: Session,
) -> None:
    hamlet, loan = lent(sqlite_session)
    assert cases(hamlet) == (0, 0)
    assert record(hamlet).words == ()
    hamlet.day = due_day(hamlet, loan, 1)
    assert cases(hamlet) == (0, 0)  # due today is not late
    hamlet.wait(1)
    weight = 0.5 ** (1 / 100)
    assert cases(hamlet) == (0, round(0.3 * weight, 6))
    hamlet.repay(loan, 30, by="wei")
    assert cases(hamlet) == (0, round(0.3 * weight, 6))
    # Of Ben's own 20 that were left to pay, all meet the oldest due; of 50 they leave 30 open.
    hamlet.repay(loan, 20)
    assert cases(hamlet) == (round(0.12 * weight, 6), round(0.18 * weight, 6))
    word = record(hamlet).words[0]
    assert (word.share_ppm, word.came_due_minor, word.paid_minor) == (600_000, 50, 20)
    # What he pays before it is due counts already, at its full weight.
    hamlet.repay(loan, 40)
    good = 0.6 * 0.5 * weight + 0.6 * 0.1
    assert cases(hamlet) == (round(good, 6), 0)
    # A day before any of it, as it was known then.
    assert cases(hamlet, days_ago=1) == (0, 0)
    # Wei stood behind nothing, Ben for himself alone: what is believed of everybody.
    for name in ("wei", "ben"):
        assert record(hamlet, name).figures == belief(0, 0, _rules(hamlet))


def _rules(hamlet: Hamlet) -> Any:
    return charter_on(hamlet.session, hamlet.community.id, hamlet.day).rules


def test_money_that_is_taken_back_never_counted(sqlite_session: Session) -> None:
    hamlet, loan = lent(sqlite_session)
    hamlet.day = due_day(hamlet, loan, 1)
    receipt = hamlet.repay(loan, 50)
    assert cases(hamlet) == (0.3, 0)
    hamlet.wait(100)
    assert cases(hamlet)[0] == 0.15  # half after a hundred days
    hamlet.do(
        servicing.reverse_repayment,
        repayment_id=receipt.id,
        reason="the cheque bounced",
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )
    assert cases(hamlet)[0] == 0
    assert cases(hamlet, days_ago=50)[0] == 0


def test_guarantors_stakes_and_the_reserve_raise_nothing(sqlite_session: Session) -> None:
    hamlet, loan = lent(sqlite_session)
    hamlet.day = due_day(hamlet, loan, 1)
    hamlet.wait(41)
    # The second instalment fell due meanwhile: both are unpaid.
    days = [(hamlet.day - due_day(hamlet, loan, number)).days for number in (1, 2)]
    assert days == [41, 11]
    before = cases(hamlet)
    assert before == (0, pytest.approx(sum(0.3 * 0.5 ** (ago / 100) for ago in days), abs=1e-6))
    hamlet.wait(0, loan)  # called: Ben's stake and Uma's are set off
    assert cases(hamlet) == before
    hamlet.pay(hamlet.calls(loan)["uma"], 10)
    assert cases(hamlet) == before
    hamlet.wait(6, loan)  # after the deadline the reserve fund stands in
    sqlite_session.refresh(loan)
    assert loan.outstanding_minor == 0
    after = cases(hamlet)
    assert after[0] == 0
    assert after[1] == pytest.approx(before[1] * 0.5 ** (6 / 100), abs=1e-5)
    # What Ben gives now goes to those who paid for him: it is his own money, late. His stake of 40
    # was set off and is owed to nobody: what it paid stays unpaid by him.
    receipt = hamlet.repay(loan, 100)
    assert (receipt.recourse_minor, receipt.overpaid_minor) == (60, 40)
    first, second = (0.5 ** (ago / 100) for ago in (47, 17))
    assert cases(hamlet) == pytest.approx((0.3 * first + 0.06 * second, 0.24 * second), abs=1e-6)
    hamlet.check()


def test_who_hands_over_keeps_what_was_due_till_then(db_session: Session) -> None:
    hamlet, loan = lent(db_session)
    hamlet.day = due_day(hamlet, loan, 1)
    hamlet.repay(loan, 50)
    hamlet.vouch("wei", "ben", 60)
    change = hamlet.do(
        handover.propose_substitution,
        loan_id=loan.id,
        leaving_id=hamlet.people["uma"].id,
        coming_id=hamlet.people["wei"].id,
        reason="she moves away",
        now=hamlet.now,
        actor_id=hamlet.people["uma"].id,
    )
    for name in ("wei", "ben"):
        hamlet.do(
            handover.agree,
            change_id=change.id,
            actor_id=hamlet.people[name].id,
            **hamlet.when,
        )
    hamlet.day = due_day(hamlet, loan, 2) + timedelta(days=1)
    db_session.expire_all()
    good, bad = cases(hamlet)
    assert (good > 0, bad) == (True, 0)
    good, bad = cases(hamlet, "wei")
    assert (good, bad > 0) == (0, True)


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    seen: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    bind = session.connection()
    event.listen(bind, "before_cursor_execute", count)
    yield seen
    event.remove(bind, "before_cursor_execute", count)


def test_a_whole_community_is_as_one_by_one_in_as_many_statements(db_session: Session) -> None:
    hamlet = Hamlet(db_session, rules=RECORD)
    hamlet.fund(100_000)
    names = [f"u{number}" for number in range(3)]
    made = []
    for name in names:
        hamlet.person(name, stake=500)
        hamlet.person(f"for {name}", stake=700)
        hamlet.vouch(name, f"for {name}", 500)
        made.append(hamlet.lend(f"for {name}", 1_200, instalments=3))
    hamlet.wait(70)
    for place, loan in enumerate(made):
        hamlet.repay(loan, 100 * (place + 1))
    charter = charter_on(db_session, hamlet.community.id, hamlet.day)
    place = (db_session, hamlet.community.id)
    with counted(db_session) as seen:
        together = {found.member_id: found for found in all_records(*place, hamlet.day, charter)}
    assert len(seen) == 7  # two that find them, five that read them
    assert sorted(together) == sorted(hamlet.people[name].id for name in names)
    ids = sorted(together)
    with counted(db_session) as seen:
        assert records_of(*place, ids, hamlet.day, charter) == together
    assert len(seen) == 6
    for one in ids:
        assert records_of(*place, [one], hamlet.day, charter)[one] == together[one]
    assert len({found.figures.lower_ppm for found in together.values()}) == 3


# What it bounds


def bounded(session: Session, **rules: Any) -> Hamlet:
    """Uma has a base of 100: without any record she may promise 189."""
    hamlet = Hamlet(session, rules={**BOUND, **rules})
    hamlet.fund(10_000)
    hamlet.person("uma", stake=100)
    for name in ("ana", "ben", "cai"):
        hamlet.person(name)
    return hamlet


def test_without_a_record_the_prior_bounds_to_the_unit(db_session: Session) -> None:
    hamlet = bounded(db_session)
    hamlet.vouch("uma", "ana", 100)
    with pytest.raises(VoucherRecordBound) as refused:
        hamlet.vouch("uma", "ben", 90)
    yours = refused.value.members["yours"][0]["record"]
    assert (yours["good_cases"], yours["bad_cases"], yours["lower_ppm"]) == (0, 0, 472_870)
    assert (yours["bound_bps"], yours["allowed"]["amount"]) == (40_000, "1.89")
    assert refused.value.members["rules"] == ["voucher_bound_bps"]
    for word in ("80.0 %", "47.2 %", "CNY 1.90", "CNY 1.89", "own money"):
        assert word in refused.value.detail
    assert "担保记录" in refused.value.members["texts"][0]["zh-CN"]
    hamlet.vouch("uma", "ben", 89)
    # A raised promise meets it too: by one unit too much, whatever side began.
    asked = hamlet.do(
        trust.offer_vouch,
        community_id=hamlet.community.id,
        voucher_id=hamlet.people["uma"].id,
        borrower_id=hamlet.people["ben"].id,
        side=VouchSide.BORROWER,
        limit=yuan(90),
        expires_on=FAR,
        actor_id=hamlet.people["ben"].id,
        records_of=figures_of,
        **hamlet.when,
    )
    with pytest.raises(VoucherRecordBound):
        hamlet.do(
            trust.accept_vouch,
            vouch_id=asked.id,
            actor_id=hamlet.people["uma"].id,
            records_of=figures_of,
            **hamlet.when,
        )
    hamlet.check()
    rows = db_session.scalars(select(VoucherBound).order_by(VoucherBound.check_id)).all()
    assert [(row.promised_minor, row.allowed_minor) for row in rows] == [(100, 189), (189, 189)]


def test_a_bad_record_bounds_new_promises_and_shrinks_none(sqlite_session: Session) -> None:
    hamlet = bounded(sqlite_session, call_day=300, write_off_day=400)
    vouch = hamlet.vouch("uma", "ana", 100)
    hamlet.vouch("uma", "cai", 80)
    loan = hamlet.lend("ana", 100)
    hamlet.wait(62)
    figures = record(hamlet).figures
    assert figures.bad_cases > 0.7
    sqlite_session.refresh(vouch)
    assert (vouch.limit_minor, vouch.reserved_minor) == (100, 100)
    assert vouch.status is VouchStatus.LIVE
    with pytest.raises(VoucherRecordBound):
        hamlet.vouch("uma", "ben", 1)
    # Less than before, and no longer, is never refused.
    cai = sqlite_session.scalars(
        select(Vouch).where(Vouch.borrower_id == hamlet.people["cai"].id)
    ).one()
    hamlet.do(
        trust.lower_vouch,
        vouch_id=cai.id,
        limit=yuan(10),
        now=hamlet.now,
        actor_id=hamlet.people["uma"].id,
    )
    # Once Ana has paid, late but with her own money, the record carries more than at first.
    hamlet.repay(loan, 100)
    assert record(hamlet).figures.lower_ppm > 472_870
    hamlet.vouch("uma", "ben", 95)


def test_a_limit_names_the_record_where_more_vouching_is_supposed(
    sqlite_session: Session,
) -> None:
    """Of 189 that Uma may promise she has promised 60."""
    hamlet = bounded(sqlite_session)
    hamlet.vouch("uma", "ana", 60)
    uma = hamlet.people["uma"]

    def bounds(who: str, supposed: int | None, step: int) -> list[tuple[int, int, bool]]:
        limit = credit.credit_limit(
            hamlet.session,
            community_id=hamlet.community.id,
            member_id=hamlet.people[who].id,
            on=hamlet.day,
            what_if=[] if supposed is None else [WhatIf(uma.id, supposed)],
            raise_by_minor=step,
        )
        for one in limit.record_bounds:
            assert (one.member.public_id, one.rule) == (uma.public_id, "voucher_bound_bps")
            assert one.source == Source("voucher_record", uma.public_id, limit.charter.version)
        return [(one.asked_minor, one.admits_minor, one.binds) for one in limit.record_bounds]

    # Her promise for Ana may grow by 129; for Ben she may promise so much anew.
    assert bounds("ana", None, 129) == [(129, 129, False)]
    assert bounds("ana", None, 130) == [(130, 129, True)]
    assert bounds("ben", 129, 1) == [(129, 129, False)]
    assert bounds("ben", 189, 1) == [(189, 129, True)]
    assert bounds("cai", None, 50) == []  # nobody is supposed to promise anything


def test_a_limit_says_nothing_of_records_that_bound_nothing(sqlite_session: Session) -> None:
    hamlet = bounded(sqlite_session, voucher_bound_bps=0)
    hamlet.vouch("uma", "ana", 60)
    limit = credit.credit_limit(
        hamlet.session,
        community_id=hamlet.community.id,
        member_id=hamlet.people["ana"].id,
        on=hamlet.day,
        raise_by_minor=500,
    )
    assert limit.record_bounds == ()
    assert len(limit.raises) > 0


def test_every_other_path_meets_it(sqlite_session: Session) -> None:
    # Beta(4, 1): of a base of 300 and a bound of two and a half times that, 354.
    circle = Circle(sqlite_session, rules={**RULES, **RECORD, "voucher_bound_bps": 25_000})
    for name in FOUR:
        circle.person(name, stake=300 if name != "an" else 253)  # 299: one too few
    with pytest.raises(VoucherRecordBound) as refused:
        circle.bind(*FOUR)
    assert (refused.value.members["others"], len(refused.value.members["yours"])) == (0, 1)
    assert sqlite_session.scalars(select(Vouch.id)).first() is None
    others = ("wu", "xu", "ye", "zu")
    circle.bind(*others)
    amendment = circle.propose("xu", pair_cap=yuan(119))  # 357 of 354
    circle.agree(amendment, *others)
    with pytest.raises(VoucherRecordBound):
        circle.force(amendment)
    assert set(sqlite_session.scalars(select(Vouch.limit_minor))) == {100}


def test_a_file_meets_it_too(sqlite_session: Session) -> None:
    hamlet = bounded(sqlite_session)
    for name in ("uma", "ana"):
        hamlet.people[name].reference = name
    sqlite_session.commit()

    def bring(amount: str) -> None:
        rows = [f"hamlet,uma,ana,{amount},{side},{FAR}" for side in ("voucher", "borrower")]
        text = "\n".join(["community,voucher,borrower,amount,said_by,expires_on", *rows, ""])
        report = Report("ties")
        read = read_ties(io.BytesIO(text.encode()), report, on=hamlet.day)
        import_ties(sqlite_session, read, report, on=hamlet.day, now=hamlet.now)

    with pytest.raises(ImportRefused) as refused:
        bring("1.90")
    assert "voucher_bound_bps" in str(refused.value.report)
    sqlite_session.rollback()
    bring("1.89")
    assert sqlite_session.scalars(select(Vouch.status)).all() == [VouchStatus.LIVE]


def test_a_caller_that_passes_no_record_is_a_fault_of_ours(sqlite_session: Session) -> None:
    hamlet = bounded(sqlite_session)
    with pytest.raises(RuntimeError, match="none were passed"):
        hamlet.do(
            trust.offer_vouch,
            community_id=hamlet.community.id,
            voucher_id=hamlet.people["uma"].id,
            borrower_id=hamlet.people["ben"].id,
            side=VouchSide.VOUCHER,
            limit=Money(1, "CNY"),
            expires_on=FAR,
            actor_id=None,
            **hamlet.when,
        )


def test_a_cap_and_the_record_are_told_together(sqlite_session: Session) -> None:
    hamlet = bounded(sqlite_session, guarantee_ratio_bps_max=15_000)
    with pytest.raises(GuaranteeCapReached) as refused:
        hamlet.vouch("uma", "ana", 190)
    assert refused.value.code == "guarantee-cap-reached"
    assert refused.value.members["rules"] == ["guarantee_ratio_bps_max", "voucher_bound_bps"]
    assert {CapKind.RATIO, CapKind.RECORD} <= set(CapKind)


def test_the_verifier_works_the_bound_out_again(db_session: Session) -> None:
    hamlet = bounded(db_session)
    hamlet.vouch("uma", "ana", 100)
    assert list(check_trust(db_session)) == []
    kind = db_session.get_bind().dialect.name
    name = "voucher_bounds_keep" + ("_update" if kind == "sqlite" else "")
    on = "" if kind == "sqlite" else " ON voucher_bounds"
    db_session.connection().exec_driver_sql(f"DROP TRIGGER {name}{on}")
    for wrong in ({"lower_ppm": 500_000}, {"allowed_minor": 188}, {"base_minor": 101}):
        with db_session.begin_nested() as spoiled:
            db_session.execute(update(VoucherBound).values(wrong))
            db_session.expire_all()
            found = list(check_trust(db_session))
            assert [(breach.law, breach.table) for breach in found] == [(7, "voucher_bounds")]
            spoiled.rollback()


PASSES = {"offer_vouch", "accept_vouch", "activate_group", "put_into_force"}


def test_every_step_that_promises_passes_the_records_in() -> None:
    root = Path(__file__).parents[2]
    missing = []
    for path in sorted([*root.glob("app/**/*.py"), *root.glob("community/**/*.py")]):
        source = path.read_text(encoding="utf-8")
        if not any(name in source for name in PASSES):
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call):
                continue
            named = [node.func, *node.args]  # called, or handed to what calls it
            names = {getattr(item, "attr", getattr(item, "id", "")) for item in named}
            passed = {keyword.arg for keyword in node.keywords}
            if names & PASSES and "records_of" not in passed:
                missing.append(f"{path.relative_to(root)}:{node.lineno}")
    assert missing == []
