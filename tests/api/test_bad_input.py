"""Requests that are wrong in every way: each is refused by name, and leaves nothing behind.

The table is in `tests.api.wrong`: who sends what, and what comes back. `@name` in it stands for a
public id of `World.ids`. A POST gets an Idempotency-Key unless its headers say otherwise.
"""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.people import assert_problem
from tests.api.world import World
from tests.api.wrong import (
    amounts,
    campaigns,
    claims,
    feedback,
    grouplife,
    groups,
    ledger,
    lines,
    loans,
    monitoring,
    others,
    personal,
    places,
    profiles,
    receiving,
    records,
    risk,
    scoring,
    seasons,
    servicing,
    trust,
    web,
    webhooks,
)
from tests.api.wrong.shape import FRESH, Raw, Wrong

TABLE = [
    *web.TOKENS,
    *web.ADDRESSES,
    *web.BODIES,
    *web.KEYS,
    *web.VERSIONS,
    *web.LISTS,
    *others.OTHERS,
    *amounts.MONEY,
    *trust.SAVINGS,
    *trust.VOUCHES,
    *groups.GROUPS,
    *grouplife.GROUP_LIFE,
    *ledger.LEDGER,
    *lines.LINES,
    *campaigns.CAMPAIGNS,
    *loans.LOANS,
    *claims.CLAIMS,
    *loans.CALLS,
    *servicing.SERVICING,
    *loans.REPORTS,
    *receiving.RECEIVING,
    *profiles.PROFILES,
    *records.RECORDS,
    *places.COMMUNITIES,
    *places.MEMBERS,
    *places.PRODUCTS,
    *seasons.SEASONS,
    *monitoring.MONITORING,
    *feedback.FEEDBACK,
    *risk.RISK,
    *scoring.SCORING,
    *webhooks.WEBHOOKS,
    *personal.PERSONAL,
]


def test_every_wrong_request_has_a_name_of_its_own() -> None:
    assert len({wrong.name for wrong in TABLE}) == len(TABLE) >= 80


@pytest.mark.parametrize("wrong", TABLE, ids=lambda wrong: wrong.name)
def test_a_wrong_request_is_refused_by_name_and_leaves_no_row(world: World, wrong: Wrong) -> None:
    answer = send(world, wrong)
    status, problem = wrong.problem.split(" ")
    assert_problem(answer, int(status), problem)
    assert world.changed() == []


def test_a_right_request_leaves_rows(world: World) -> None:
    """The counterpart: without it a watch that sees nothing would pass everything above."""
    body = {"reference": "hh-watched"}
    assert world.call("officer", "POST", "/households", json=body).status_code == 201
    assert "households" in world.changed()


def send(world: World, wrong: Wrong) -> TestResponse:
    """The request of one line of the table."""
    method, path = wrong.request.split(" ", 1)
    headers = dict(wrong.headers)
    if method == "POST":
        headers.setdefault("Idempotency-Key", "a-key-of-this-request")
    if headers.get("If-Match") == FRESH:
        headers["If-Match"] = world.call(wrong.who, "GET", path).headers["ETag"]
    options: dict[str, Any] = {
        "headers": {name: value for name, value in headers.items() if value is not None}
    }
    if isinstance(wrong.body, Raw):
        text = wrong.body.text
        options |= {
            "data": world.named(text) if isinstance(text, str) else text,
            "content_type": wrong.body.media_type,
        }
    elif wrong.body is not None:
        options["json"] = world.named(wrong.body)
    return world.call(wrong.who, method, path, **options)
