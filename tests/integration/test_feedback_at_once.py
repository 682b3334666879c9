"""People who speak up at the same moment: numbers without a gap, votes that count once."""

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.charter import ComplaintKind
from community.engine import session_factory
from community.errors import CommunityError
from community.feedback import complaints, items, ratings, themes
from community.feedback.models import (
    Complaint,
    FeedbackItem,
    ItemKind,
    Poll,
    PollChoice,
    Rating,
)
from community.locks import lock_where
from community.products import queries as products
from tests.feedback_life import FRIENDS, Speaking, speaking


@pytest.fixture
def hamlet(engine: Engine) -> Iterator[Speaking]:
    with session_factory(engine)() as session:
        place = speaking(session)
        yield place
        assert place.breaches() == []


WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def at_once(
    engine: Engine, *acts: Callable[[Session], object], held: Session | None = None
) -> list[str]:
    """Real threads with sessions of their own, let go together; what each was told."""
    gate = threading.Barrier(len(acts))
    told = ["nothing"] * len(acts)

    def run(place: int) -> None:
        with session_factory(engine)() as session:
            gate.wait()
            try:
                run_unit(session, acts[place])
                told[place] = "done"
            except CommunityError as refusal:
                told[place] = refusal.code

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    if engine.dialect.name == "postgresql" and held is not None:
        # All of them have read what they act on, or wait to read it, before anybody may write.
        with engine.connect() as watcher:
            while any(thread.is_alive() for thread in threads):
                waiting = watcher.execute(WAITING).scalar_one()
                watcher.rollback()
                if waiting == len(acts):
                    break
        held.commit()
    for thread in threads:
        thread.join(60)
    return sorted(told)


def test_what_meets_is_counted_once(engine: Engine, hamlet: Speaking) -> None:
    when, place = hamlet.when, hamlet.community.id
    people = {name: hamlet.id(name) for name in FRIENDS}
    theme = hamlet.theme()
    hamlet.put(theme)
    theme_id, product_id, day = theme.id, hamlet.product_id, hamlet.day
    hamlet.session.commit()

    def complain(name: str) -> Callable[[Session], object]:
        return lambda session: complaints.file(
            session,
            community_id=place,
            complainant_id=people[name],
            kind=ComplaintKind.SERVICE,
            title="x",
            text="x",
            against_id=None,
            **when,
        )

    def vote(name: str, choice: PollChoice) -> Callable[[Session], object]:
        return lambda session: themes.vote(
            session, theme_id=theme_id, member_id=people[name], choice=choice, on=day
        )

    def rate(name: str, stars: int) -> Callable[[Session], object]:
        return lambda session: ratings.rate(
            session,
            thing=products.version_on(session, product_id, day),
            member_id=people[name],
            stars=stars,
            on=day,
        )

    def say(text: str) -> Callable[[Session], object]:
        return lambda session: items.say(
            session,
            community_id=place,
            author_id=people["ada"],
            kind=ItemKind.SUGGESTION,
            text=text,
            thing=None,
            on=day,
        )

    assert at_once(engine, *map(complain, FRIENDS[:4])) == ["done"] * 4
    numbers = hamlet.session.scalars(select(Complaint.number).order_by(Complaint.number)).all()
    assert numbers == [1, 2, 3, 4]
    hamlet.session.commit()

    both = [vote(name, PollChoice.YES) for name in ("ada", "ada", "ben")]
    if engine.dialect.name == "postgresql":
        lock_where(hamlet.session, Poll, Poll.theme_id == theme_id)
    assert at_once(engine, *both, held=hamlet.session) == ["done", "done", "voted-already"]
    [poll] = hamlet.all_of(Poll)
    assert poll.yes_count == 2
    hamlet.session.commit()

    # The first ratings of a subject: who is first makes it, and nobody's is lost.
    assert at_once(engine, rate("ada", 5), rate("ben", 4), rate("ada", 3)) == ["done"] * 3
    rows = hamlet.session.execute(
        select(Rating.member_id, func.count()).group_by(Rating.member_id)
    ).all()
    assert dict(rows) == {people["ada"]: 2, people["ben"]: 1}
    hamlet.session.commit()

    # Two a day are admitted, whoever counts first.
    assert at_once(engine, say("1"), say("2"), say("3")) == ["done", "done", "feedback-exhausted"]
    said = FeedbackItem.kind == ItemKind.SUGGESTION
    assert hamlet.session.scalar(select(func.count()).where(said)) == 2
