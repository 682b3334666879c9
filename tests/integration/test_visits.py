"""Visits drawn, drawn again, answered, and their photos."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from community.communities.charter import Purpose
from community.errors import Invalid
from community.ledger.models import Event
from community.members import consents
from community.members import service as members
from community.members.errors import ConsentMissing, ConsentTextOld, PurposeNotFound
from community.monitoring import visits
from community.monitoring.errors import (
    PhotoRefused,
    PhotosExhausted,
    VisitDone,
    VisitsNotPossible,
)
from community.monitoring.models import Visit, VisitPhoto, VisitRound, VisitStatus
from community.monitoring.visits import Place
from community.personal.consents import withdraw
from tests.monitoring_life import Watched, watched

JPEG = b"\xff\xd8\xff\xe0%d\xff\xd9"
RIGHT = {"met": True, "planted": True, "healthy": False, "trouble": False}


@pytest.fixture
def hamlet(db_session: Session) -> Iterator[Watched]:
    place = watched(db_session, {"visit_photos_max": 2, "visit_photo_bytes_max": 10})
    for name in ("dou", "eva"):
        place.person(name)
    home = place.do(members.register_household, reference="hh-1", now=place.now)
    for name in ("dou", "eva"):
        place.do(
            members.move_to_household,
            member_id=place.people[name].id,
            household_id=home.id,
            now=place.now,
            actor_id=None,
        )
    place.circle = place.group("ada", "ben", "cai", "dou")
    yield place
    place.check_own()


def _draw(hamlet: Watched, seed: int = 7, **facts: Any) -> VisitRound:
    given = {"due_on": hamlet.day + timedelta(days=7), **facts}
    return hamlet.do(
        visits.draw_round,
        group_id=hamlet.circle.id,
        purpose=Purpose.CROP,
        seed=seed,
        actor_id=hamlet.people["ada"].id,
        **given,
        **hamlet.when,
    )


def _answer(hamlet: Watched, visit: Visit, **facts: Any) -> Visit:
    given = {"answers": RIGHT, "note": "", "place": None, "seen_at": None, **facts}
    return hamlet.do(
        visits.answer, visit_id=visit.id, actor_id=visit.visitor_id, **given, **hamlet.when
    )


def _photo(hamlet: Watched, visit: Visit, content: bytes, kind: str = "image/jpeg") -> VisitPhoto:
    return hamlet.do(
        visits.add_photo, visit_id=visit.id, content=content, media_type=kind, **hamlet.when
    )


def test_a_round_is_drawn_again_from_what_is_kept(hamlet: Watched) -> None:
    rounds = [_draw(hamlet), _draw(hamlet), _draw(hamlet, seed=8)]
    assert [row.number for row in rounds] == [1, 2, 3]
    found = [
        {v.visitor_id: v.visited_id for v in visits.visits_of(hamlet.session, row.id)}
        for row in rounds
    ]
    assert [visits.drawn_again(row) for row in rounds] == found
    # Nobody goes to whom they went the last time, by the same seed too.
    for before, after in pairwise(found):
        assert not before.items() & after.items()
    chained = hamlet.session.scalars(select(Event.facts).where(Event.kind == "visits.drawn"))
    assert [facts["seed"] for facts in chained] == ["7", "7", "8"]


def test_what_cannot_be_drawn_is_refused(hamlet: Watched) -> None:
    with pytest.raises(Invalid):
        _draw(hamlet, due_on=hamlet.day - timedelta(days=1))
    hamlet.person("fay")
    hamlet.circle = hamlet.group("eva", "fay")
    with pytest.raises(VisitsNotPossible):
        _draw(hamlet)
    assert hamlet.session.scalars(select(VisitRound)).all() == []


def test_a_visit_is_answered_once(hamlet: Watched) -> None:
    visit = visits.visits_of(hamlet.session, _draw(hamlet).id)[0]
    for wrong in (
        {"answers": {"met": True}},
        {"seen_at": hamlet.now + timedelta(minutes=1)},
    ):
        with pytest.raises(Invalid):
            _answer(hamlet, visit, **wrong)
    # Where the visited live is theirs to tell.
    with pytest.raises(ConsentMissing):
        _answer(hamlet, visit, place=Place(30_123_456, -120_000_000), seen_at=hamlet.now)
    own = {"member_id": visit.visited_id, "purpose": visits.VISIT_PLACE, "now": hamlet.now}
    with pytest.raises(ConsentTextOld):
        consents.give_consent(hamlet.session, **own, text_version="1999-1")
    with pytest.raises(PurposeNotFound):
        consents.give_consent(hamlet.session, **(own | {"purpose": "x"}), text_version="1")
    given = consents.give_consent(hamlet.session, **own, text_version="2026-1")
    assert consents.give_consent(hamlet.session, **own, text_version="2026-1") is given
    _answer(hamlet, visit, place=Place(30_123_456, -120_000_000), seen_at=hamlet.now)
    assert (visit.status, visit.latitude_micro) == (VisitStatus.DONE, 30_123_456)
    with pytest.raises(VisitDone):
        _answer(hamlet, visit)
    for broken in ({"latitude_micro": 90_000_001}, {"status": VisitStatus.ASSIGNED}):
        point = hamlet.session.begin_nested()
        with pytest.raises(DBAPIError):
            hamlet.session.execute(update(Visit).where(Visit.id == visit.id).values(**broken))
        point.rollback()
    # Taken back, what was noted by it goes.
    withdraw(hamlet.session, **own)
    hamlet.session.refresh(visit)
    assert (visit.status, visit.latitude_micro, visit.longitude_micro) == ("done", None, None)
    assert [one.withdrawn_at for one in consents.consents_of(hamlet.session, visit.visited_id)] == [
        hamlet.now
    ]


def test_photos_are_kept_once_within_the_charters_limits(hamlet: Watched) -> None:
    one, other, *_ = visits.visits_of(hamlet.session, _draw(hamlet).id)
    first = _photo(hamlet, one, JPEG % 1)
    assert first.sha256 == hashlib.sha256(JPEG % 1).hexdigest()
    assert _photo(hamlet, one, JPEG % 1).id == first.id
    for content, kind in (
        (JPEG % 1, "image/png"),
        (b"MZ program", "image/jpeg"),
        (JPEG % 12345, "image/jpeg"),
    ):
        with pytest.raises(PhotoRefused):
            _photo(hamlet, one, content, kind)
    _photo(hamlet, one, JPEG % 2)
    with pytest.raises(PhotosExhausted):
        _photo(hamlet, one, JPEG % 3)
    # The same picture at another visit is told.
    assert (first.seen_before, _photo(hamlet, other, JPEG % 1).seen_before) == (False, True)
    assert visits.get_photo(hamlet.session, visit_id=one.id, number=2).content == JPEG % 2
    point = hamlet.session.begin_nested()
    with pytest.raises(DBAPIError):
        hamlet.session.execute(update(VisitPhoto).values(sha256="0" * 64))
    point.rollback()
    hamlet.check()
