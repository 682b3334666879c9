"""Law 6, route by route: whatever moves money is sent twice at the same time and happens once."""

import threading
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from tests.api.world import World, make_world

FIVE = {"amount": {"amount": "5.00", "currency": "CNY"}}
TWO = {"amount": {"amount": "2.00", "currency": "CNY"}}
TWELVE = {"amount": {"amount": "12.00", "currency": "CNY"}}
WHY = {"reason": "it was an error"}
MORE = {"amount": {"amount": "900.00", "currency": "CNY"}, "reference": "much more"}
KEY = {"Idempotency-Key": "much-more-money"}
HERE = "/communities/@village"
WANG = f"{HERE}/members/@wang"

CURRENT = {"loan": "@current", **FIVE}
STATEMENT = "reference,booked_on,amount\nonce-1,2026-04-01,5.00\n"
SHEET = "sheet,collected_on,kind,member,loan,amount\nonce,2026-04-13,repayment,@wang,@current,5\n"

# A file or a JSON object.
Body = str | dict[str, object] | None

# In this order: what is approved is paid out after.
MOVES: list[tuple[str, str, Body]] = [
    ("officer", f"{WANG}/savings/deposits", FIVE | {"reference": "slip 9"}),
    ("officer", f"{WANG}/savings/withdrawals", FIVE),
    ("officer", f"{WANG}/holds", TWO | {"expires_on": "2027-01-01", "reason": "seed"}),
    ("officer", "/holds/@hold/posting", {}),
    ("officer", "/holds/@other_hold/void", {"reason": "not needed"}),
    ("wang", f"{WANG}/stake-locks", TWO),
    ("zhao", f"{HERE}/members/@zhao/stake-releases", TWO),
    ("wang", "/credit-lines/@line/reserve/contributions", TWO),
    ("operator", f"{HERE}/lending-pool/deposits", FIVE | {"reference": "more"}),
    ("operator", f"{HERE}/reserve-fund/deposits", FIVE | {"reference": "more"}),
    ("officer", "/loans/@endorsed/approval", None),
    ("officer", "/loans/@endorsed/disbursement", None),
    ("officer", "/loans/@endorsed/repayments", FIVE),
    ("officer", "/calls/@call/payments", FIVE),
    ("li", "/claims/@claim/settlements", FIVE),
    ("li", "/claim-settlements/@said/confirmation", None),
    ("officer", "/claim-settlements/@agreed/reversal", WHY),
    ("li", "/claims/@claim/waiver", TWO | WHY),
    ("officer", "/receipts/@receipt/reversal", WHY),
    ("officer", "/loans/@current/charges", FIVE | WHY | {"kind": "fee"}),
    ("officer", "/charges/@charge/waiver", WHY),
    ("officer", "/loans/@settling/payoff", TWELVE),
    ("officer", "/loans/@sown/disbursements", None),
    ("officer", "/group-loans/@group_loan/approval", None),
    ("officer", "/group-loans/@group_loan/disbursement", None),
    ("wang", "/groups/@active/collections", {"lines": [CURRENT]}),
    ("wang", "/groups/@active/collections/csv", SHEET),
    ("wang", "/collections/@draft/posting", None),
    ("officer", f"{HERE}/bank-statements", STATEMENT),
    ("officer", "/bank-lines/@unmatched/application", {"loan": "@current"}),
    ("officer", "/bank-lines/@unmatched_too/deposit", {"member": "@wang"}),
    ("officer", "/bank-lines/@unmatched_still/return", {"reason": "not ours"}),
]
# Entries that one of these writes: the group loan pays out each share, a call notes its claim, and
# money leaves suspense before it goes on.
TWO_ENTRIES = ("/calls/@call/payments", "/group-loans/@group_loan/disbursement")
# A fee due at once is paid first: it moves what the last receipt paid.
TWO_ENTRIES += ("/loans/@current/charges",)
TWO_ENTRIES += ("/bank-lines/@unmatched/application", "/bank-lines/@unmatched_too/deposit")


@pytest.fixture(scope="module")
def changing_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of this module's own: here things happen."""
    with make_world(template_url, tmp_path_factory.mktemp("once")) as made:
        yield made


def test_every_route_that_moves_money_is_tried_here(changing_world: World) -> None:
    app = changing_world.app
    moving = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions[rule.endpoint], "_money_moving", False)
    }
    adapter = app.url_map.bind("localhost")
    tried = {
        adapter.match("/api/v1" + changing_world.named(path), method="POST")[0]
        for _, path, _ in MOVES
    }
    assert tried == moving


def test_what_is_sent_twice_at_once_happens_once(changing_world: World) -> None:
    world = changing_world
    # A stake to let go of, so that every kind of movement has something to move.
    _once(world, "officer", f"{HERE}/members/@zhao/savings/deposits", FIVE)
    _once(world, "zhao", f"{HERE}/members/@zhao/stake-locks", FIVE)
    world.call("operator", "POST", f"{HERE}/lending-pool/deposits", json=MORE, headers=KEY)
    word = world.call("li", "POST", "/group-loans/@group_loan/endorsements", json={})
    assert word.status_code == 201, word.text
    for who, path, body in MOVES:
        entries = _entries(world)
        first, second = _twice_at_once(world, who, path, body)
        assert first.status_code == 201, (path, first.text)
        assert second.status_code == 201, (path, second.text)
        assert first.get_json() == second.get_json()
        replayed = [a.headers.get("Idempotency-Replayed") == "true" for a in (first, second)]
        assert sorted(replayed) == [False, True], path
        grown = _entries(world) - entries
        # An approval or a hold books nothing.
        nothing = path.endswith(("approval", "holds", "void"))
        expected = 0 if nothing else 2 if path in TWO_ENTRIES else 1
        assert grown == expected, path


def _twice_at_once(world: World, who: str, path: str, body: Body) -> list[TestResponse]:
    gate = threading.Barrier(2)
    answers: list[TestResponse] = []

    def send() -> None:
        gate.wait()
        answers.append(_once(world, who, path, body, key="twice" + path.replace("/", ".")[-60:]))

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _once(world: World, who: str, path: str, body: Body, key: str = "") -> TestResponse:
    key = (key or "once" + path.replace("/", ".")[-60:]).replace("@", "~")
    how: dict[str, object] = {"json": world.named(body)}
    if isinstance(body, str):
        how = {"data": world.named(body), "content_type": "text/csv"}
    return world.call(who, "POST", path, headers={"Idempotency-Key": key}, **how)


def _entries(world: World) -> int:
    """How many journal entries the village's book has."""
    answer = world.call("inspector", "GET", f"{HERE}/entries?limit=1")
    assert answer.status_code == 200, answer.text
    total, cursor = 0, ""
    while cursor is not None:
        query = f"&cursor={cursor}" if cursor else ""
        page = world.call("inspector", "GET", f"{HERE}/entries?limit=100{query}").get_json()
        total += len(page["items"])
        cursor = page["next_cursor"]
    return total
