"""The access log's pen: after every answer, what somebody in office was let look at is noted.

Whoever is let in by an office and neither owns the thing nor is concerned by it leaves a note with
its owners. It is one insert on a connection of its own, once the answer is made: if it cannot be
written at once, the answer goes out all the same, and the loss is counted and logged.
"""

import logging

from flask import Flask, current_app, g, request
from prometheus_client import Counter
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool
from werkzeug import Response

from app.clock import now
from app.extensions import db
from app.permissions import PERMISSIONS, Facts, is_anybody, is_fellow, is_owner, is_related
from community.engine import WRITE_LOCK
from community.members.principal import Principal, Role
from community.personal.access import Look, hour_of, note
from community.personal.models import ReaderRole

logger = logging.getLogger(__name__)

lost = Counter("lianbao_access_notes_lost_total", "Readings that could not be noted")

# A reader waits no longer than this for the database's writer.
WAIT_MS = 200
_REMEMBERED_MAX = 20_000
_NOT_BY_OFFICE = (is_anybody, is_owner, is_related, is_fellow)


class Remembered:
    """What this process has noted in this hour already: it need not ask again."""

    def __init__(self) -> None:
        self.hour: object = None
        self.looks: set[Look] = set()


def init_app(app: Flask) -> None:
    """Note what is looked at."""
    app.extensions["noted_looks"] = Remembered()
    app.after_request(_note)


def _note(response: Response) -> Response:
    principal = g.get("principal")
    seen: list[tuple[str, Facts]] = g.pop("looked_at", [])
    if not seen or principal is None or request.method != "GET" or response.status_code >= 400:
        return response
    looks = {
        Look(owner_id, principal.member_id, role, action)
        for action, facts in seen
        for role in [_office(principal, action, facts)]
        if role is not None
        for owner_id in facts.owner_ids - {principal.member_id}
    }
    known: Remembered = current_app.extensions["noted_looks"]
    hour = hour_of(now())
    if known.hour != hour or len(known.looks) > _REMEMBERED_MAX:
        known.hour, known.looks = hour, set()
    fresh = looks - known.looks
    if fresh and not isinstance(db.engine.pool, StaticPool):
        try:
            _write(fresh)
        except SQLAlchemyError as fault:
            lost.inc(len(fresh))
            logger.warning("%s readings were not noted: %s", len(fresh), type(fault).__name__)
        else:
            known.looks |= fresh
    return response


def _write(looks: set[Look]) -> None:
    # The answer is made: what was read for it is let go, so that no connection waits for another.
    db.session.rollback()
    with db.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        before = _patience(connection, WAIT_MS) if is_sqlite else 0
        try:
            with connection.execution_options(**{WRITE_LOCK: True}).begin():
                if not is_sqlite:
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {WAIT_MS}")
                note(connection, looks, now=now())
        finally:
            if is_sqlite:
                _patience(connection, before)


def _patience(connection: Connection, wait_ms: int) -> int:
    """How long SQLite waits for its writer; returns what it was. Asked outside of a transaction."""
    driver = connection.connection.driver_connection
    assert driver is not None
    [before] = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute(f"PRAGMA busy_timeout = {int(wait_ms)}")
    return int(before)


def _office(principal: Principal, action: str, facts: Facts) -> ReaderRole | None:
    """By which office somebody was let in; None if it is their own or concerns them."""
    opening = [predicate for predicate in PERMISSIONS[action] if predicate(principal, facts)]
    if not opening or any(predicate in _NOT_BY_OFFICE for predicate in opening):
        return None
    if principal.holds(Role.OFFICER, path=facts.path):
        return ReaderRole.OFFICER
    if principal.holds(Role.OPERATOR):
        return ReaderRole.OPERATOR
    if principal.holds(Role.AUDITOR, path=facts.path):
        return ReaderRole.AUDITOR
    return ReaderRole.LEADER if principal.member_id in facts.leader_ids else ReaderRole.OFFICER
