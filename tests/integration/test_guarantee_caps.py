"""The charter's caps on promises for others: at the edge, on every path, in a race.

Amounts are plain minor units.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.engine import session_factory
from community.exposure.previews import (
    Preview,
    notes_on_vouch,
    preview_agreement,
    preview_amendment,
    preview_vouch,
    ready_to_sign,
)
from community.guarantees import group_life
from community.trust import service as trust
from community.trust.errors import GuaranteeCapReached
from community.trust.guarantee_caps import CapKind
from community.trust.models import PromiseCheck, Vouch, VouchSide, VouchStatus
from community.verification import verify
from tests.circle import FOUR, RULES, Circle
from tests.hamlet import FAR, Hamlet, yuan

TWICE = {"guarantee_ratio_bps_max": 20_000}


def offer(hamlet: Hamlet, voucher: str, borrower: str, limit: int) -> Vouch:
    """Asked for by the borrower: the voucher has still to say yes."""
    return hamlet.do(
        trust.offer_vouch,
        community_id=hamlet.community.id,
        voucher_id=hamlet.people[voucher].id,
        borrower_id=hamlet.people[borrower].id,
        side=VouchSide.BORROWER,
        limit=yuan(limit),
        expires_on=FAR,
        actor_id=hamlet.people[borrower].id,
        **hamlet.when,
    )


def accept(hamlet: Hamlet, vouch: Vouch, by: str) -> Vouch:
    return hamlet.do(
        trust.accept_vouch, vouch_id=vouch.id, actor_id=hamlet.people[by].id, **hamlet.when
    )


def preview(hamlet: Hamlet, voucher: str, borrower: str, limit: int) -> Preview:
    return preview_vouch(
        hamlet.session,
        community_id=hamlet.community.id,
        voucher_id=hamlet.people[voucher].id,
        borrower_id=hamlet.people[borrower].id,
        limit_minor=limit,
        expires_on=FAR,
        on=hamlet.day,
    )


def kinds(found: Preview) -> list[tuple[CapKind, bool]]:
    return [(note.kind, note.refuses) for note in found.notes]


def people(session: Session, **rules: Any) -> Hamlet:
    hamlet = Hamlet(session, rules=rules)
    hamlet.person("uma", stake=20, assessed=30)
    for name in ("ana", "ben", "cai"):
        hamlet.person(name)
    return hamlet


def test_from_half_the_cap_on_it_is_pointed_out_and_past_it_refused(db_session: Session) -> None:
    hamlet = people(db_session, **TWICE)
    # Twice a standing of 50: 100, with a warning from 50 on.
    assert kinds(preview(hamlet, "uma", "ben", 49)) == []
    assert kinds(preview(hamlet, "uma", "ben", 50)) == [(CapKind.RATIO, False)]
    assert kinds(preview(hamlet, "uma", "ben", 100)) == [(CapKind.RATIO, False)]
    shown = preview(hamlet, "uma", "ben", 101)
    assert (shown.refused, kinds(shown)) == (True, [(CapKind.RATIO, True)])
    assert (shown.before_minor, shown.after_minor, shown.allowed_minor) == (0, 101, 100)
    assert (shown.ratio_before_bps, shown.ratio_after_bps) == (0, 20_200)
    assert "CNY 1.01" in shown.text["en"]
    assert "1.01 元" in shown.text["zh-CN"]
    assert {rule.rule: rule.source for rule in shown.rules}["guarantee_ratio_bps_max"] == "test"
    hamlet.vouch("uma", "ben", 60)
    # 60 + 41 are one too many; 60 grown to 100 is right, for the pair has one promise.
    with pytest.raises(GuaranteeCapReached) as refused:
        hamlet.vouch("uma", "ana", 41)
    assert refused.value.members["rules"] == ["guarantee_ratio_bps_max"]
    assert refused.value.members["yours"][0]["promised"]["amount"] == "1.01"
    assert "raise your standing" in refused.value.detail
    assert hamlet.vouch("uma", "ben", 100).limit_minor == 100
    with pytest.raises(GuaranteeCapReached):
        hamlet.vouch("uma", "ana", 1)
    hamlet.check()


def test_whoever_asks_learns_nothing_of_the_others_figures(db_session: Session) -> None:
    hamlet = people(db_session, **TWICE)
    hamlet.vouch("uma", "ben", 100)
    # To ask is free; only the one who would promise is told why not.
    asked = offer(hamlet, "uma", "ana", 5)
    with pytest.raises(GuaranteeCapReached) as refused:
        accept(hamlet, asked, "uma")
    assert refused.value.members["yours"]
    assert asked.status is VouchStatus.OFFERED
    # An offer of Uma's that she has no room for any more when it is accepted.
    hamlet.do(
        trust.lower_vouch,
        vouch_id=hamlet.session.scalars(
            select(Vouch.id).where(Vouch.status == VouchStatus.LIVE)
        ).one(),
        limit=yuan(90),
        now=hamlet.now,
        actor_id=hamlet.people["uma"].id,
    )
    hers = hamlet.do(
        trust.offer_vouch,
        community_id=hamlet.community.id,
        voucher_id=hamlet.people["uma"].id,
        borrower_id=hamlet.people["cai"].id,
        side=VouchSide.VOUCHER,
        limit=yuan(10),
        expires_on=FAR,
        actor_id=hamlet.people["uma"].id,
        **hamlet.when,
    )
    accept(hamlet, asked, "uma")
    with pytest.raises(GuaranteeCapReached) as refused:
        accept(hamlet, hers, "cai")
    assert refused.value.members["yours"] == []
    assert refused.value.members["others"] == 1
    assert "1.05" not in refused.value.detail
    hamlet.check()


def test_the_number_of_people_is_capped_whatever_the_amounts(db_session: Session) -> None:
    hamlet = people(db_session, guarantees_count_max=2)
    hamlet.vouch("uma", "ana", 1)
    assert kinds(preview(hamlet, "uma", "ben", 1)) == [(CapKind.COUNT, False)]
    second = hamlet.vouch("uma", "ben", 1)
    assert kinds(preview(hamlet, "uma", "cai", 1)) == [(CapKind.COUNT, True)]
    with pytest.raises(GuaranteeCapReached) as refused:
        hamlet.vouch("uma", "cai", 1)
    assert refused.value.members["rules"] == ["guarantees_count_max"]
    hamlet.vouch("uma", "ben", 7)  # the same person again
    hamlet.do(
        trust.revoke_vouch,
        vouch_id=second.id,
        now=hamlet.now,
        actor_id=hamlet.people["uma"].id,
    )
    hamlet.vouch("uma", "cai", 1)
    hamlet.check()


@pytest.mark.parametrize("base", ["savings", "repayment_capacity"])
def test_the_charter_says_what_promises_are_measured_by(db_session: Session, base: str) -> None:
    hamlet = people(db_session, guarantee_base=base, **TWICE)
    if base == "savings":
        hamlet.save("uma", 5)
        expected = 25
    else:
        expected = 0
    shown = preview(hamlet, "uma", "ben", 60)
    assert (shown.base_kind, shown.base_minor, shown.refused) == (base, expected, True)
    assert preview(hamlet, "uma", "ben", 2 * expected + 1).refused
    if expected:
        assert hamlet.vouch("uma", "ben", 50).limit_minor == 50


def test_what_falls_below_its_measure_is_no_new_promise(db_session: Session) -> None:
    hamlet = people(db_session, **TWICE)
    vouch = hamlet.vouch("uma", "ben", 100)
    hamlet.day = FAR.replace(year=FAR.year + 1)  # the assessment has run out
    shown = preview(hamlet, "uma", "ben", 90)
    assert shown.base_minor == 20
    hamlet.day = FAR
    hamlet.session.refresh(vouch)
    # Lowering is always possible.
    hamlet.do(
        trust.lower_vouch,
        vouch_id=vouch.id,
        limit=yuan(80),
        now=hamlet.now,
        actor_id=hamlet.people["uma"].id,
    )


def test_pairs_and_circles_are_pointed_out_without_naming_others(db_session: Session) -> None:
    hamlet = people(db_session)
    hamlet.vouch("ana", "uma", 1)
    assert kinds(preview(hamlet, "uma", "ana", 1)) == [(CapKind.MUTUAL_PAIR, False)]
    hamlet.vouch("ben", "ana", 1)
    # Uma for Ben, Ben for Ana, Ana for Uma.
    found = preview(hamlet, "uma", "ben", 1)
    assert kinds(found) == [(CapKind.CIRCLE, False)]
    assert "3 members" in found.notes[0].text["en"]
    assert "ana" not in found.notes[0].text["en"]
    hamlet.vouch("cai", "ben", 1)
    assert "4 members" in preview(hamlet, "uma", "cai", 1).notes[0].text["en"]
    hamlet.person("dan")
    hamlet.vouch("dan", "cai", 1)
    assert kinds(preview(hamlet, "uma", "dan", 1)) == []  # five: the charter looks at four
    where = {"community_id": hamlet.community.id, "limit_minor": 1, "expires_on": FAR}
    ends = {"voucher_id": hamlet.people["uma"].id, "borrower_id": hamlet.people["ben"].id}
    assert notes_on_vouch(db_session, on=hamlet.day, **where, **ends) == found.notes


def test_a_group_takes_nobody_past_a_cap(db_session: Session) -> None:
    circle = Circle(db_session, rules={**RULES, "guarantee_ratio_bps_max": 10_000})
    circle.person("an", stake=299)
    with pytest.raises(GuaranteeCapReached) as refused:
        circle.bind(*FOUR)  # each stands for 300, by a stake of 300; An has 299
    assert (refused.value.members["others"], len(refused.value.members["yours"])) == (0, 1)
    live = select(func.count()).select_from(Vouch).where(Vouch.status == VouchStatus.LIVE)
    assert db_session.scalar(live) == 0
    with pytest.raises(GuaranteeCapReached):
        ready_to_sign(
            db_session,
            circle.session.get_one(type(circle.group), circle.group.id),
            None,
            member_id=circle.id("an"),
            on=circle.day,
        )
    circle.check()


def test_a_preview_of_a_group_says_for_whom_and_how_much(db_session: Session) -> None:
    circle = Circle(db_session, rules={**RULES, "guarantee_ratio_bps_max": 20_000})
    circle.fund(10_000)
    circle.bind(*FOUR)
    shown = preview_agreement(db_session, circle.group, member_id=circle.id("an"), on=circle.day)
    assert (shown.before_minor, shown.after_minor) == (300, 300)
    amendment = circle.propose("bo", pair_cap=yuan(150))
    shown = preview_amendment(
        db_session, circle.group, amendment, member_id=circle.id("an"), on=circle.day
    )
    assert [(line.before_minor, line.after_minor) for line in shown.lines] == [(100, 150)] * 3
    assert (shown.before_minor, shown.after_minor, shown.allowed_minor) == (300, 450, 600)
    assert kinds(shown) == [(CapKind.RATIO, False)]
    circle.agree(amendment, *FOUR)
    circle.force(amendment)
    circle.check()
    further = circle.propose("bo", pair_cap=yuan(201))
    circle.agree(further, *FOUR)
    with pytest.raises(GuaranteeCapReached):
        circle.force(further)
    circle.session.rollback()
    limits = db_session.scalars(select(Vouch.limit_minor).where(Vouch.group_id.is_not(None)))
    assert set(limits) == {150}
    circle.check()


# Races


def at_once(engine: Engine, *jobs: Callable[[Session], Any]) -> list[Any]:
    make = session_factory(engine)
    answers: list[Any] = [None] * len(jobs)
    gate = threading.Barrier(len(jobs))

    def work(place: int, job: Callable[[Session], Any]) -> None:
        gate.wait(timeout=60)
        with make() as session:
            try:
                answers[place] = run_unit(session, job)
            except Exception as error:  # noqa: BLE001  whatever it is, the test looks at it
                answers[place] = error

    threads = [threading.Thread(target=work, args=item) for item in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    return answers


def test_six_promises_at_once_stop_at_the_cap(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = Hamlet(session, rules=TWICE)
        hamlet.person("uma", stake=50)
        names = [f"friend {number}" for number in range(6)]
        for name in names:
            hamlet.person(name)
        offers = [offer(hamlet, "uma", name, 30).id for name in names]
        uma, when = hamlet.people["uma"].id, hamlet.when

    def accepting(vouch_id: int) -> Callable[[Session], Any]:
        return lambda session: (
            trust.accept_vouch(session, vouch_id=vouch_id, actor_id=uma, **when).id
        )

    answers = at_once(engine, *(accepting(vouch_id) for vouch_id in offers))
    refused = [answer for answer in answers if isinstance(answer, GuaranteeCapReached)]
    # Three times 30 within the 100 that are admitted.
    assert (len(refused), len(answers) - len(refused)) == (3, 3)
    assert all(isinstance(answer, int | GuaranteeCapReached) for answer in answers)
    with session_factory(engine)() as session:
        live = select(func.sum(Vouch.limit_minor)).where(Vouch.status == VouchStatus.LIVE)
        assert session.scalar(live) == 90
        most = session.scalar(select(func.max(PromiseCheck.promised_minor)))
        assert most == 90
        assert verify(session).breaches == ()


def test_a_group_and_a_vouch_at_once_stop_at_the_cap(engine: Engine) -> None:
    with session_factory(engine)() as session:
        circle = Circle(session, rules={**RULES, "guarantee_ratio_bps_max": 12_000})
        circle.fund(10_000)
        circle.bind(*FOUR)  # each stands for 300 by a stake of 300: 360 are admitted
        circle.person("friend")
        amendment = circle.propose("bo", pair_cap=yuan(120))
        circle.agree(amendment, *FOUR)
        asked = offer(circle, "an", "friend", 50)
        facts = {"amendment_id": amendment.id, "actor_id": None, **circle.when}
        vouch = {"vouch_id": asked.id, "actor_id": circle.id("an"), **circle.when}

    def force(session: Session) -> str:
        group_life.put_into_force(session, **facts)
        return "in force"

    def accept_it(session: Session) -> str:
        trust.accept_vouch(session, **vouch)
        return "live"

    answers = at_once(engine, force, accept_it)
    assert sum(isinstance(answer, GuaranteeCapReached) for answer in answers) == 1, answers
    assert sum(isinstance(answer, str) for answer in answers) == 1, answers
    with session_factory(engine)() as session:
        assert verify(session).breaches == ()
