"""Whole-village credit from its opening to its end: blind, decided with reasons, granted once."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from app.campaigns.work import grant_all
from community.businessday.service import Worker, take_turn, work_on
from community.campaigns import deciding, granting, queries, service
from community.campaigns.checks import check_campaigns
from community.campaigns.draw import DrawInputs, draw
from community.campaigns.errors import (
    AmountAboveCap,
    CampaignRunning,
    CampaignStepNotAllowed,
    CampaignUnfinished,
    FindingDecided,
    GrantNotLive,
    LineDoesNotFit,
    NoDraw,
    NoHouseholds,
    NotAHolder,
    NotAReviewer,
    NothingToVisit,
    NotInPeriod,
    NowYourHousehold,
    ObjectionAnswered,
    ObjectionRaised,
    OwnCampaignMatter,
    RoundClosed,
    WrongLine,
)
from community.campaigns.findings import FindingKind, Verdict
from community.campaigns.models import (
    Campaign,
    CampaignAnswer,
    CampaignHousehold,
    CampaignStatus,
    Decision,
    HouseholdStatus,
    ObjectionStatus,
    VisitResult,
)
from community.campaigns.outcomes import seed_of
from community.communities import service as communities
from community.credit.errors import CreditLimitExceeded
from community.engine import make_engine, session_factory
from community.errors import CurrencyMismatch, Invalid
from community.ledger.models import Event
from community.lines import service as lines
from community.lines.models import CreditLine
from community.lines.queries import find_share
from community.money import Money
from community.trust.models import Assessment, Standing
from community.verification import verify
from tests.campaign_life import Hamlets, day
from tests.hamlet import Hamlet, yuan
from tests.integration.test_credit_races import at_once


def line_of(village: Hamlets, limit: int = 5_000_00) -> CreditLine:
    """A line of the whole community, without sub-limits."""
    hamlet = village.hamlet
    return hamlet.do(
        lines.open_line,
        community_id=hamlet.community.id,
        name="seed money",
        limit=yuan(limit),
        sub_limits={},
        from_on=hamlet.day,
        until_on=hamlet.day + timedelta(days=1_000),
        reason="decided",
        **village.act,
    )


def statuses(village: Hamlets, campaign: Campaign) -> Counter[str]:
    return Counter(row.status.value for row in village.rows(campaign).values())


def test_from_opening_to_grant_to_the_cent(db_session: Session) -> None:
    """Three say 399.99, 400.03 and 401.00: the middle is 400.03, half of it 200.01."""
    village = Hamlets(db_session)
    line = line_of(village)

    def said(who: str, home: str) -> int:
        # By the reviewer's place on the panel: lowest, middle, highest.
        return by_place[who, home]

    campaign = village.drawn(line_id=line.id)
    by_place: dict[tuple[str, str], int] = {}
    panels: Counter[str] = Counter()
    for one in village.assignments(campaign):
        home = village.home_of(one.household_id)
        figure = (399_99, 400_03, 401_00)[panels[home]]
        by_place[village.name_of(one.reviewer_id), home] = figure
        panels[home] += 1
    assert set(panels.values()) == {3}
    village.answer(campaign, said)
    village.close(campaign)
    assert campaign.status is CampaignStatus.CHECKING
    row = village.row(campaign, "h0")
    assert (row.verdict, row.status) == (Verdict.PROPOSED, HouseholdStatus.PROPOSED)
    assert row.grounds == {
        "answers": 3,
        "known": 3,
        "against": 0,
        "centre_minor": 400_03,
        "spread_bps": 1,
    }
    assert (row.proposed_minor, row.amount_minor) == (200_01, 200_01)
    village.publish(campaign)
    assert campaign.objections_until_on == day("2026-03-09")
    village.after_objections()
    left = village.run(campaign)
    assert (left.households, campaign.status) == (0, CampaignStatus.GRANTED)
    row = village.row(campaign, "h0")
    assert (row.status, row.granted_on) == (HouseholdStatus.GRANTED, day("2026-03-10"))
    assert row.expires_on == day("2027-03-10")
    standing = village.hamlet.standing("h0")
    assert (standing.assessed_minor, standing.assessed_until_on) == (200_01, row.expires_on)
    paper = db_session.get_one(Assessment, row.assessment_id)
    assert "3 who know the household, centre 400.03, charter version 1" in paper.evidence
    share = find_share(db_session, line_id=line.id, member_id=village.id("h0"))
    assert share is not None
    assert share.limit_minor == 200_01
    village.hamlet.check()
    kinds = db_session.scalars(
        select(Event.kind).where(Event.subject == campaign.public_id).order_by(Event.seq)
    ).all()
    assert kinds == [
        "campaign.opened",
        "campaign.drawn",
        "campaign.round_closed",
        "campaign.review_closed",
        "campaign.published",
        "campaign.granting",
        *["campaign.household_granted"] * 8,
        "campaign.granted",
    ]


def test_anybody_who_has_the_seed_draws_the_same(db_session: Session) -> None:
    village = Hamlets(db_session)
    campaign = village.drawn()
    [kept] = queries.rounds_of(db_session, campaign.id)
    again = draw(DrawInputs.read(kept.inputs), seed=f"7:{campaign.public_id}:1")
    assert seed_of(campaign) == f"7:{campaign.public_id}"
    assert {(place.reviewer, place.household) for place in again} == {
        (one.reviewer_id, one.household_id) for one in village.assignments(campaign)
    }


def test_nobody_reviews_their_own_or_their_kin(db_session: Session) -> None:
    """A second person in h0, and h1 is kin to h2: neither looks at the other."""
    village = Hamlets(db_session)
    village.settle("h0", village.hamlet.person("wife").id)
    campaign = village.drawn(kin=[(village.id("h2"), village.id("h1"))])
    looks = {
        (village.name_of(one.reviewer_id), village.home_of(one.household_id))
        for one in village.assignments(campaign)
    }
    assert len(looks) == 24
    forbidden = {(name, name) for name in village.names}
    forbidden |= {("wife", "h0"), ("h1", "h2"), ("h2", "h1")}
    assert not looks & forbidden
    load = Counter(who for who, _ in looks)
    assert set(load.values()) == {2, 3}
    village.hamlet.check()


def test_no_draw_says_for_whom_and_why(db_session: Session) -> None:
    village = Hamlets(db_session)
    named = [village.id("h0"), village.id("h1"), village.id("h2")]
    campaign = village.open(reviewer_ids=named)
    with pytest.raises(NoDraw) as caught:
        village.do(service.draw_reviewers, campaign_id=campaign.id, **village.act)
    assert caught.value.members["rule"] == "campaign_reviewers_per_household"
    assert caught.value.members["shortage"] == "too_few_reviewers"
    assert (caught.value.members["needed"], caught.value.members["available"]) == (3, 2)
    assert len(caught.value.members["households"]) == 1
    db_session.refresh(campaign)
    assert campaign.status is CampaignStatus.OPEN


def test_what_cannot_be_opened(db_session: Session) -> None:
    empty = Hamlets(db_session, size=0)
    with pytest.raises(NoHouseholds):
        empty.open()
    for number in range(4):
        empty.settle(f"h{number}", empty.hamlet.person(f"h{number}").id)
    with pytest.raises(NotAReviewer):
        empty.open(reviewer_ids=[empty.hamlet.officer.id])
    with pytest.raises(NotAHolder):
        empty.open(holder_ids=[empty.hamlet.officer.id])
    line = line_of(empty)
    empty.do(lines.close, line_id=line.id, reason="over", **empty.act)
    with pytest.raises(WrongLine):
        empty.open(line_id=line.id)
    first = empty.open()
    with pytest.raises(CampaignRunning):
        empty.open()
    empty.do(granting.cancel, campaign_id=first.id, reason="rain", **empty.act)
    assert empty.open().status is CampaignStatus.OPEN
    empty.hamlet.check()


def test_an_answer_may_be_changed_until_its_round_closes(db_session: Session) -> None:
    village = Hamlets(db_session)
    campaign = village.drawn()
    village.answer(campaign, lambda who, home: 400_00)
    one, other, *_ = village.assignments(campaign)
    village.say(one, 300_00, against="drinks")
    village.say(one, None)
    village.say(one, 500_00)
    before = db_session.scalar(select(func.count()).select_from(Event))
    village.say(one, 600_00)
    # Nothing of it is on record where an auditor or an officer reads.
    assert db_session.scalar(select(func.count()).select_from(Event)) == before
    assert queries.answers_of(db_session, campaign.id) == []
    village.close(campaign)
    with pytest.raises(RoundClosed):
        village.say(other, 1_00)
    frozen = db_session.scalars(
        select(CampaignAnswer).where(CampaignAnswer.assignment_id == one.id)
    ).one()
    assert (frozen.limit_minor, frozen.against) == (600_00, None)
    for statement in (
        "UPDATE campaign_answers SET limit_minor = 1",
        "DELETE FROM campaign_answers",
        "UPDATE campaign_rounds SET number = 9",
    ):
        with pytest.raises(DatabaseError), db_session.begin_nested():
            db_session.execute(text(statement))
    village.hamlet.check()


def test_what_is_no_answer(db_session: Session) -> None:
    village = Hamlets(db_session)
    one, *_ = village.assignments(village.drawn())
    for wrong in (
        {"limit": None},
        {"reputation": None},
        {"limit": Money(-1, "CNY")},
        {"knows": False},
    ):
        with pytest.raises(Invalid):
            village.say(one, 400_00, **wrong)
    with pytest.raises(CurrencyMismatch):
        village.say(one, 400_00, limit=Money(1, "USD"))
    village.say(one, 0)


def test_whoever_moves_in_judges_their_own_no_more(db_session: Session) -> None:
    village = Hamlets(db_session)
    campaign = village.drawn()
    village.answer(campaign, lambda who, home: 400_00)
    one, *_ = village.assignments(campaign)
    home = village.home_of(one.household_id)
    village.settle(home, one.reviewer_id)
    with pytest.raises(NowYourHousehold):
        village.say(one, 900_00)
    village.close(campaign)
    assert village.row(campaign, home).grounds["answers"] == 2
    village.hamlet.check()


def test_where_answers_lie_too_far_apart_others_are_asked(db_session: Session) -> None:
    """h0: 100, 400 and 900 in the first round; three others say 400: of six the middle is 400."""
    village = Hamlets(db_session, rules={"campaign_rounds_max": 2})
    campaign = village.drawn()
    first = {
        one.reviewer_id
        for one in village.assignments(campaign)
        if village.home_of(one.household_id) == "h0"
    }
    wide = dict(zip(sorted(first), (100_00, 400_00, 900_00), strict=True))

    def said(who: str, home: str) -> int:
        return wide[village.id(who)] if home == "h0" else 400_00

    village.answer(campaign, said)
    village.close(campaign)
    assert (campaign.status, campaign.round) == (CampaignStatus.REVIEWING, 2)
    second = village.assignments(campaign)
    assert {village.home_of(one.household_id) for one in second} == {"h0"}
    assert len(second) == 3
    assert not {one.reviewer_id for one in second} & first
    village.answer(campaign, lambda who, home: 400_00)
    village.close(campaign)
    assert campaign.status is CampaignStatus.CHECKING
    row = village.row(campaign, "h0")
    assert (row.grounds["answers"], row.grounds["centre_minor"]) == (6, 400_00)
    assert (row.verdict, row.amount_minor) == (Verdict.PROPOSED, 200_00)
    village.hamlet.check()


def test_where_there_are_no_others_nobody_is_asked_again(db_session: Session) -> None:
    """Four households, panels of three: everybody has looked already."""
    village = Hamlets(db_session, size=4, rules={"campaign_rounds_max": 2})
    campaign = village.drawn()
    figures = iter((100_00, 400_00, 900_00))
    village.answer(campaign, lambda who, home: next(figures) if home == "h0" else 400_00)
    village.close(campaign)
    assert (campaign.status, campaign.round) == (CampaignStatus.CHECKING, 1)
    row = village.row(campaign, "h0")
    assert (row.verdict, row.status) == (Verdict.TOO_FAR_APART, HouseholdStatus.WITHHELD)
    assert (row.proposed_minor, row.amount_minor) == (0, 0)


def flagged(session: Session, **rules: Any) -> tuple[Hamlets, Campaign, str]:
    """h1 says 2,000 of h0 where the others say 400; the panel has two others."""
    village = Hamlets(session, rules={"campaign_household_minor_max": 5_000_00, **rules})
    campaign = village.drawn()
    panel = [
        village.name_of(one.reviewer_id)
        for one in village.assignments(campaign)
        if village.home_of(one.household_id) == "h0"
    ]
    wild = panel[0]
    village.answer(campaign, lambda who, home: 2_000_00 if (who, home) == (wild, "h0") else 400_00)
    village.close(campaign)
    return village, campaign, wild


def test_a_finding_is_decided_before_publication(db_session: Session) -> None:
    village, campaign, wild = flagged(db_session)
    [finding] = village.findings(campaign)
    assert (finding.kind, finding.reviewers) == (FindingKind.OUTLIER, [village.id(wild)])
    assert finding.rule == "campaign_outlier_mads_bps"
    [answer] = finding.facts["answers"]
    assert (answer["limit_minor"], answer["middle_minor"]) == (2_000_00, 400_00)
    assert answer["deviation_bps"] == 40_000
    with pytest.raises(CampaignUnfinished) as caught:
        village.publish(campaign)
    assert caught.value.members["findings"] == [finding.public_id]
    # The middle does not follow it: 400 of 400, 400, 2,000.
    assert village.row(campaign, "h0").amount_minor == 200_00
    # Not by those whom it is about.
    with pytest.raises(OwnCampaignMatter):
        village.decide(finding, Decision.KEEP, actor_id=village.id(wild))
    with pytest.raises(Invalid):
        village.decide(finding, Decision.EXCLUDE, reviewer_ids=[village.hamlet.officer.id])
    village.decide(finding, Decision.EXCLUDE)
    row = village.row(campaign, "h0")
    assert (row.grounds["answers"], row.grounds["centre_minor"]) == (2, 400_00)
    with pytest.raises(FindingDecided):
        village.decide(finding, Decision.KEEP)
    village.publish(campaign)
    village.hamlet.check()


def test_who_is_left_out_may_leave_a_household_without_a_proposal(db_session: Session) -> None:
    village, campaign, _ = flagged(db_session, campaign_known_min=3)
    [finding] = village.findings(campaign)
    village.decide(finding, Decision.EXCLUDE)
    rows = village.rows(campaign)
    withheld = {home for home, row in rows.items() if row.status is HouseholdStatus.WITHHELD}
    assert "h0" in withheld
    assert len(withheld) == 3  # all on whose panel the excluded sat
    assert {rows[home].verdict for home in withheld} == {Verdict.TOO_FEW_KNOW}
    village.hamlet.check()


def test_a_kept_finding_changes_nothing(db_session: Session) -> None:
    village, campaign, _ = flagged(db_session)
    [finding] = village.findings(campaign)
    village.decide(finding, Decision.KEEP)
    assert village.row(campaign, "h0").grounds["answers"] == 3
    village.publish(campaign)
    village.hamlet.check()


def test_a_seeded_share_is_visited(db_session: Session) -> None:
    """A quarter of eight, rounded up: two. One gets less, one nothing."""
    village = Hamlets(db_session, rules={"campaign_recheck_bps": 2_500})
    campaign = village.reviewed()
    sampled = [row for row in village.rows(campaign).values() if row.is_sampled]
    other = next(row for row in village.rows(campaign).values() if not row.is_sampled)
    assert len(sampled) == 2
    with pytest.raises(CampaignUnfinished) as caught:
        village.publish(campaign)
    assert len(caught.value.members["households"]) == 2
    with pytest.raises(NothingToVisit):
        village.visit(other, VisitResult.CONFIRMED)
    with pytest.raises(Invalid):
        village.visit(sampled[0], VisitResult.CHANGED)
    with pytest.raises(Invalid):
        village.visit(sampled[0], VisitResult.CONFIRMED, 100_00)
    with pytest.raises(AmountAboveCap):
        village.visit(sampled[0], VisitResult.CHANGED, 1_000_01)
    with pytest.raises(OwnCampaignMatter):
        village.visit(sampled[0], VisitResult.CONFIRMED, actor_id=sampled[0].holder_id)
    village.visit(sampled[0], VisitResult.REFUSED)
    village.visit(sampled[0], VisitResult.CHANGED, 123_45)
    village.visit(sampled[1], VisitResult.REFUSED)
    village.publish(campaign)
    assert (sampled[0].status, sampled[0].amount_minor) == (HouseholdStatus.PROPOSED, 123_45)
    assert (sampled[1].status, sampled[1].amount_minor) == (HouseholdStatus.REFUSED, 0)
    village.hamlet.check()


def test_objections_are_raised_in_time_and_answered_by_somebody_else(db_session: Session) -> None:
    village = Hamlets(db_session)
    campaign = village.published()
    rows = village.rows(campaign)
    stop = village.object_to(rows["h0"], "h5")
    more = village.object_to(rows["h1"], "h1", "we have a second field")
    no = village.object_to(rows["h2"], "h3")
    with pytest.raises(ObjectionRaised):
        village.object_to(rows["h0"], "h5")
    village.hamlet.day += timedelta(days=7)
    last = village.object_to(rows["h3"], "h5")
    village.hamlet.day += timedelta(days=1)
    with pytest.raises(NotInPeriod):
        village.object_to(rows["h4"], "h5")
    with pytest.raises(CampaignUnfinished):
        village.run(campaign)
    with pytest.raises(OwnCampaignMatter):
        village.answer_objection(stop, ObjectionStatus.REJECTED, actor_id=village.id("h5"))
    with pytest.raises(OwnCampaignMatter):
        village.answer_objection(stop, ObjectionStatus.REJECTED, actor_id=village.id("h0"))
    with pytest.raises(AmountAboveCap):
        village.answer_objection(more, ObjectionStatus.CHANGED, 1_000_01)
    with pytest.raises(Invalid):
        village.answer_objection(more, ObjectionStatus.CHANGED)
    village.answer_objection(stop, ObjectionStatus.STOPPED)
    village.answer_objection(more, ObjectionStatus.CHANGED, 250_00)
    village.answer_objection(no, ObjectionStatus.REJECTED)
    village.answer_objection(last, ObjectionStatus.CHANGED, 1)
    with pytest.raises(ObjectionAnswered):
        village.answer_objection(stop, ObjectionStatus.REJECTED)
    village.run(campaign)
    amounts = {home: row.amount_minor for home, row in village.rows(campaign).items()}
    assert amounts == dict.fromkeys(village.names, 200_00) | {"h0": 0, "h1": 250_00, "h3": 1}
    assert statuses(village, campaign) == {"granted": 7, "refused": 1}
    village.hamlet.check()


def test_of_two_upheld_objections_the_one_answered_last_counts(db_session: Session) -> None:
    village = Hamlets(db_session)
    campaign = village.published()
    first = village.object_to(village.row(campaign, "h0"), "h1")
    second = village.object_to(village.row(campaign, "h0"), "h2")
    village.answer_objection(second, ObjectionStatus.STOPPED)
    village.answer_objection(first, ObjectionStatus.CHANGED, 50_00)
    row = village.row(campaign, "h0")
    assert (row.status, row.amount_minor) == (HouseholdStatus.PROPOSED, 50_00)
    village.hamlet.check()


def test_the_line_takes_all_sub_limits_or_nothing_is_published(db_session: Session) -> None:
    """Eight times 200.00 is 1,600.00; a line of 799.99 takes twice itself: 1,599.98."""
    village = Hamlets(db_session)
    line = line_of(village, 799_99)
    campaign = village.reviewed(line_id=line.id)
    with pytest.raises(LineDoesNotFit) as caught:
        village.publish(campaign)
    assert caught.value.members["total_minor"] == 1_600_00
    assert caught.value.members["most_minor"] == 1_599_98
    change = {"line_id": line.id, "reason": "more", **village.act}
    village.do(lines.change_limit, limit=yuan(800_00), **change)
    village.publish(campaign)
    objection = village.object_to(village.row(campaign, "h0"), "h0", "we need more")
    with pytest.raises(LineDoesNotFit):
        village.answer_objection(objection, ObjectionStatus.CHANGED, 200_01)


def test_grants_wait_for_the_last_day_of_the_period(db_session: Session) -> None:
    village = Hamlets(db_session)
    campaign = village.published()
    village.hamlet.day += timedelta(days=7)
    with pytest.raises(NotInPeriod):
        village.run(campaign)
    village.hamlet.day += timedelta(days=1)
    village.run(campaign)
    assert statuses(village, campaign) == {"granted": 8}


def test_what_hinders_a_grant_is_kept_and_the_others_go_on(db_session: Session) -> None:
    """The officer lives in h0; h1 has left; on an earlier, larger grant of h2 a loan rests."""
    village = Hamlets(db_session)
    hamlet = village.hamlet
    hamlet.fund(10_000_00)
    village.settle("h0", hamlet.officer.id)
    earlier = {"community_id": hamlet.community.id, "member_id": village.id("h2")}
    hamlet.do(
        granting.grant_assessment,
        **earlier,
        kind=granting.AssessmentKind.STANDING,
        amount=yuan(500_00),
        evidence="seen",
        expires_on=hamlet.day + timedelta(days=300),
        **village.act,
    )
    loan = hamlet.lend("h2", 300_00, 3)
    campaign = village.published()
    village.after_objections()
    place = {"community_id": hamlet.community.id, "member_id": village.id("h1")}
    hamlet.do(communities.leave_community, **place, reason="moved", **village.act)
    left = village.run(campaign)
    assert left.hindrances == {"campaign-own-matter": 1, "assessment-in-use": 1}
    assert campaign.status is CampaignStatus.GRANTING
    assert statuses(village, campaign) == {"granted": 5, "lapsed": 1, "proposed": 2}
    assert village.row(campaign, "h1").hindrance == "not-an-active-member"
    village.hamlet.check()
    # 200.00 of the loan is repaid: 100.00 rests on h2's standing. Another officer grants h0.
    hamlet.repay(loan, 200_00)
    left = village.run(campaign, actor_id=village.id("h7"))
    assert left.households == 0
    assert campaign.status is CampaignStatus.GRANTED
    assert statuses(village, campaign) == {"granted": 7, "lapsed": 1}
    village.hamlet.check()


def test_what_is_reserved_on_a_revoked_grant_stays_until_it_is_repaid(db_session: Session) -> None:
    """Law 2: a loan of 150.00 rests on 200.00 assessed; revoked, it covers that and nothing new."""
    village = Hamlets(db_session)
    hamlet = village.hamlet
    hamlet.fund(10_000_00)
    line = line_of(village)
    campaign = village.granted(line_id=line.id)
    loan = hamlet.lend("h0", 150_00, 3)
    hamlet.check()
    row = village.row(campaign, "h0")
    step: dict[str, Any] = {"row_id": row.id, "reason": "sold the field", **village.act}
    with pytest.raises(OwnCampaignMatter):
        village.do(granting.revoke, **step | {"actor_id": village.id("h0")})
    village.do(granting.revoke, **step)
    row = village.row(campaign, "h0")
    assert (row.status, row.revoked_reason) == (HouseholdStatus.REVOKED, "sold the field")
    standing = hamlet.standing("h0")
    assert (standing.reserved_minor, standing.assessed_minor) == (150_00, 200_00)
    assert standing.assessed_until_on == hamlet.day - timedelta(days=1)
    share = find_share(db_session, line_id=line.id, member_id=village.id("h0"))
    assert share is not None
    assert share.limit_minor == 0
    with pytest.raises(CreditLimitExceeded):
        hamlet.approve(hamlet.apply("h0", 1_00))
    with pytest.raises(GrantNotLive):
        village.do(granting.revoke, **step)
    hamlet.repay(loan, 150_00)
    days_of(hamlet, hamlet.day)
    db_session.expire_all()
    assert hamlet.standing("h0").assessed_minor == 0
    # What has nothing on it ends at once.
    village.do(granting.revoke, **step | {"row_id": village.row(campaign, "h1").id})
    assert hamlet.standing("h1").assessed_minor == 0
    hamlet.check()


def days_of(hamlet: Hamlet, on: Any) -> None:
    """The business day, worked through."""
    act: dict[str, Any] = {
        "worker": Worker("one", timedelta(minutes=5), lambda name: False),
        "now": hamlet.now,
    }
    while turn := hamlet.do(take_turn, community_id=hamlet.community.id, on=on, **act):
        while not hamlet.do(work_on, turn=turn, limit=3, keep_open=False, **act).is_finished:
            pass


def test_grants_expire_with_the_business_day(db_session: Session) -> None:
    """A month from 10 March: on 10 April they hold, on the 11th they have ended, sub-limits too.

    An officer has changed that of h1 since: it is theirs.
    """
    village = Hamlets(db_session, rules={"campaign_expiry_months": 1})
    hamlet = village.hamlet
    line = line_of(village)
    campaign = village.granted(line_id=line.id)
    change: dict[str, Any] = {"line_id": line.id, "reason": "more", **village.act}
    village.do(lines.change_sub_limit, member_id=village.id("h1"), limit=yuan(300_00), **change)
    hamlet.day = day("2026-04-10")
    days_of(hamlet, hamlet.day)
    assert statuses(village, campaign) == {"granted": 8}
    hamlet.day = day("2026-04-11")
    days_of(hamlet, hamlet.day)
    assert statuses(village, campaign) == {"expired": 8}
    db_session.expire_all()
    assert {hamlet.standing(name).assessed_minor for name in village.names} == {0}
    limits = {}
    for name in village.names:
        share = find_share(db_session, line_id=line.id, member_id=village.id(name))
        limits[name] = share.limit_minor if share else None
    assert limits == dict.fromkeys(village.names, 0) | {"h1": 300_00}
    hamlet.check()


def test_a_later_campaign_takes_the_place_of_an_earlier_one(db_session: Session) -> None:
    village = Hamlets(db_session)
    hamlet = village.hamlet
    line = line_of(village)
    first = village.granted(line_id=line.id)
    village.settle("h0", hamlet.person("wife").id)
    # Whose credit it is stays whose it is until that is revoked.
    with pytest.raises(NotAHolder):
        village.open(holder_ids=[village.id("wife")])
    second = village.granted(lambda who, home: 600_00, line_id=line.id)
    assert statuses(village, first) == {"expired": 8}
    assert statuses(village, second) == {"granted": 8}
    assert hamlet.standing("h0").assessed_minor == 300_00
    live = db_session.scalars(select(Assessment).where(Assessment.ended_at.is_(None))).all()
    assert {(paper.amount_minor, paper.expires_on) for paper in live} == {
        (300_00, day("2027-03-18"))
    }
    # The day on which the first would have ended takes nothing.
    hamlet.day = day("2027-03-12")
    days_of(hamlet, hamlet.day)
    assert statuses(village, second) == {"granted": 8}
    share = find_share(db_session, line_id=line.id, member_id=village.id("h0"))
    assert share is not None
    assert share.limit_minor == 300_00
    hamlet.check()


def test_steps_come_in_their_order(db_session: Session) -> None:
    village = Hamlets(db_session)
    campaign = village.open()
    step: dict[str, Any] = {"campaign_id": campaign.id, **village.act}
    for early in (service.close_round, deciding.publish, granting.begin_granting, granting.finish):
        with pytest.raises(CampaignStepNotAllowed):
            village.do(early, **step)
    village.do(service.draw_reviewers, **step)
    with pytest.raises(CampaignStepNotAllowed):
        village.do(service.draw_reviewers, **step)
    village.answer(campaign, lambda who, home: 400_00)
    village.close(campaign)
    with pytest.raises(CampaignStepNotAllowed):
        village.object_to(village.row(campaign, "h0"), "h1")
    village.publish(campaign)
    village.after_objections()
    village.run(campaign)
    for late in (service.close_round, deciding.publish, granting.begin_granting):
        with pytest.raises(CampaignStepNotAllowed) as caught:
            village.do(late, **step)
    assert caught.value.members["possible_in"] == ["granting", "published"]
    with pytest.raises(CampaignStepNotAllowed):
        village.do(granting.cancel, reason="no", **step)


CHEATS = [
    "UPDATE campaign_assignments SET household_id = reviewer_household_id",
    "UPDATE campaign_assignments SET reviewer_household_id = reviewer_household_id + 1",
    "UPDATE campaign_assignments SET limit_minor = -1",
    "UPDATE campaign_assignments SET limit_minor = NULL",
    "UPDATE campaign_assignments SET reputation = 6",
    "UPDATE campaign_households SET amount_minor = 0",
    "UPDATE campaign_households SET amount_minor = -1",
    "UPDATE campaign_households SET expires_on = NULL",
    "UPDATE campaign_households SET assessment_id = NULL",
    "UPDATE campaign_households SET revoked_on = '2026-03-10'",
    "UPDATE campaign_households SET status = 'withheld'",
    "UPDATE campaigns SET published_on = NULL",
    "UPDATE campaigns SET grants_until_on = NULL",
    "UPDATE campaigns SET status = 'open'",
]


def test_the_tables_hold_the_rules_by_themselves(db_session: Session) -> None:
    Hamlets(db_session, size=4).granted()
    for statement in CHEATS:
        with pytest.raises(DatabaseError), db_session.begin_nested():
            db_session.execute(text(statement))


_FIRST = "WHERE id = (SELECT min(id) FROM campaign_households)"


CHANGED_BY_HAND = [
    (f"UPDATE campaign_households SET amount_minor = 20001 {_FIRST}", "campaign_households"),
    (f"UPDATE campaign_households SET proposed_minor = 1 {_FIRST}", "campaign_households"),
    (f"UPDATE campaign_households SET verdict = NULL {_FIRST}", "campaign_households"),
    (f"UPDATE campaign_households SET is_sampled = true {_FIRST}", "campaign_households"),
    ("UPDATE campaigns SET seed = '8'", "campaign_rounds"),
    ("UPDATE campaigns SET round = 2", "campaigns"),
    (
        "UPDATE campaign_reviewers SET excluded_on = '2026-03-02', excluded_reason = 'x'",
        "campaign_households",
    ),
    ("UPDATE assessments SET amount_minor = 19999", "campaign_households"),
    (
        "INSERT INTO campaign_answers (assignment_id, campaign_id, round, reviewer_id,"
        " household_id, knows, debts, answered_at) SELECT id, campaign_id, round, reviewer_id,"
        " household_id, false, 'none', '2026-03-02' FROM campaign_assignments"
        " WHERE answered_at IS NULL LIMIT 1",
        "campaigns",
    ),
]


def test_the_verifier_finds_what_was_changed_by_hand(db_session: Session) -> None:
    village = Hamlets(db_session, size=5)
    campaign = village.drawn()
    for one in village.assignments(campaign)[:-1]:
        village.say(one, 400_00)
    village.close(campaign)
    village.publish(campaign)
    village.after_objections()
    village.run(campaign)
    village.hamlet.check()
    for statement, table in CHANGED_BY_HAND:
        changed = db_session.begin_nested()
        db_session.execute(text(statement))
        db_session.expire_all()
        found = {breach.table for breach in check_campaigns(db_session)}
        assert table in found, statement
        changed.rollback()
        db_session.expire_all()
    assert list(check_campaigns(db_session)) == []


def test_a_run_that_is_killed_is_run_again(engine: Engine) -> None:
    """SIGKILL at ten places of the run, one after another; in the end it is as if undisturbed.

    The first two die before anything is kept: it begins on the third day, 12 March, and that
    settles until when everything runs.
    """
    with session_factory(engine)() as session:
        village = Hamlets(session)
        line = line_of(village)
        campaign = village.published(line_id=line.id)
        village.after_objections()
        act = {"campaign_id": campaign.id, **village.act}
        first_day = village.hamlet.day
    engine.dispose()
    for number, kill_at in enumerate((4, 12, 30, 31, 32, 33, 45, 70, 71, 90)):
        # It is taken up on another day, too.
        later = {"on": first_day + timedelta(days=number)}
        assert run_and_die(engine, kill_at, act | later) == -signal.SIGKILL, kill_at
    with session_factory(engine)() as session:
        begun = Counter(session.scalars(select(CampaignHousehold.status)))
        assert set(begun) == {HouseholdStatus.GRANTED, HouseholdStatus.PROPOSED}, begun
        left = grant_all(session, **act | {"on": first_day + timedelta(days=20)})
        assert left.households == 0
        rows = session.scalars(select(CampaignHousehold)).all()
        assert {(row.status, row.amount_minor, row.expires_on) for row in rows} == {
            (HouseholdStatus.GRANTED, 200_00, day("2027-03-12"))
        }
        # Once each: no earlier grant was replaced, and every standing is one grant.
        assert session.scalar(select(func.count()).select_from(Assessment)) == 8
        assert set(session.scalars(select(Standing.assessed_minor))) == {200_00}
        assert verify(session).breaches == ()


def run_and_die(engine: Engine, kill_at: int, act: dict[str, Any]) -> int:
    """The run in a process of its own, killed before its statement of this number."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    own = make_engine(engine.url.render_as_string(hide_password=False), durable=False)
    reached = 0

    def count(*_: Any) -> None:
        nonlocal reached
        reached += 1
        if reached == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(own, "before_cursor_execute", count)
    with session_factory(own)() as session:
        grant_all(session, **act)
    os._exit(0)


def test_two_runs_at_once_grant_each_household_once(engine: Engine) -> None:
    with session_factory(engine)() as session:
        village = Hamlets(session)
        campaign = village.published()
        village.after_objections()
        act = village.act
        village.do(granting.begin_granting, campaign_id=campaign.id, **act)
        ids = [row.id for row in village.rows(campaign).values()]

    def job(row_id: int) -> Callable[[Session], Any]:
        return lambda session: granting.grant(session, row_id=row_id, **act).status

    answers = at_once(engine, [job(row_id) for row_id in ids * 2])
    assert set(answers) == {HouseholdStatus.GRANTED}, answers
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Assessment)) == 8
        assert verify(session).breaches == ()


def test_answers_that_meet_the_closing_are_frozen_or_refused(engine: Engine) -> None:
    with session_factory(engine)() as session:
        village = Hamlets(session)
        campaign = village.drawn()
        asked = [(one.id, one.reviewer_id) for one in village.assignments(campaign)]
        act, now = village.act, village.hamlet.now

    def job(one: int, who: int) -> Callable[[Session], Any]:
        said: dict[str, Any] = {"knows": True, "debts": "none", "reputation": 3}
        return lambda session: (
            service.answer(
                session, assignment_id=one, actor_id=who, now=now, limit=yuan(400_00), **said
            ).id
        )

    jobs = [job(one, who) for one, who in asked]
    jobs.insert(
        12, lambda session: service.close_round(session, campaign_id=campaign.id, **act).round
    )
    answers = at_once(engine, jobs)
    assert answers.pop(12) == 1
    refused = [one for one in answers if isinstance(one, Exception)]
    assert all(isinstance(one, RoundClosed) for one in refused), refused
    taken = {one for one in answers if isinstance(one, int)}
    with Session(engine) as session:
        frozen = set(session.scalars(select(CampaignAnswer.assignment_id)))
        assert frozen == taken
        assert verify(session).breaches == ()
