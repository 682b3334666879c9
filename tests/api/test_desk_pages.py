"""The cash desk: loans paid out, repayments and savings taken, once each, as the API does it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.world import World, make_world
from tests.reading import Reader, check_html

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)

VILLAGE = "/office/@village"
SPACE = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def own_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that these tests change, each something else of it."""
    with make_world(template_url, tmp_path_factory.mktemp("desk")) as own:
        yield own


def reader(world: World, who: str, language: str = "en") -> Reader:
    return Reader(world.app, language).sign_in(world.tokens[who])


def loan_of(world: World, name: str) -> Any:
    return world.call("operator", "GET", f"/loans/@{name}").get_json()


def test_a_loan_is_paid_out_once_part_of_it_straight_to_its_payee(own_world: World) -> None:
    asked = {
        "purpose": "stock",
        "payee_name": "the seed shop",
        "amount": {"amount": "20.00", "currency": "CNY"},
    }
    made = own_world.call("officer", "POST", "/loans/@approved/uses", json=asked)
    assert made.status_code == 201, made.text
    officer = reader(own_world, "officer")
    path = own_world.named(f"{VILLAGE}/loans/@approved")
    shown = officer.open(path)
    check_html(shown, "en")
    assert f'<p class="figure">CNY{SPACE}30.00</p>' in shown.text
    assert "the seed shop · stock" in shown.text
    # More than the use says is refused, told at the payees, and what was typed stays.
    much = officer.send(f"{path}/payout", shown=path, payee_0="25")
    assert much.status_code == 422
    check_html(much, "en")
    assert 'href="#f-payees"' in much.text
    assert 'name="payee_0" type="text" value="25"' in much.text
    wrong = officer.send(f"{path}/payout", shown=path, payee_0="all")
    assert wrong.status_code == 422
    assert '<a href="#f-payee_0">the seed shop</a>' in wrong.text
    assert loan_of(own_world, "approved")["status"] == "approved"
    # Sent twice by an impatient finger it goes out once.
    fields = hidden_of(officer, path) | {"payee_0": "15.00"}
    for _ in range(2):
        done = officer.client.post(f"{path}/payout", data=fields, headers=officer.headers)
        assert done.status_code == 303, done.text
    after = loan_of(own_world, "approved")
    assert after["status"] == "current"
    [out] = after["disbursements"]
    assert out["to_borrower"]["amount"] == "15.00"
    assert [(part["payee_name"], part["amount"]["amount"]) for part in out["payees"]] == [
        ("the seed shop", "15.00")
    ]
    page = officer.open(done.location)
    check_html(page, "en")
    assert "Paid out; the schedule begins today" in page.text
    assert f"CNY{SPACE}15.00 paid straight" in page.text
    assert "/payout" not in page.text
    late = officer.send(f"{path}/payout", shown=own_world.named(f"{VILLAGE}/charter/new"))
    assert late.status_code in (409, 422)


def hidden_of(person: Reader, path: str) -> dict[str, str]:
    """The proof and the key that a page's forms carry."""
    return dict(
        re.findall(r'type="hidden" name="(form_\w+)" value="([^"]*)"', person.open(path).text)
    )
