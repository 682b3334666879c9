"""A member's pages about their own data: nothing of it goes unsaid."""

import pytest

from app.pages.words import catalog
from app.permissions import PERMISSIONS
from app.personal.noting import _NOT_BY_OFFICE
from community.members.consents import purposes
from community.personal import erasure
from community.personal.asking import CONFIDENTIAL
from community.personal.models import ErasureState, ReaderRole
from community.personal.registry import ABOUT, Reason
from community.records.statement import RecordField, RecordPurpose
from tests.api.world import World

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)


def test_my_data_is_told_in_words_and_not_in_names_of_tables(world: World) -> None:
    """What is looked at, what goes, what stays and why, what is live, what may be consented to."""
    said = catalog("member")
    expected = {
        "looked": {
            action.partition(":")[0].replace("-", "_")
            for action, opening in PERMISSIONS.items()
            # Those by which nobody in office gets in leave no note.
            # Nor those of the routes that other tests add.
            if any(predicate not in _NOT_BY_OFFICE for predicate in opening)
            and action.partition(":")[0] not in ("probe", "secret")
        },
        "reader_role": set(ReaderRole),
        "goes": {name for name, place in ABOUT.items() if place.is_deleted or place.clears},
        "stays": set(Reason),
        "stays_why": set(Reason),
        "erasure_state": set(ErasureState),
        "consent_purpose": set(purposes()),
        "withdrawing": set(purposes()),
        "record_purpose": set(RecordPurpose),
        "record_field": set(RecordField),
    }
    for table, values in expected.items():
        there = {key.partition(".")[2] for key in said if key.startswith(f"{table}.")}
        assert there == values, table
    with world.app.app_context():
        live = set(erasure.live_questions(0))
    there = {key.partition(".")[2] for key in said if key.startswith("still_live.")}
    assert there == live - CONFIDENTIAL
