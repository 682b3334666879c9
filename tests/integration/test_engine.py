"""What every session can rely on, on both databases and without the web."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from community.engine import STATEMENT_TIMEOUT, WRITE_LOCK, session_factory
from community.members.models import Household, Member, MemberKind

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def households(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Household)) or 0


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_commits_is_gone_afterwards(db_session: Session, turn: int) -> None:
    assert households(db_session) == 0
    db_session.add(Household(reference="H 1", created_at=NOW))
    db_session.commit()
    db_session.rollback()
    assert households(db_session) == 1


def test_a_reference_to_nothing_is_refused(db_session: Session) -> None:
    db_session.add(
        Member(kind=MemberKind.PERSON, name="Wang Fang", household_id=999_999, created_at=NOW)
    )
    with pytest.raises(IntegrityError) as caught:
        db_session.flush()
    # Failed statements go to the log: without the values.
    assert "Wang Fang" not in str(caught.value)


def test_rows_stay_readable_after_the_commit(engine: Engine) -> None:
    with session_factory(engine)() as session:
        household = Household(reference="H 1", created_at=NOW)
        session.add(household)
        session.commit()
        session.close()
        assert household.reference == "H 1"


def test_a_reader_sees_the_last_commit_while_a_writer_is_under_way(engine: Engine) -> None:
    make = session_factory(engine)
    with make() as writer, make() as reader:
        writer.connection(execution_options={WRITE_LOCK: True})
        writer.add(Household(reference="H 1", created_at=NOW))
        writer.flush()
        assert households(reader) == 0
        reader.rollback()
        writer.commit()
        assert households(reader) == 1


def test_a_transaction_can_ask_for_more_time_per_statement(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        return  # SQLite has no such limit
    with session_factory(engine)() as session:
        assert session.execute(func.current_setting("statement_timeout")).scalar() == "15s"
        session.rollback()
        session.connection(execution_options={STATEMENT_TIMEOUT: 0})
        assert session.execute(func.current_setting("statement_timeout")).scalar() == "0"
        session.rollback()
        session.close()
        assert session.execute(func.current_setting("statement_timeout")).scalar() == "15s"
