"""Reading the books over the API: officers and auditors only, every leg and hash."""

from collections.abc import Callable

from flask import Flask

from app.clock import now, today
from app.extensions import db
from app.transaction import run_unit
from community.communities import service as communities
from community.communities.models import CommunityKind
from community.credit import service as credit
from community.ledger.service import reverse
from community.members.principal import Role
from community.money import Money
from tests.api.people import Person, assert_problem


def test_entries_and_balances(app: Flask, person: Callable[..., Person]) -> None:
    public_id, community_id = _a_book(app)
    officer = person("officer", roles=[(Role.OFFICER, community_id)])
    page = officer.get(f"/api/v1/communities/{public_id}/entries").get_json()
    newest, first = page["items"]
    assert newest["reverses"] == first["number"]
    assert newest["kind"] == f"{first['kind']}.reversed"
    assert {leg["account"]: leg["amount"]["amount"] for leg in first["legs"]} == {
        "lending_cash": "70.00",
        "lender_funds": "-70.00",
    }
    book = officer.get(f"/api/v1/communities/{public_id}/balances").get_json()
    assert {item["account"]: item["amount"]["amount"] for item in book["balances"]} == {
        "lending_cash": "0.00",
        "lender_funds": "0.00",
    }
    assert book["records"] >= 2


def test_the_books_are_hidden_from_members_and_strangers(
    app: Flask, person: Callable[..., Person]
) -> None:
    public_id, _ = _a_book(app)
    for path in ("entries", "balances"):
        answer = person("nobody").get(f"/api/v1/communities/{public_id}/{path}")
        assert_problem(answer, 404, "not-found")
        auditor = person("auditor", roles=[(Role.AUDITOR, None)])
        assert auditor.get(f"/api/v1/communities/{public_id}/{path}").status_code == 200


def _a_book(app: Flask) -> tuple[str, int]:
    with app.app_context():

        def work(session):  # type: ignore[no-untyped-def]
            community = communities.create_community(
                session,
                kind=CommunityKind.REGION,
                name="Stone Bridge",
                reference="stone-bridge",
                currency="CNY",
                now=now(),
                actor_id=None,
            )
            credit.fund_lending_pool(
                session,
                community_id=community.id,
                amount=Money(7_000, "CNY"),
                reference="first money",
                on=today(),
                now=now(),
                actor_id=None,
            )
            reverse(session, entry_id=1, on=today(), now=now())
            return community.public_id, community.id

        answer: tuple[str, int] = run_unit(db.session(), work)
        return answer
