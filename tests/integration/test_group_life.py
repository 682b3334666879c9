"""A group that binds: amended, left, expelled from, without a leader, short, dissolved.

Amounts are plain minor units. Four households and a cap of 100: each stands for the three others,
300 at most.
"""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from community.businessday.steps import STEPS, Task
from community.communities import service as communities
from community.communities import templates
from community.communities.models import CommunityKind
from community.credit import service as credit
from community.credit.errors import CreditLimitExceeded
from community.groups import amendments, errors, expulsions, queries
from community.groups import service as groups
from community.groups.agreement import agreement_hash
from community.groups.checks import check_groups
from community.groups.leadership import election_of
from community.groups.models import (
    AgreementBasis,
    AmendmentStatus,
    ExpulsionStatus,
    Group,
    GroupAgreement,
    GroupExpulsion,
    GroupMember,
    GroupSignature,
    GroupStatus,
    Settlement,
)
from community.groups.steps import require_ready_to_borrow
from community.guarantees import group_life
from community.guarantees.group_life import Viewer
from community.guarantees.group_warnings import group_warnings
from community.ledger.models import Event
from community.loans import service as loans
from community.members import service as members
from community.trust import service as trust
from community.trust.models import Vouch, VouchStatus
from community.trust.queries import promised_elsewhere
from tests.circle import CAP, FOUR, RULES, Circle
from tests.hamlet import yuan
from tests.village_life import right_answers


@pytest.fixture
def circle(db_session: Session) -> Circle:
    made = Circle(db_session, rules=RULES)
    made.fund(100_000)
    made.bind(*FOUR)
    return made


def live(limit: int = CAP, reserved: int = 0) -> tuple[str, int, int]:
    return ("live", limit, reserved)


# Amendments


def test_a_raised_cap_binds_when_all_have_signed_and_thought_again(circle: Circle) -> None:
    amendment = circle.propose("bo", pair_cap=yuan(150))
    old_hash = circle.group.agreement_hash
    circle.agree(amendment, "an", "bo", "chen")
    assert amendment.status is AmendmentStatus.SIGNING
    circle.refused(errors.NotYetSigned, lambda: circle.force(amendment))
    assert circle.group.agreement_hash == old_hash
    assert set(circle.promises().values()) == {live()}
    circle.agree(amendment, "ding")
    assert amendment.status is AmendmentStatus.COOLING_OFF
    circle.force(amendment)
    assert set(circle.promises().values()) == {live(150)}
    assert len(circle.promises()) == 12
    assert circle.places() == dict.fromkeys(FOUR, ("signed", 450))
    assert circle.group.agreement_hash == amendment.agreement_hash != old_hash
    kept = circle.session.scalars(select(GroupAgreement).order_by(GroupAgreement.version)).all()
    assert [(row.version, row.basis, row.agreement_hash) for row in kept] == [
        (1, AgreementBasis.SIGNED, old_hash),
        (2, AgreementBasis.SIGNED, amendment.agreement_hash),
    ]
    assert agreement_hash(kept[0].document) == old_hash
    circle.check()


def test_the_questions_are_about_what_changes(circle: Circle) -> None:
    later = circle.group.vouch_expires_on + timedelta(days=30)
    amendment = circle.propose("an", pair_cap=yuan(70), vouch_expires_on=later)
    asked = amendments.questionnaire(
        circle.session, amendment_id=amendment.id, member_id=circle.id("bo"), elsewhere_minor=55
    )
    right = right_answers(asked.questions)
    # Three others: 300 before, 210 after; with 55 promised elsewhere 265.
    assert right["exposure_all"] == yuan(210)
    assert right["exposure_change"] == yuan(90)
    assert right["exposure_together"] == yuan(265)
    assert right["runs_until"] in ("yes", "no")
    act: dict[str, Any] = {
        "amendment_id": amendment.id,
        "member_id": circle.id("bo"),
        "agreement_hash": asked.agreement_hash,
        "elsewhere_minor": 55,
        "actor_id": None,
        **circle.when,
    }
    wrong = right | {"exposure_change": yuan(91)}
    answered = circle.do(amendments.answer_questions, **act, answers=wrong)
    assert [v.question.id for v in answered.verdicts if not v.right] == ["exposure_change"]
    circle.refused(errors.NotUnderstood, lambda: circle.do(amendments.sign, **act))
    again = right_answers(answered.again.questions)
    assert circle.do(amendments.answer_questions, **act, answers=again).passed
    circle.do(amendments.sign, **act)
    kept = circle.session.scalars(
        select(GroupSignature).where(GroupSignature.agreement_hash == amendment.agreement_hash)
    ).one()
    assert (kept.exposure_minor, kept.elsewhere_minor) == (210, 55)


def test_both_languages_of_an_amendment_say_what_it_replaces(circle: Circle) -> None:
    circle.person("feng")
    amendment = circle.propose("an", pair_cap=yuan(150), joining=[circle.id("feng")])
    english, chinese = (amendment.document["text"][key] for key in ("en", "zh-CN"))
    assert "It replaces version 1" in english
    assert "4 members stood behind each other up to CNY 1.00" in english
    assert "4 other members, CNY 1.50 each, together CNY 6.00" in english
    assert "New in the group: feng" in english
    assert "本协议取代第 1 版" in chinese
    assert "合计 6.00 元" in chinese
    assert "新加入：feng" in chinese


@pytest.mark.parametrize("how", ["refuse", "withdraw", "lapse", "refuse late"])
def test_a_proposal_that_comes_to_nothing_leaves_all_as_it_was(circle: Circle, how: str) -> None:
    before = (circle.group.agreement_hash, circle.promises(), circle.places())
    circle.person("feng")
    amendment = circle.propose("bo", pair_cap=yuan(150), joining=[circle.id("feng")])
    act: dict[str, Any] = {"amendment_id": amendment.id, "actor_id": None}
    if how == "refuse":
        circle.agree(amendment, "an")
        who = {"member_id": circle.id("feng"), **circle.when}
        circle.do(amendments.refuse, **act, **who)
        status = AmendmentStatus.REFUSED
    elif how == "withdraw":
        chen = {"member_id": circle.id("chen"), **circle.when}
        circle.refused(errors.NotTheProposer, lambda: circle.do(amendments.withdraw, **act, **chen))
        circle.do(amendments.withdraw, **act, member_id=circle.id("bo"), **circle.when)
        status = AmendmentStatus.WITHDRAWN
    elif how == "lapse":
        circle.wait(20)
        circle.agree(amendment, "an")  # the last day
        circle.wait(1)
        circle.refused(errors.ProposalLapsed, lambda: circle.agree(amendment, "bo"))
        done = circle.do(group_life.tend_group, group_id=circle.group.id, **circle.when)
        assert (done.lapsed, done.dissolved) == (1, False)
        again = circle.do(group_life.tend_group, group_id=circle.group.id, **circle.when)
        assert again.lapsed == 0
        status = AmendmentStatus.LAPSED
    else:
        circle.agree(amendment, *FOUR, "feng")
        who = {"member_id": circle.id("ding"), "on": circle.day}
        # The days of thinking again are none here: the very instant is too late.
        circle.refused(
            errors.CoolingOffOver,
            lambda: circle.do(amendments.refuse, **act, **who, now=circle.now),
        )
        circle.do(amendments.withdraw, **act, member_id=circle.id("an"), **circle.when)
        status = AmendmentStatus.WITHDRAWN
    assert amendment.status is status
    after = (circle.group.agreement_hash, circle.promises(), circle.places())
    assert after[:2] == before[:2]
    assert after[2] == before[2] | {"feng": ("declined", None)}
    circle.refused(errors.ProposalClosed, lambda: circle.force(amendment))
    # Another proposal may follow.
    assert circle.propose("chen", pair_cap=yuan(120)).status is AmendmentStatus.SIGNING
    circle.check()


def test_one_proposal_at_a_time(circle: Circle) -> None:
    circle.propose("bo", pair_cap=yuan(150))
    circle.refused(errors.ProposalOpen, lambda: circle.propose("an", pair_cap=yuan(140)))
    # One that ran out of time makes room by itself.
    circle.wait(21)
    assert circle.propose("an", pair_cap=yuan(140)).status is AmendmentStatus.SIGNING


def test_a_proposal_changes_something_within_the_charter(circle: Circle) -> None:
    for terms, refusal in (
        ({}, errors.NothingProposed),
        ({"pair_cap": yuan(CAP)}, errors.NothingProposed),
        ({"pair_cap": yuan(10**9 + 1)}, errors.CapTooHigh),
        ({"vouch_expires_on": circle.day}, errors.PromiseTooLong),
        ({"joining": [circle.id("an")]}, errors.AlreadyInGroup),
    ):
        circle.refused(refusal, lambda terms=terms: circle.propose("an", **terms))
    outsider = circle.person("feng")
    circle.refused(errors.NotInGroup, lambda: circle.propose("feng", pair_cap=yuan(150)))
    others = [circle.person(name).id for name in ("gao", "han")]
    circle.refused(errors.GroupFull, lambda: circle.propose("an", joining=[outsider.id, others[0]]))
    # Whatever was refused left nothing: no proposal, nobody invited, no promise changed.
    assert queries.open_amendment(circle.session, circle.group.id) is None
    assert circle.places() == dict.fromkeys(FOUR, ("signed", 300))
    assert set(circle.promises().values()) == {live()}


def test_lowering_below_what_is_reserved_names_what_binds(circle: Circle) -> None:
    # An's stake of 300 covers first; 100 more rest on the promises of bo.
    loan = circle.lend("an", 400)
    held = circle.promises()
    assert sorted(minor for key, (_, _, minor) in held.items() if key.endswith(">an")) == [
        0,
        0,
        100,
    ]
    [giver] = [key.partition(">")[0] for key, (_, _, minor) in held.items() if minor]
    amendment = circle.propose("bo", pair_cap=yuan(60))
    circle.agree(amendment, *FOUR)
    refused = circle.refused(
        errors.CapBelowReserved,
        lambda: circle.force(amendment, viewer=Viewer(circle.id(giver))),
    )
    assert refused.members["least"] == {"amount": "1.00", "currency": "CNY"}
    [bond] = refused.members["bonds"]
    assert bond["amount"] == {"amount": "1.00", "currency": "CNY"}
    assert bond["loans"] == [loan.public_id]
    assert (bond["voucher"], bond["borrower"]) == (
        circle.people[giver].public_id,
        circle.people["an"].public_id,
    )
    # Somebody else in the group learns how much, not whose.
    [other] = {"bo", "chen", "ding"} - {giver} - {"ding" if giver != "ding" else "chen"}
    hidden = circle.refused(
        errors.CapBelowReserved,
        lambda: circle.force(amendment, viewer=Viewer(circle.id(other))),
    )
    assert (hidden.members["bonds"], hidden.members["hidden"]) == ([], 1)
    assert set(circle.promises().values()) == {live(), live(CAP, 100)}
    # With 50 repaid, 50 are still reserved: the same amendment comes into force.
    circle.repay(loan, 50)
    circle.force(amendment)
    assert sorted(circle.promises().values()) == [live(60)] * 11 + [live(60, 50)]
    circle.check()


def test_extended_promises_that_had_expired_come_back_and_none_stands_twice(
    circle: Circle,
) -> None:
    circle.lend("an", 400, 60)  # 100 rest on one promise
    circle.wait(401)
    circle.do(trust.expire_vouches, **circle.when)
    assert {state for state, _, _ in circle.promises().values()} == {"expired"}
    later = circle.day + timedelta(days=300)
    amendment = circle.propose("an", pair_cap=yuan(120), vouch_expires_on=later)
    circle.agree(amendment, *FOUR)
    circle.force(amendment)
    # Eleven are written anew; the one on which the loan rests lives on, within the cap.
    assert sorted(circle.promises().values()) == [live(120)] * 11 + [live(120, 100)]
    rows = circle.session.scalars(
        select(Vouch).where(Vouch.group_id == circle.group.id, Vouch.status == VouchStatus.LIVE)
    ).all()
    assert len(rows) == 12
    assert {row.expires_on for row in rows} == {later}
    circle.check()


def test_what_raises_promises_needs_everybody_to_owe_nothing_overdue(circle: Circle) -> None:
    late = [circle.id("ding")]
    circle.refused(
        errors.SomebodyOverdue, lambda: circle.propose("an", pair_cap=yuan(150), overdue_ids=late)
    )
    lower = circle.propose("an", pair_cap=yuan(50), overdue_ids=late)
    circle.agree(lower, *FOUR)
    circle.standing("ding").overdue_since_on = circle.day
    circle.session.commit()
    circle.force(lower)
    assert set(circle.promises().values()) == {live(50)}
    circle.standing("ding").overdue_since_on = None
    raised = circle.propose("an", pair_cap=yuan(80))
    circle.agree(raised, *FOUR)
    circle.standing("ding").overdue_since_on = circle.day
    circle.session.commit()
    circle.refused(errors.SomebodyOverdue, lambda: circle.force(raised))
    assert set(circle.promises().values()) == {live(50)}


def test_an_agreement_that_was_bound_or_signed_is_never_changed(circle: Circle) -> None:
    for statement in (
        "UPDATE group_agreements SET version = 9",
        "DELETE FROM group_agreements",
        "UPDATE group_signatures SET exposure_minor = 0",
        "DELETE FROM group_signatures",
    ):
        with pytest.raises(DatabaseError), circle.session.begin_nested():
            circle.session.execute(text(statement))


def test_the_database_too_admits_one_open_proposal(circle: Circle) -> None:
    circle.propose("bo", pair_cap=yuan(150))
    with pytest.raises(IntegrityError), circle.session.begin_nested():
        circle.session.execute(
            text(
                "INSERT INTO group_amendments (public_id, group_id, status, pair_cap_minor,"
                " vouch_expires_on, base_hash, document, agreement_hash, charter_version, reason,"
                " proposed_by_id, proposed_at, lapses_on) SELECT 'gam_2', group_id, status,"
                " pair_cap_minor, vouch_expires_on, base_hash, document, agreement_hash,"
                " charter_version, reason, proposed_by_id, proposed_at, lapses_on"
                " FROM group_amendments"
            )
        )


# Admission and transfer


def test_an_admitted_member_stands_behind_everybody_and_they_behind_them(circle: Circle) -> None:
    circle.person("feng", stake=300)
    amendment = circle.propose("an", joining=[circle.id("feng")])
    assert circle.places()["feng"] == ("invited", None)
    circle.agree(amendment, *FOUR)
    circle.refused(errors.NotYetSigned, lambda: circle.force(amendment))
    circle.agree(amendment, "feng")
    circle.force(amendment)
    assert circle.places() == dict.fromkeys((*FOUR, "feng"), ("signed", 400))
    assert len(circle.promises()) == 20
    assert set(circle.promises().values()) == {live()}
    circle.check()


def test_one_purse_stands_in_a_group_once_also_by_admission(circle: Circle) -> None:
    home = circle.do(members.create_household, reference="H-1", now=circle.now)
    for name in ("an", "feng"):
        if name not in circle.people:
            circle.person(name)
        circle.do(
            members.move_to_household,
            member_id=circle.id(name),
            household_id=home.id,
            now=circle.now,
            actor_id=None,
        )
    said = circle.refused(
        errors.SameHousehold, lambda: circle.propose("bo", joining=[circle.id("feng")])
    )
    assert "H-1" not in said.detail
    assert "feng" not in circle.places()


def test_a_transfer_leaves_one_group_the_moment_it_joins_the_other(circle: Circle) -> None:
    first = circle.group
    second = circle.bind("wu", "xu", "yang")
    amendment = circle.propose("wu", joining=[circle.id("ding")])
    circle.agree(amendment, "wu", "xu", "yang", "ding")
    loan = circle.lend("ding", 350)
    # 50 of it rest on a promise of the first group: ding cannot go.
    bound = circle.refused(
        errors.GroupStillBinds,
        lambda: circle.force(amendment, viewer=Viewer(circle.id("ding"))),
    )
    assert [bond["kind"] for bond in bound.members["bonds"]] == ["own_loan", "promise_received"]
    assert circle.places(first)["ding"] == ("signed", 300)
    circle.repay(loan, 350)
    circle.force(amendment)
    assert circle.places(first)["ding"][0] == "left"
    assert circle.places(second)["ding"] == ("signed", 300)
    assert circle.places(first)["an"] == ("signed", 200)
    assert len(circle.promises(second)) == 12
    gone = {v for k, v in circle.promises(first).items() if "ding" in k}
    assert gone == {("revoked", 0, 0)}
    circle.check()


# Leading


def test_a_leader_acts_on_after_the_term_for_the_charters_days(circle: Circle) -> None:
    group = circle.group
    an = circle.id("an")
    circle.wait(100)
    assert queries.is_led_by(group, circle.day) == an
    assert not election_of(group, 4, circle.day).is_due
    circle.wait(1)
    due = election_of(group, 4, circle.day)
    assert (due.is_due, due.is_led, due.acting_days_left, due.votes_needed) == (True, True, 9, 3)
    circle.wait(9)
    assert queries.is_led_by(group, circle.day) == an
    assert election_of(group, 4, circle.day).acting_days_left == 0
    circle.wait(1)
    assert queries.is_led_by(group, circle.day) is None
    assert not election_of(group, 4, circle.day).is_led
    step = circle.step()
    for voter in ("bo", "chen", "ding"):
        circle.do(
            groups.vote_leader, voter_id=circle.id(voter), candidate_id=circle.id("bo"), **step
        )
    assert queries.is_led_by(group, circle.day) == circle.id("bo")
    assert group.leader_until_on == circle.day + timedelta(days=100)
    assert not election_of(group, 4, circle.day).is_due


def test_any_member_calls_an_election_and_the_leader_leads_on_until_it_is_decided(
    circle: Circle,
) -> None:
    step = circle.step()
    circle.do(groups.call_election, member_id=circle.id("ding"), **step)
    version = circle.group.version
    circle.do(groups.call_election, member_id=circle.id("chen"), **step)
    assert circle.group.version == version
    found = election_of(circle.group, 4, circle.day)
    assert (found.open_since_on, found.is_due, found.is_led) == (circle.day, True, True)
    for voter in ("bo", "chen", "ding"):
        circle.do(
            groups.vote_leader, voter_id=circle.id(voter), candidate_id=circle.id("chen"), **step
        )
    assert circle.group.leader_id == circle.id("chen")
    assert election_of(circle.group, 4, circle.day).open_since_on is None


def test_more_than_half_recall_a_leader_and_nobody_learns_who(circle: Circle) -> None:
    step = circle.step()

    def recall(name: str, wish: bool) -> None:
        circle.do(groups.recall_leader, member_id=circle.id(name), recall=wish, **step)

    recall("bo", True)
    recall("chen", True)
    assert circle.group.leader_id == circle.id("an")  # two of four are not more than half
    recall("chen", False)
    recall("ding", True)
    assert circle.group.leader_id == circle.id("an")
    recall("chen", True)
    assert circle.group.leader_id is None
    assert circle.group.status is GroupStatus.ACTIVE
    assert election_of(circle.group, 4, circle.day).is_due
    circle.refused(errors.NoLeaderToRecall, lambda: recall("bo", True))
    circle.refused(errors.NoLeader, lambda: circle.propose("bo", pair_cap=yuan(120)))
    told = circle.session.scalars(
        select(Event).where(Event.kind.in_(["group.voted", "group.leader_recalled"]))
    ).all()
    assert {event.actor_id for event in told} == {None}
    assert {key for event in told for key in event.facts} == {"leader"}
    # Wishes are used up: the next leader begins without any.
    for voter in ("bo", "chen", "ding"):
        circle.do(
            groups.vote_leader, voter_id=circle.id(voter), candidate_id=circle.id("bo"), **step
        )
    recall("an", True)
    recall("chen", True)
    assert circle.group.leader_id == circle.id("bo")
    circle.check()


# Leaving


def test_nobody_leaves_with_a_loan_of_their_own(circle: Circle) -> None:
    loan = circle.lend("bo", 20)  # on bo's own stake
    bound = circle.refused(errors.GroupStillBinds, lambda: circle.exit("bo"))
    assert bound.members["bonds"] == [
        {
            "kind": "own_loan",
            "id": loan.public_id,
            "amount": {"amount": "0.20", "currency": "CNY"},
            "loans": [loan.public_id],
            "voucher": None,
            "borrower": None,
            "remedy": "Repay this loan.",
        }
    ]
    assert "1 own loan (CNY 0.20)" in bound.detail
    circle.repay(loan, 20)
    circle.exit("bo")
    assert circle.places()["bo"][0] == "left"


def test_nobody_leaves_while_a_loan_rests_on_their_promise(circle: Circle) -> None:
    loan = circle.lend("an", 600)  # 300 of their own, 100 on each of the three promises
    for name in ("bo", "chen", "ding"):
        bound = circle.refused(errors.GroupStillBinds, lambda name=name: circle.exit(name))
        [bond] = bound.members["bonds"]
        assert (bond["kind"], bond["loans"]) == ("promise_given", [loan.public_id])
        assert bond["amount"] == {"amount": "1.00", "currency": "CNY"}
    circle.repay(loan, 600)
    circle.exit("bo")


def test_who_leaves_takes_their_promises_and_everybodys_exposure_falls(circle: Circle) -> None:
    circle.exit("ding")
    assert circle.places() == {
        **dict.fromkeys(("an", "bo", "chen"), ("signed", 200)),
        "ding": ("left", 300),
    }
    held = circle.promises()
    assert {v for k, v in held.items() if "ding" in k} == {("revoked", 0, 0)}
    assert [v for k, v in held.items() if "ding" not in k] == [live()] * 6
    kept = circle.session.scalars(select(GroupAgreement).order_by(GroupAgreement.version)).all()
    assert [(row.version, row.basis) for row in kept] == [
        (1, AgreementBasis.SIGNED),
        (2, AgreementBasis.DEPARTURE),
    ]
    assert "ding" in kept[1].document["text"]["en"].splitlines()[1]
    assert circle.group.agreement_hash == kept[1].agreement_hash
    assert circle.group.short_since_on is None
    circle.check()


def test_a_departure_document_with_anything_else_in_it_is_a_breach(circle: Circle) -> None:
    circle.exit("ding")
    circle.session.commit()
    row = circle.session.scalars(select(GroupAgreement).where(GroupAgreement.version == 2)).one()
    row.document = row.document | {"pair_cap_minor": 500}
    found = {breach.what for breach in _breaches(circle)}
    assert "is more than the agreement before it less one member" in found
    assert "has another text than was bound" in found


def test_a_group_that_fell_short_takes_no_new_loans_until_it_is_whole(circle: Circle) -> None:
    for name in ("chen", "ding"):
        circle.exit(name)
    group = circle.group
    assert group.status is GroupStatus.ACTIVE
    assert (group.short_since_on, group.whole_by_on) == (
        circle.day,
        circle.day + timedelta(days=40),
    )
    shares: dict[str, Any] = {
        "product_id": circle.product_id,
        "shares": {circle.id("bo"): 10},
        "total": yuan(10),
        "purpose": "seed",
        "instalments": 1,
    }
    step = circle.step() | {"actor_id": circle.id("an")}
    circle.refused(errors.GroupNotWhole, lambda: circle.do(loans.apply_as_group, **step, **shares))
    alone = circle.apply("bo", 10)
    refused = circle.refused(CreditLimitExceeded, lambda: circle.approve(alone))
    assert refused.members["binding"]["name"] == "short_group"
    limits = credit.credit_limits(circle.session, community_id=circle.community.id, on=circle.day)
    assert limits[circle.id("bo")] == 0
    amendment = circle.propose("bo", joining=[circle.person("feng", stake=300).id])
    circle.agree(amendment, "an", "bo", "feng")
    circle.force(amendment)
    assert (group.short_since_on, group.whole_by_on) == (None, None)
    circle.approve(alone)
    circle.do(loans.apply_as_group, **step, **shares)
    circle.check()


def test_a_group_that_was_not_made_whole_in_time_dissolves_when_nothing_is_live(
    circle: Circle,
) -> None:
    loan = circle.lend("an", 350, 12)  # 50 rest on a promise of one of the two who stay
    [giver] = [k.partition(">")[0] for k, (_, _, minor) in circle.promises().items() if minor]
    leaving = [name for name in ("bo", "chen", "ding") if name != giver]
    for name in leaving:
        circle.exit(name)
    amendment = circle.propose(giver, joining=[circle.person("feng").id])
    circle.agree(amendment, "an", giver)
    circle.wait(40)
    assert group_life.groups_to_tend(
        circle.session, community_id=circle.community.id, on=circle.day
    ) == [circle.group.id]  # the proposal ran out of time
    circle.do(group_life.tend_group, group_id=circle.group.id, **circle.when)
    assert circle.group.status is GroupStatus.ACTIVE
    circle.wait(1)
    circle.refused(
        errors.GroupTimeOver,
        lambda: circle.propose(giver, joining=[circle.id("feng")]),
    )
    done = circle.do(group_life.tend_group, group_id=circle.group.id, **circle.when)
    assert not done.dissolved
    circle.repay(loan, 350)
    done = circle.do(group_life.tend_group, group_id=circle.group.id, **circle.when)
    assert done.dissolved
    assert circle.group.status is GroupStatus.DISSOLVED
    assert {state for state, _, _ in circle.promises().values()} == {"revoked"}
    circle.check()


def test_with_its_last_member_a_group_ends(circle: Circle) -> None:
    for name in ("ding", "chen", "bo"):
        circle.exit(name)
    assert circle.places()["an"] == ("signed", 0)
    circle.exit("an")
    assert circle.group.status is GroupStatus.DISSOLVED
    circle.check()


def test_a_leader_who_leaves_leaves_the_group_to_elect(circle: Circle) -> None:
    circle.exit("an")
    assert circle.group.leader_id is None
    assert "We have no leader at present" in circle.group.agreement["text"]["en"]
    assert election_of(circle.group, 3, circle.day).is_due
    circle.check()


def test_a_departure_can_decide_an_election(circle: Circle) -> None:
    step = circle.step()
    for voter in ("bo", "chen"):
        circle.do(
            groups.vote_leader, voter_id=circle.id(voter), candidate_id=circle.id("chen"), **step
        )
    assert circle.group.leader_id == circle.id("an")  # two of four
    circle.exit("ding")
    assert circle.group.leader_id == circle.id("chen")  # two of three


def test_a_departure_ends_the_amendment_that_names_who_is_gone(circle: Circle) -> None:
    amendment = circle.propose("an", pair_cap=yuan(150))
    circle.agree(amendment, "an", "bo", "chen")
    circle.exit("ding")
    assert amendment.status is AmendmentStatus.LAPSED


def test_who_left_can_be_admitted_again(circle: Circle) -> None:
    circle.exit("ding")
    amendment = circle.propose("an", joining=[circle.id("ding")])
    circle.agree(amendment, *FOUR)
    circle.force(amendment)
    assert circle.places() == dict.fromkeys(FOUR, ("signed", 300))
    assert set(circle.promises().values()) == {live()}
    circle.check()


# Expulsion


def expulsion(circle: Circle, member: str, settlement: Settlement) -> GroupExpulsion:
    return circle.do(
        expulsions.propose,
        proposer_id=circle.id("an"),
        member_id=circle.id(member),
        settlement=settlement,
        reason="never at a meeting",
        **circle.step(),
    )


def consent(circle: Circle, made: GroupExpulsion, name: str, takes: int = 0) -> Any:
    return circle.do(
        group_life.consent_to_expulsion,
        expulsion_id=made.id,
        member_id=circle.id(name),
        takes_over=yuan(takes) if takes else None,
        actor_id=circle.id(name),
        **circle.when,
    )


def expel(circle: Circle, made: GroupExpulsion, by: str = "an") -> Group:
    return circle.do(group_life.expel, expulsion_id=made.id, actor_id=circle.id(by), **circle.when)


def test_an_expulsion_needs_all_the_others_and_what_is_owed_repaid(circle: Circle) -> None:
    loan = circle.lend("ding", 350)
    made = expulsion(circle, "ding", Settlement.REPAID)
    circle.refused(errors.NoVoteOnOneself, lambda: consent(circle, made, "ding"))
    for name in ("an", "bo"):
        consent(circle, made, name)
    short = circle.refused(errors.NotUnanimous, lambda: expel(circle, made))
    assert short.members == {"missing": 1, "needed": 3}
    consent(circle, made, "chen")
    bound = circle.refused(errors.GroupStillBinds, lambda: expel(circle, made))
    # Whose loan it is and how much is the expelled one's business, and of who stands behind it.
    assert bound.members["hidden"] >= 1
    assert "own_loan" not in {bond["kind"] for bond in bound.members["bonds"]}
    circle.repay(loan, 350)
    expel(circle, made)
    assert circle.places()["ding"][0] == "expelled"
    assert made.status is ExpulsionStatus.EFFECTED
    assert {v for k, v in circle.promises().items() if "ding" in k} == {("revoked", 0, 0)}
    circle.check()


def test_others_who_take_over_go_on_covering_what_is_owed(circle: Circle) -> None:
    loan = circle.lend("ding", 600, 12)  # 300 of their own, 100 of each of the others
    made = expulsion(circle, "ding", Settlement.TAKEN_OVER)
    wrong = circle.refused(errors.TakesOverOther, lambda: consent(circle, made, "an", 99))
    assert wrong.members["takes_over"] == {"amount": "1.00", "currency": "CNY"}
    for name in ("an", "bo", "chen"):
        consent(circle, made, name, 100)
    circle.repay(loan, 100)  # 600 → 500: the others' cover falls to 200 together
    covered = {k: v[2] for k, v in circle.promises().items() if k.endswith(">ding")}
    assert sum(covered.values()) == 200
    expel(circle, made)
    after = circle.promises()
    assert {k: v for k, v in after.items() if k.endswith(">ding")} == {
        k: ("revoked", minor, minor) for k, minor in covered.items()
    }
    assert {v for k, v in after.items() if k.startswith("ding>")} == {("revoked", 0, 0)}
    taken = circle.group.agreement.get("taken_over", {})
    assert sum(taken.values()) == 200
    circle.check()  # law 3: cover still matches the debt
    circle.repay(loan, 500)
    assert sum(v[2] for v in circle.promises().values()) == 0
    circle.check()


def test_more_than_was_consented_to_is_not_taken_over(circle: Circle) -> None:
    circle.lend("ding", 310)
    made = expulsion(circle, "ding", Settlement.TAKEN_OVER)
    held = {k: v[2] for k, v in circle.promises().items() if k.endswith(">ding")}
    for name in ("an", "bo", "chen"):
        consent(circle, made, name, held[f"{name}>ding"])
    circle.lend("ding", 5)
    circle.refused(errors.TakesOverOther, lambda: expel(circle, made))
    assert circle.places()["ding"][0] == "signed"
    held = {k: v[2] for k, v in circle.promises().items() if k.endswith(">ding")}
    for name in ("an", "bo", "chen"):
        consent(circle, made, name, held[f"{name}>ding"])
    expel(circle, made)
    circle.check()


def test_one_no_ends_an_expulsion(circle: Circle) -> None:
    made = expulsion(circle, "ding", Settlement.REPAID)
    circle.refused(errors.ProposalOpen, lambda: expulsion(circle, "ding", Settlement.TAKEN_OVER))
    consent(circle, made, "bo")
    circle.do(
        expulsions.refuse,
        expulsion_id=made.id,
        member_id=circle.id("chen"),
        actor_id=circle.id("chen"),
        **circle.when,
    )
    circle.refused(errors.ProposalClosed, lambda: consent(circle, made, "an"))
    assert expulsion(circle, "ding", Settlement.REPAID).status is ExpulsionStatus.VOTING


def test_nobody_expels_themself_or_a_stranger_and_time_runs_out(circle: Circle) -> None:
    circle.refused(errors.ExpelsOneself, lambda: expulsion(circle, "an", Settlement.REPAID))
    circle.person("feng")
    circle.refused(errors.NotInGroup, lambda: expulsion(circle, "feng", Settlement.REPAID))
    made = expulsion(circle, "ding", Settlement.REPAID)
    circle.wait(21)
    circle.refused(errors.ProposalLapsed, lambda: consent(circle, made, "bo"))
    circle.do(group_life.tend_group, group_id=circle.group.id, **circle.when)
    assert made.status is ExpulsionStatus.LAPSED
    assert circle.places()["ding"][0] == "signed"


# The end


def test_a_group_dissolves_only_when_nothing_in_it_is_live(circle: Circle) -> None:
    loan = circle.lend("an", 350)
    dissolve = {"actor_id": circle.id("an")}
    bound = circle.refused(
        errors.GroupStillBinds,
        lambda: circle.do(group_life.dissolve_group, **circle.step() | dissolve),
    )
    [bond] = bound.members["bonds"]
    assert (bond["kind"], bond["loans"]) == ("promise_given", [loan.public_id])
    circle.repay(loan, 350)
    # A member's own loan that rests on nobody's promise holds no group.
    circle.lend("bo", 30)
    circle.do(group_life.dissolve_group, **circle.step() | dissolve)
    assert circle.group.status is GroupStatus.DISSOLVED
    assert {status for status, _ in circle.places().values()} == {"left"}
    assert set(circle.promises().values()) == {("revoked", 0, 0)}
    circle.refused(errors.GroupStepNotAllowed, lambda: circle.exit("an"))
    circle.check()


def test_a_refused_step_names_those_that_are_possible(circle: Circle) -> None:
    refused = circle.refused(
        errors.GroupStepNotAllowed,
        lambda: circle.do(
            groups.invite,
            member_id=circle.person("feng").id,
            inviter_id=circle.id("an"),
            **circle.step(),
        ),
    )
    assert refused.detail == "The group is active; to invite is possible while it is forming."
    assert "exit" in refused.members["possible"]
    assert "sign" not in refused.members["possible"]


def test_the_business_day_lapses_and_ends_what_time_is_over_for(circle: Circle) -> None:
    [step] = [step for step in STEPS if step.name == "tend groups"]

    def day() -> dict[str, int]:
        counts: dict[str, int] = {}
        after = 0
        while True:
            task = Task(circle.community.id, circle.day, circle.now, after, 100)
            portion = circle.do(step.work, task=task)
            for name, count in portion.counts.items():
                counts[name] = counts.get(name, 0) + count
            if portion.last_id is None:
                return counts
            after = portion.last_id

    amendment = circle.propose("an", pair_cap=yuan(150))
    assert day() == {}
    circle.wait(21)
    assert day() == {"group proposals lapsed": 1, "groups dissolved": 0}
    assert amendment.status is AmendmentStatus.LAPSED
    for name in ("chen", "ding"):
        circle.exit(name)
    circle.wait(41)
    assert day() == {"group proposals lapsed": 0, "groups dissolved": 1}
    assert circle.group.status is GroupStatus.DISSOLVED
    assert day() == {}
    circle.check()


# Warnings and statements, from the rows


def test_what_the_rows_say_to_think_of(circle: Circle) -> None:
    circle.do(members.rename_member, member_id=circle.id("an"), name="王安", **_who(circle))
    circle.do(members.rename_member, member_id=circle.id("bo"), name="王波", **_who(circle))
    home = circle.do(members.create_household, reference="H-1", now=circle.now)
    # Chen stood in this group as one of that household; ding lives there now.
    place = queries.get_place(circle.session, group_id=circle.group.id, member_id=circle.id("chen"))
    place.household_id = home.id
    circle.people["ding"].household_id = home.id
    circle.session.commit()
    trade = circle.do(
        communities.create_community,
        kind=CommunityKind.INDUSTRY,
        name="Tea",
        reference="tea",
        currency="CNY",
        now=circle.now,
        actor_id=None,
    )
    circle.do(
        communities.adopt_charter,
        community_id=trade.id,
        rules_document=templates.load("trade-association")["rules"],
        valid_from=circle.day,
        source="test",
        now=circle.now,
        actor_id=None,
    )
    for name in ("an", "bo", "chen"):
        who = {"community_id": trade.id, "member_id": circle.id(name), "actor_id": None}
        circle.do(communities.apply_for_membership, **who, **circle.when)
        circle.do(communities.activate_membership, **who, **circle.when)
    circle.vouch("bo", "ding", 5)
    circle.vouch("ding", "bo", 5)
    circle.vouch("an", "chen", 5)  # not returned
    found = group_warnings(
        circle.session,
        community_id=circle.community.id,
        member_ids=[circle.id(name) for name in FOUR],
        on=circle.day,
        besides_group=circle.group.id,
    )
    assert [(w.kind.value, w.member_ids) for w in found] == [
        ("family_name", (circle.id("an"), circle.id("bo"))),
        ("shared_household", (circle.id("chen"), circle.id("ding"))),
        ("same_industry", (circle.id("an"), circle.id("bo"), circle.id("chen"))),
        ("mutual_pair", (circle.id("bo"), circle.id("ding"))),
    ]
    # Without the group left out, all twelve promises of its own are mutual.
    pairs = group_warnings(
        circle.session,
        community_id=circle.community.id,
        member_ids=[circle.id(name) for name in FOUR],
        on=circle.day,
    )
    assert sum(w.kind.value == "mutual_pair" for w in pairs) == 6


def test_what_is_promised_elsewhere_counts_live_promises_and_what_still_rests(
    circle: Circle,
) -> None:
    def elsewhere(name: str) -> list[tuple[int, int]]:
        found = promised_elsewhere(
            circle.session,
            member_id=circle.id(name),
            on=circle.day,
            besides_group=circle.group.id,
        )
        return [(part.personal_minor, part.groups_minor) for part in found]

    assert elsewhere("bo") == []
    circle.person("feng")
    vouch = circle.vouch("bo", "feng", 80)
    circle.lend("feng", 30)
    assert elsewhere("bo") == [(80, 0)]
    circle.do(trust.revoke_vouch, vouch_id=vouch.id, now=circle.now, actor_id=circle.id("bo"))
    assert elsewhere("bo") == [(30, 0)]
    # In the eyes of another group, this one is elsewhere: three others, 100 each.
    another = circle.bind("wu", "xu", "yang")
    found = promised_elsewhere(
        circle.session, member_id=circle.id("bo"), on=circle.day, besides_group=another.id
    )
    assert [(part.personal_minor, part.groups_minor) for part in found] == [(30, 300)]
    assert elsewhere("wu") == []


# Second groups


def test_a_second_group_is_for_another_product_where_the_charter_says_so(
    db_session: Session,
) -> None:
    circle = Circle(db_session, rules=RULES | {"second_group_per_product": True})
    circle.fund(100_000)
    for name in FOUR:
        circle.person(name, stake=300)
    second = circle.product("machines", {})

    def form(product_id: int | None, name: str | None) -> Group:
        return circle.do(
            groups.form_group,
            community_id=circle.community.id,
            founder_id=circle.id("an"),
            name="x",
            pair_cap=yuan(CAP),
            vouch_expires_on=circle.day + timedelta(days=100),
            product_id=product_id,
            product_name=name,
            actor_id=None,
            **circle.when,
        )

    first = form(circle.product_id, "plain")
    with pytest.raises(errors.GroupForOtherProduct):
        require_ready_to_borrow(first, second)
    require_ready_to_borrow(first, circle.product_id)
    circle.refused(errors.InAnotherGroup, lambda: form(circle.product_id, "plain"))
    circle.refused(errors.InAnotherGroup, lambda: form(None, None))
    assert form(second, "machines").product_id == second
    with pytest.raises(IntegrityError), circle.session.begin_nested():
        circle.session.execute(
            text("UPDATE group_members SET product_id = :p"), {"p": circle.product_id}
        )


def test_without_that_rule_a_member_stands_in_one_group(circle: Circle) -> None:
    refused = circle.refused(
        errors.InAnotherGroup,
        lambda: circle.do(
            groups.form_group,
            community_id=circle.community.id,
            founder_id=circle.id("an"),
            name="x",
            pair_cap=yuan(CAP),
            vouch_expires_on=circle.day + timedelta(days=100),
            product_id=circle.product("machines", {}),
            product_name="machines",
            actor_id=None,
            **circle.when,
        ),
    )
    assert refused.members["rule"] == "second_group_per_product"


def _who(circle: Circle) -> dict[str, Any]:
    return {"now": circle.now, "actor_id": None}


def _breaches(circle: Circle) -> list[Any]:
    """What the check finds on rows as changed here, past the guards: in memory, not flushed."""
    with circle.session.no_autoflush:
        return list(check_groups(circle.session))


def test_every_place_in_the_group_is_one_row_whatever_happened(circle: Circle) -> None:
    circle.exit("ding")
    amendment = circle.propose("an", joining=[circle.id("ding")])
    circle.agree(amendment, *FOUR)
    circle.force(amendment)
    count = len(circle.session.scalars(select(GroupMember)).all())
    assert count == 4
