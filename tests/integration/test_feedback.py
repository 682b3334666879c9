"""What members say, from the first word to the message that tells them what became of it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities import service as community_service
from community.communities.charter import ComplaintKind
from community.errors import Invalid
from community.feedback import complaints, items, messages, queries, subjects, themes
from community.feedback.checks import check_feedback
from community.feedback.errors import (
    ComplaintClosed,
    FeedbackExhausted,
    FeedbackHidden,
    NotAccepted,
    NotAVoter,
    NotDecidedYet,
    NotTheComplaintOwner,
    PollNotOpen,
    PollNotPossible,
    ReopeningOver,
    SaidAlready,
    SubjectNotFound,
    ThemeNotOpen,
    VersionDoesNotNameIt,
    VotedAlready,
    VoteMissing,
)
from community.feedback.models import (
    Complaint,
    ComplaintOutcome,
    ComplaintRole,
    ComplaintStatus,
    Message,
    Placement,
    Poll,
    PollStatus,
    RatingRelease,
    ThemeStatus,
)
from community.feedback.voices import weigh_themes
from community.ledger.models import Event
from community.members import service as members
from community.members.errors import MemberNotFound
from community.members.principal import Role
from community.members.queries import live_grants
from tests.feedback_life import Speaking, speaking

# Nothing here is about locks or the database's kind.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True, scope="session")


@pytest.fixture
def hamlet(db_session: Session) -> Iterator[Speaking]:
    place = speaking(db_session)
    yield place
    assert place.breaches() == []


def carried(hamlet: Speaking, theme: themes.Theme) -> None:
    hamlet.put(theme)
    for name, choice in (("ada", "yes"), ("ben", "yes"), ("cai", "no")):
        hamlet.vote(theme, name, choice)
    assert hamlet.evening(days=3) == {"votes on themes counted": 1}


def test_from_asking_to_the_message_and_back(hamlet: Speaking) -> None:
    theme, near = hamlet.theme(), hamlet.theme("harvest first")
    first = hamlet.place(hamlet.suggest("ada", "收割后再还款"), theme)
    hamlet.place(hamlet.suggest("ada", "repay when the rice is sold"), theme)
    second = hamlet.place(hamlet.suggest("ben", "dues after harvest please"), near)
    said = hamlet.complain("cai", "I had to sell seed to pay in spring")
    hamlet.do(
        themes.place, item_id=said.item_id, theme=near, on=hamlet.day, actor_id=hamlet.officer.id
    )
    hamlet.do(themes.merge, theme_id=near.id, into=theme, actor_id=hamlet.officer.id, **hamlet.when)
    assert (near.status, near.merged_into_id) == (ThemeStatus.MERGED, theme.id)
    carried(hamlet, theme)
    hamlet.decide(theme)
    version = hamlet.publish(f"assembly of May, {theme.public_id}")
    hamlet.ship(theme, version)
    # Everybody who asked hears it once, however often they asked; nobody else does.
    asked = ["theme_accepted", "theme_shipped"]
    assert [hamlet.told(name) for name in ("ada", "ben", "dan")] == [asked, asked, []]
    assert hamlet.told("cai") == asked
    # Forward from an item.
    trail = queries.trail_of(hamlet.session, second, hamlet.day)
    places = [(row.theme_id, row.because.value) for row in trail.placements]
    assert places == [(near.id, "grouped"), (theme.id, "merged")]
    assert trail.theme is not None
    assert trail.theme.version == version
    assert [poll.status for poll in trail.theme.polls] == [PollStatus.CARRIED]
    assert [row.kind.value for row in trail.messages] == asked
    # And back from the version to who asked.
    [found] = themes.themes_shipped_in(hamlet.session, [version.id])
    assert {item.author_id for item in queries.items_in(hamlet.session, found.id)} == {
        hamlet.id(name) for name in ("ada", "ben", "cai")
    }
    assert trail.theme.weighed.raw == 3
    assert trail.theme.merged == (near,)
    assert first.theme_id == theme.id
    kinds = list(
        hamlet.session.scalars(
            select(Event.kind).where(Event.subject == theme.public_id).order_by(Event.id)
        )
    )
    assert kinds == [f"theme.{x}" for x in ("created", "put_to_vote", "counted")] + [
        "theme.accepted",
        "theme.shipped",
    ]
    hamlet.check()


def test_nothing_is_accepted_without_a_vote_nor_shipped_unnamed(hamlet: Speaking) -> None:
    theme = hamlet.theme()
    hamlet.place(hamlet.suggest("ada", "x y z"), theme)
    with pytest.raises(VoteMissing):
        hamlet.decide(theme)
    carried(hamlet, theme)
    with pytest.raises(NotAccepted):
        hamlet.ship(theme, hamlet.thing)
    hamlet.decide(theme)
    with pytest.raises(VersionDoesNotNameIt):  # from before the decision
        hamlet.ship(theme, hamlet.thing)
    with pytest.raises(VersionDoesNotNameIt):  # it names another one
        hamlet.ship(theme, hamlet.publish("thm_0000000000000000"))
    hamlet.day += timedelta(days=2)
    hamlet.ship(theme, hamlet.publish(theme.public_id))
    with pytest.raises(NotAccepted):
        hamlet.ship(theme, hamlet.thing)
    with pytest.raises(ThemeNotOpen):
        hamlet.place(hamlet.suggest("ben", "me too"), theme)


def test_declining_needs_a_reason_and_no_vote(hamlet: Speaking) -> None:
    theme = hamlet.theme()
    hamlet.place(hamlet.suggest("ada", "lend me all of it"), theme)
    hamlet.decide(theme, accepted=False)
    assert (theme.status, theme.poll_number) == (ThemeStatus.DECLINED, None)
    assert hamlet.told("ada") == ["theme_declined"]
    with pytest.raises(ThemeNotOpen):
        hamlet.decide(theme, accepted=False)


def test_a_vote_is_of_old_members_once_and_in_its_days(hamlet: Speaking) -> None:
    theme = hamlet.theme()
    for opens, days in ((0, 2), (0, 31), (-1, 5)):
        first = hamlet.day + timedelta(days=opens)
        with pytest.raises(PollNotPossible):
            hamlet.do(
                themes.put_to_vote,
                theme_id=theme.id,
                opens_on=first,
                closes_on=first + timedelta(days=days - 1),
                actor_id=hamlet.officer.id,
                **hamlet.when,
            )
    with pytest.raises(PollNotOpen):
        hamlet.vote(theme, "ada", "yes")
    hamlet.person("newcomer")
    hamlet.put(theme)
    [poll] = hamlet.all_of(Poll)
    assert poll.voters_count == 6  # five friends and the officer
    hamlet.vote(theme, "ada", "yes")
    with pytest.raises(VotedAlready):
        hamlet.vote(theme, "ada", "no")
    with pytest.raises(NotAVoter):
        hamlet.vote(theme, "newcomer", "yes")
    with pytest.raises(ThemeNotOpen):
        hamlet.decide(theme, accepted=False)
    hamlet.day += timedelta(days=2)
    hamlet.vote(theme, "ben", "abstain")
    assert hamlet.evening() == {}  # its last day
    hamlet.day += timedelta(days=1)
    with pytest.raises(PollNotOpen):
        hamlet.vote(theme, "cai", "yes")
    # Two of six voted, three were needed.
    assert hamlet.evening() == {"votes on themes counted": 1}
    assert (theme.status, hamlet.all_of(Poll)[0].status) == (ThemeStatus.OPEN, PollStatus.VOID)
    with pytest.raises(VoteMissing):
        hamlet.decide(theme)
    hamlet.put(theme)
    for name, choice in (("ada", "yes"), ("ben", "no"), ("cai", "abstain")):
        hamlet.vote(theme, name, choice)
    hamlet.day += timedelta(days=3)
    # Half of yes and no is not more than half; deciding counts what is over.
    with pytest.raises(VoteMissing):
        hamlet.decide(theme)
    hamlet.decide(theme, accepted=False)
    assert [poll.status.value for poll in hamlet.all_of(Poll)] == ["void", "rejected"]


def test_only_whom_it_concerns_says_what_they_think(hamlet: Speaking) -> None:
    hamlet.fund(1_000_00)
    hamlet.person("uma", stake=500_00)
    hamlet.vouch("uma", "ben", 200_00)
    loan = hamlet.apply("ben", 100_00)
    with pytest.raises(NotDecidedYet):
        hamlet.rate("ben", 3, loan)
    hamlet.approve(loan)
    assert hamlet.rate("ben", 5, loan).number == 1
    assert hamlet.rate("uma", 2, loan).number == 1
    for give in (lambda: hamlet.rate("ada", 1, loan), lambda: hamlet.suggest("ada", "x", loan)):
        with pytest.raises(SubjectNotFound):
            give()
    theme = hamlet.theme()
    with pytest.raises(NotDecidedYet):
        hamlet.suggest("ada", "x", theme)
    hamlet.decide(theme, accepted=False)
    assert hamlet.suggest("ada", "a pity", theme).subject_id is not None
    hamlet.do(
        community_service.suspend_membership,
        community_id=hamlet.community.id,
        member_id=hamlet.id("eve"),
        reason="away",
        actor_id=None,
        **hamlet.when,
    )
    with pytest.raises(SubjectNotFound):
        hamlet.rate("eve", 1)
    assert not subjects.concerns(hamlet.session, theme, hamlet.id("eve"))


def test_ratings_are_published_in_steps_and_never_of_few(hamlet: Speaking) -> None:
    hamlet.day += timedelta(days=(7 - hamlet.day.weekday()))  # a Monday
    for name, stars in (("ada", 5), ("ben", 4)):
        hamlet.rate(name, stars)
    assert hamlet.evening() == {}
    hamlet.rate("cai", 2)
    hamlet.day += timedelta(days=1)
    assert hamlet.evening() == {"ratings published": 1}
    # One more, and one who changes their mind: nobody could hide behind the other.
    hamlet.rate("dan", 2)
    hamlet.rate("ada", 1)
    assert hamlet.rate("ada", 1).number == 2
    assert hamlet.evening(days=7) == {}
    hamlet.rate("eve", 5)
    # A week has one mean.
    assert hamlet.evening(days=1) == {"ratings published": 1}
    for name, stars in (("ben", 1), ("cai", 5), ("dan", 3)):
        hamlet.rate(name, stars)
    assert hamlet.evening(days=1) == {}
    assert hamlet.evening(days=7) == {"ratings published": 1}
    shown = [(row.raters, row.half_stars) for row in hamlet.all_of(RatingRelease)]
    # 11 of 3; 1 + 4 + 2 + 2 + 5 of 5; 1 + 1 + 5 + 3 + 5 of 5.
    assert shown == [(3, 7), (5, 6), (5, 6)]
    hamlet.rate("ada", 2)
    hamlet.rate("ada", 3)
    hamlet.rate("ada", 4)
    with pytest.raises(FeedbackExhausted):
        hamlet.rate("ada", 5)
    with pytest.raises(Invalid):
        hamlet.rate("ada", 6)


def test_a_burst_of_newcomers_is_flagged_and_weighs_little(hamlet: Speaking) -> None:
    theme = hamlet.theme()
    hamlet.place(hamlet.suggest("ada", "dues after harvest"), theme)
    for name in ("x", "y", "z"):
        hamlet.person(name)
    hamlet.day += timedelta(days=10)
    for name, stars in (("x", 5), ("y", 5), ("z", 4), ("ada", 1)):
        hamlet.rate(name, stars)
        if name != "ada":
            hamlet.place(hamlet.suggest(name, "more money for " + name), theme)
    rules = communities.charter_on(hamlet.session, hamlet.community.id, hamlet.day).rules
    told = weigh_themes(hamlet.session, hamlet.community.id, [theme.id], rules)[theme.id]
    # Ada has been here for 120 days; three of ten days weigh a tenth each.
    assert (told.raw, told.hundredths, told.is_burst) == (4, 130, True)
    assert hamlet.evening() == {"ratings published": 1}
    assert [row.is_burst for row in hamlet.all_of(RatingRelease)] == [True]
    # A household has one full voice.
    home = hamlet.do(members.register_household, reference="h", now=hamlet.now)
    for name in ("ada", "ben"):
        hamlet.do(
            members.move_to_household,
            member_id=hamlet.id(name),
            household_id=home.id,
            now=hamlet.now,
            actor_id=None,
        )
    hamlet.place(hamlet.suggest("ben", "after harvest, yes"), theme)
    told = weigh_themes(hamlet.session, hamlet.community.id, [theme.id], rules)[theme.id]
    assert (told.raw, told.hundredths) == (5, 180)


def test_flooding_and_repeating_are_refused(hamlet: Speaking) -> None:
    hamlet.suggest("ada", "Lower the rate!")
    with pytest.raises(SaidAlready):
        hamlet.suggest("ada", "lower   THE rate")
    hamlet.suggest("ben", "lower the rate")  # another's words are another's
    hamlet.suggest("ada", "2")
    with pytest.raises(FeedbackExhausted):
        hamlet.suggest("ada", "3")
    hamlet.day += timedelta(days=1)
    hamlet.suggest("ada", "4")
    with pytest.raises(FeedbackExhausted):
        hamlet.suggest("ada", "5")  # three within a week
    hamlet.complain("ada", "a")  # what hurts has a limit of its own
    hamlet.complain("ada", "b")
    with pytest.raises(FeedbackExhausted):
        hamlet.complain("ada", "c")
    hamlet.day += timedelta(days=6)
    hamlet.suggest("ada", "5")


def test_hiding_leaves_the_text_and_takes_the_voice(hamlet: Speaking) -> None:
    theme = hamlet.theme()
    item = hamlet.place(hamlet.suggest("ada", "the leader is a thief"), theme)
    hide = {"item_id": item.id, "reason": "libel", "actor_id": hamlet.officer.id}
    hamlet.do(items.hide, **hide, **hamlet.when)
    with pytest.raises(FeedbackHidden):
        hamlet.do(items.hide, **hide, **hamlet.when)
    assert item.text == "the leader is a thief"
    rules = communities.charter_on(hamlet.session, hamlet.community.id, hamlet.day).rules
    told = weigh_themes(hamlet.session, hamlet.community.id, [theme.id], rules)[theme.id]
    assert told.raw == 0
    other = hamlet.suggest("ben", "the leader is a thief, too")
    assert items.find_alike(hamlet.session, other, hamlet.day) == []
    complaint = hamlet.complain("cai")
    with pytest.raises(Invalid):
        hamlet.do(items.hide, **hide | {"item_id": complaint.item_id}, **hamlet.when)


def test_alike_items_are_suggested_and_complaints_never(hamlet: Speaking) -> None:
    first = hamlet.suggest("ada", "利率太高，希望降低")
    second = hamlet.suggest("ben", "希望把贷款利率降低一点")
    hamlet.suggest("ben", "开会的地方太远")
    hamlet.complain("cai", "利率太高，希望降低")
    found = items.find_alike(hamlet.session, first, hamlet.day)
    assert [item.id for item, _ in found] == [second.id]


def test_a_complaint_is_never_owned_by_whom_it_is_against(hamlet: Speaking) -> None:
    assert hamlet.complain("ada", "1").owner_id == hamlet.officer.id
    against = hamlet.complain("ada", "2", against=hamlet.officer.id)
    assert (against.owner_id, against.owner_role) == (None, ComplaintRole.OPERATOR)
    assert hamlet.evening() == {}
    boss = hamlet.office("boss", Role.OPERATOR)
    # Whoever comes to hold the office has it from that evening on.
    assert hamlet.evening(days=1) == {"complaints handed over": 1}
    assert (against.owner_id, hamlet.told("boss")) == (boss, ["complaint_assigned"])
    second = hamlet.office("second")
    assert hamlet.complain("ben", "3", against=hamlet.officer.id).owner_id == second
    # An officer complains: somebody else answers. So for those of one household.
    hamlet.people["officer"] = hamlet.officer
    assert hamlet.complain("officer", "4").owner_id == second
    home = hamlet.do(members.register_household, reference="h", now=hamlet.now)
    for name in ("cai", "second"):
        hamlet.do(
            members.move_to_household,
            member_id=hamlet.id(name),
            household_id=home.id,
            now=hamlet.now,
            actor_id=None,
        )
    assert hamlet.complain("cai", "5").owner_id == hamlet.officer.id
    assert hamlet.complain("cai", "6", against=hamlet.officer.id).owner_id == boss
    with pytest.raises(Invalid):
        hamlet.complain("dan", "7", against=hamlet.id("dan"))
    with pytest.raises(MemberNotFound):
        hamlet.complain("dan", "8", against=999)
    assert [row.number for row in hamlet.all_of(Complaint)] == [1, 2, 3, 4, 5, 6]
    assert (
        hamlet.session.scalars(select(Event.actor_id).where(Event.kind == "complaint.filed")).all()
        == [None] * 6
    )


def test_a_missed_deadline_escalates_in_the_days_close(hamlet: Speaking) -> None:
    boss = hamlet.office("boss", Role.OPERATOR)
    complaint = hamlet.complain("ada")  # money: three days
    assert complaint.due_on == hamlet.day + timedelta(days=3)
    assert hamlet.evening(days=3) == {}
    assert hamlet.evening(days=1) == {"complaints escalated": 1}
    assert (complaint.owner_id, complaint.owner_role) == (boss, ComplaintRole.OPERATOR)
    assert complaint.due_on == hamlet.day + timedelta(days=3)
    assert hamlet.told("ada") == ["complaint_escalated"]
    assert hamlet.told("boss") == ["complaint_assigned"]
    assert hamlet.evening(days=4) == {}  # nobody is left to ask
    with pytest.raises(NotTheComplaintOwner):
        hamlet.do(
            complaints.reply,
            complaint_id=complaint.id,
            text="late",
            actor_id=hamlet.officer.id,
            **hamlet.when,
        )


def test_an_owner_who_leaves_office_hands_over(hamlet: Speaking) -> None:
    complaint = hamlet.complain("ada", kind=ComplaintKind.PRODUCT)
    second = hamlet.office("second")
    [grant] = live_grants(hamlet.session, hamlet.officer.id)
    hamlet.do(members.revoke_role, grant=grant, now=hamlet.now, actor_id=None)
    assert hamlet.evening(portion=1) == {"complaints handed over": 1}
    assert (complaint.owner_id, complaint.owner_role) == (second, ComplaintRole.OFFICER)


def test_replies_closing_and_reopening_within_bounds(hamlet: Speaking) -> None:
    second = hamlet.office("second")
    complaint = hamlet.complain("ada")
    by_owner = {
        "complaint_id": complaint.id,
        "actor_id": hamlet.officer.id,
        "text": "seen",
        **hamlet.when,
    }
    by_ada = by_owner | {"actor_id": hamlet.id("ada")}
    hamlet.do(complaints.reply, **by_owner)
    hamlet.do(complaints.reply, **by_ada)
    hamlet.do(complaints.reply, **by_ada)
    with pytest.raises(FeedbackExhausted):  # two a day; the owner may go on
        hamlet.do(complaints.reply, **by_ada)
    with pytest.raises(NotTheComplaintOwner):
        hamlet.do(complaints.reply, **by_owner | {"actor_id": hamlet.id("ben")})
    rejected = {"outcome": ComplaintOutcome.REJECTED}
    with pytest.raises(NotTheComplaintOwner):
        hamlet.do(complaints.close, **by_ada, **rejected)
    with pytest.raises(NotTheComplaintOwner):
        hamlet.do(complaints.close, **by_owner, outcome=ComplaintOutcome.WITHDRAWN)
    hamlet.do(complaints.close, **by_owner, **rejected)
    with pytest.raises(ComplaintClosed):
        hamlet.do(complaints.reply, **by_ada)
    hamlet.day += timedelta(days=31)
    late = by_ada | hamlet.when
    with pytest.raises(ReopeningOver):
        hamlet.do(complaints.reopen, **late)
    hamlet.day -= timedelta(days=1)
    again = by_ada | hamlet.when
    with pytest.raises(NotTheComplaintOwner):
        hamlet.do(complaints.reopen, **again | {"actor_id": hamlet.officer.id})
    hamlet.do(complaints.reopen, **again)
    # Somebody else looks at it, with new days.
    assert (complaint.status, complaint.owner_id) == (ComplaintStatus.OPEN, second)
    assert complaint.due_on == hamlet.day + timedelta(days=3)
    hamlet.do(complaints.close, **again, outcome=ComplaintOutcome.WITHDRAWN)
    with pytest.raises(ReopeningOver):
        hamlet.do(complaints.reopen, **again)
    steps = [step.kind.value for step in complaints.steps_of(hamlet.session, complaint.id)]
    assert steps == ["filed", *["replied"] * 3, "closed", "reopened", "closed"]
    assert hamlet.told("ada") == ["complaint_replied", "complaint_closed", "complaint_closed"]


CHEATS = {
    "up to no.": "UPDATE feedback_complaints SET number = 5",
    "is not what its steps say": "UPDATE feedback_complaints SET reopened_count = 1",
    "is not where its trail ends": "UPDATE feedback_items SET theme_id = NULL",
    "counts 4 votes of 3 voters": "UPDATE feedback_polls SET abstain_count = 1",
    "cannot have come out carried": "UPDATE feedback_polls SET quorum_bps = 10000",
    "was accepted without a vote": "UPDATE feedback_themes SET poll_number = 7",
    "does not name it": "UPDATE product_versions SET source = 'x'",
    "its author was not told": "DELETE FROM member_messages",
    "whom it does not concern": "UPDATE member_messages SET member_id = (SELECT max(id)"
    " FROM members) WHERE complaint_id IS NOT NULL",
}


def test_the_verifier_finds_what_was_changed_behind_its_back(db_session: Session) -> None:
    hamlet = speaking(db_session)
    theme = hamlet.theme()
    hamlet.place(hamlet.suggest("ada", "x"), theme)
    hamlet.complain("ben")
    carried(hamlet, theme)
    hamlet.decide(theme)
    hamlet.ship(theme, hamlet.publish(theme.public_id))
    hamlet.person("last")
    assert hamlet.breaches() == []
    for told, cheat in CHEATS.items():
        with db_session.begin_nested() as step:
            db_session.execute(text(cheat))
            db_session.expire_all()
            assert any(told in breach.what for breach in check_feedback(db_session)), told
            step.rollback()
    assert hamlet.breaches() == []


def test_the_verifier_finds_a_mean_of_too_few(db_session: Session) -> None:
    hamlet = speaking(db_session)
    for name, stars in (("ada", 5), ("ben", 4), ("cai", 1)):
        hamlet.rate(name, stars)
    assert hamlet.evening(days=1) == {"ratings published": 1}
    [release] = hamlet.all_of(RatingRelease)
    rating = hamlet.rate("dan", 3)
    db_session.add(
        RatingRelease(
            subject_id=release.subject_id,
            number=2,
            week_on=hamlet.day,
            through_id=rating.id,
            raters=5,
            half_stars=7,
            is_burst=False,
            charter_id=release.charter_id,
        )
    )
    db_session.flush()
    assert hamlet.breaches() == ["is not the mean of its ratings", "tells too much of too few"]


def test_a_message_is_marked_read_and_unread(hamlet: Speaking) -> None:
    theme = hamlet.theme()
    hamlet.place(hamlet.suggest("ada", "x"), theme)
    hamlet.decide(theme, accepted=False)
    [message] = hamlet.all_of(Message)
    first = messages.mark(message, is_read=True, now=hamlet.now).read_at
    hamlet.day += timedelta(days=1)
    assert messages.mark(message, is_read=True, now=hamlet.now).read_at == first
    assert messages.mark(message, is_read=False, now=hamlet.now).read_at is None
    assert hamlet.all_of(Placement)[0].theme_id == theme.id
