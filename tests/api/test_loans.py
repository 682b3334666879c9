"""Loans through HTTP: from the quote to paying out, and who may see what."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from app.extensions import db
from community.groups.models import GroupMember, GroupMemberStatus
from community.ledger.models import JournalEntry
from community.loans.models import Loan
from community.members.principal import Role
from tests.api.lending import Hamlet, make_hamlet
from tests.api.people import Person, assert_problem
from tests.lending import NOW, TODAY, Village


@pytest.fixture
def hamlet(app: Flask) -> Hamlet:
    return make_hamlet(app)


def cny(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


def application(hamlet: Hamlet, **changes: Any) -> dict[str, Any]:
    return {
        "community": hamlet.village,
        "product": hamlet.monthly,
        "principal": cny("1000.00"),
        "instalments": 3,
        "purpose": "a pump",
    } | changes


def apply(hamlet: Hamlet, who: Person | None = None, **changes: Any) -> str:
    answer = (who or hamlet.borrower).post("/api/v1/loans", application(hamlet, **changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def approve(hamlet: Hamlet, loan: str, fund: int = 1_000_00) -> None:
    """Approved behind the API: reserving cover is for the room above."""

    def work(world: Village) -> None:
        row = world.session.scalars(select(Loan).where(Loan.public_id == loan)).one()
        world.approve(row)
        if fund:
            world.fund(fund)

    hamlet.run(work)


def group_of(hamlet: Hamlet) -> tuple[str, list[Person]]:
    """An active group whose first two members have tokens; the borrower leads it."""

    def work(world: Village) -> str:
        group, _ = world.active_group(3)
        for person in (hamlet.borrower, hamlet.friend):
            world.session.add(
                GroupMember(
                    group_id=group.id,
                    community_id=world.village.id,
                    member_id=person.member_id,
                    status=GroupMemberStatus.SIGNED,
                    understood_at=NOW,
                    signed_at=NOW,
                    invited_by_id=person.member_id,
                    invited_at=NOW,
                )
            )
        group.leader_id = hamlet.borrower.member_id
        return group.public_id

    return hamlet.run(work), [hamlet.borrower, hamlet.friend]


def group_application(hamlet: Hamlet, people: list[Person], **changes: Any) -> dict[str, Any]:
    return {
        "product": hamlet.monthly,
        "total": cny("800.00"),
        "shares": [
            {"member": people[0].public_id, "amount": cny("500.00")},
            {"member": people[1].public_id, "amount": cny("300.00")},
        ],
        "instalments": 3,
        "purpose": "seedlings",
    } | changes


# Quotes


def test_a_quote_shows_schedule_rate_and_cost(hamlet: Hamlet) -> None:
    path = f"/api/v1/communities/{hamlet.village}/quote"
    answer = hamlet.borrower.get(path, product=hamlet.monthly, amount="1000", instalments=3)
    assert answer.status_code == 200, answer.text
    body = answer.json
    assert (body["total"], body["interest"]) == (cny("1016.04"), cny("16.04"))
    assert [row["due_on"] for row in body["schedule"]] == ["2027-04-25", "2027-05-25", "2027-06-25"]
    assert 96_000 < body["effective_yearly_rate_ppm"] <= body["rate_cap_ppm"] == 120_000
    assert body["rate_cap_basis"] == "4 x one-year LPR at the contract date"


def test_a_seasonal_quote_has_nothing_due_before_the_crop_is_sold(hamlet: Hamlet) -> None:
    path = f"/api/v1/communities/{hamlet.village}/quote"
    answer = hamlet.borrower.get(
        path, product=hamlet.seasonal, amount="5000.00", season=hamlet.rice
    )
    assert [(r["due_on"], r["principal"]["amount"]) for r in answer.json["schedule"]] == [
        ("2027-10-15", "3000.00"),
        ("2027-12-01", "2000.00"),
    ]


QUOTES_REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"amount": "99.99"}, 422, "principal-out-of-range"),
    ({"amount": "-1"}, 422, "principal-out-of-range"),
    ({"amount": "1e3"}, 422, "invalid"),
    ({"amount": "9" * 16}, 422, "amount-out-of-range"),
    ({"instalments": "2"}, 422, "instalments-out-of-range"),
    ({"instalments": "x"}, 422, "validation"),
    ({"product": "prd_0000000000000000"}, 404, "product-not-found"),
    ({"product": "mem_0000000000000000"}, 422, "validation"),
    ({"season": "sea_0000000000000000"}, 404, "season-not-found"),
    ({"on": "2027-01-01"}, 409, "product-not-in-force"),
    ({"on": "yesterday"}, 422, "validation"),
]


def test_a_quote_that_cannot_be_is_refused(hamlet: Hamlet) -> None:
    for change, status, code in QUOTES_REFUSED:
        query = {"product": hamlet.monthly, "amount": "1000.00", "instalments": "3"} | change
        answer = hamlet.borrower.get(f"/api/v1/communities/{hamlet.village}/quote", **query)
        assert_problem(answer, status, code)


def test_quotes_are_for_members(hamlet: Hamlet, person: Callable[..., Person]) -> None:
    path = f"/api/v1/communities/{hamlet.village}/quote"
    query = {"product": hamlet.monthly, "amount": "1000.00", "instalments": "3"}
    assert_problem(person("Stranger").get(path, **query), 404, "not-found")


# From application to paying out


def test_a_loan_goes_out_in_parts_straight_to_payees(hamlet: Hamlet) -> None:
    loan = apply(hamlet)
    assert hamlet.friend.post(f"/api/v1/loans/{loan}/endorsements", {}).status_code == 201
    approve(hamlet, loan)
    mill, shop = (
        hamlet.borrower.post(
            f"/api/v1/loans/{loan}/uses",
            {"purpose": "stock", "payee_name": name, "payee": who, "amount": cny("500.00")},
        ).get_json()["id"]
        for name, who in (("the mill", None), ("Zhao Jun's shop", hamlet.friend.public_id))
    )
    path = f"/api/v1/loans/{loan}/disbursement"

    def parts(first: str, second: str) -> dict[str, Any]:
        amounts = ((mill, first), (shop, second))
        return {"payees": [{"use": use, "amount": cny(amount)} for use, amount in amounts]}

    refused = hamlet.officer.post(path, parts("500.01", "100.00"))
    assert assert_problem(refused, 422, "payee-refused")["left_minor"] == 500_00
    dollars = {"payees": [{"use": mill, "amount": {"amount": "1.00", "currency": "USD"}}]}
    assert_problem(hamlet.officer.post(path, dollars), 422, "currency-mismatch")
    key = uuid.uuid4().hex
    paid = hamlet.officer.post(path, parts("500.00", "150.00"), key=key)
    assert paid.status_code == 201, paid.text
    assert paid.json["outstanding"] == cny("1000.00")
    [tranche] = paid.json["disbursements"]
    assert (tranche["amount"], tranche["to_borrower"]) == (cny("1000.00"), cny("350.00"))
    told = [(one["payee_name"], one["amount"], one["purpose"]) for one in tranche["payees"]]
    assert told == [
        ("the mill", cny("500.00"), "stock"),
        ("Zhao Jun's shop", cny("150.00"), "stock"),
    ]
    assert [one["payee"] for one in tranche["payees"]] == [
        None,
        {"id": hamlet.friend.public_id, "name": "Zhao Jun"},
    ]
    # The receipt of each names the entry of the book.
    [entry] = {(one["entry"]["number"], one["entry"]["hash"]) for one in tranche["payees"]}
    entries = hamlet.officer.get(f"/api/v1/communities/{hamlet.village}/entries").get_json()
    [booked] = [one for one in entries["items"] if one["kind"] == "loan.paid_to_payees"]
    assert (booked["number"], booked["hash"]) == entry
    again = hamlet.officer.post(path, parts("500.00", "150.00"), key=key)
    assert again.json == paid.json
    assert_problem(hamlet.officer.post(path, {}, key=key), 409, "idempotency-mismatch")
    # The borrower's statement and the uses say it too, the payee's statement nothing.
    place = f"/api/v1/communities/{hamlet.village}/members"
    days = {"from": TODAY.isoformat(), "to": TODAY.isoformat()}
    mine = hamlet.borrower.get(f"{place}/{hamlet.borrower.public_id}/statement", **days)
    [line] = [one for one in mine.get_json()["items"] if one["kind"] == "loan.paid_to_payees"]
    assert line["amount"] == cny("1000.00")
    assert line["payees"] == [
        {"payee_name": "the mill", "amount": cny("500.00")},
        {"payee_name": "Zhao Jun's shop", "amount": cny("150.00")},
    ]
    theirs = hamlet.friend.get(f"{place}/{hamlet.friend.public_id}/statement", **days)
    assert "loan.paid_to_payees" not in theirs.text
    uses = hamlet.borrower.get(f"/api/v1/loans/{loan}/uses").get_json()["items"]
    assert [one["paid_straight"] for one in uses] == [cny("500.00"), cny("150.00")]


def test_a_loan_from_application_to_payment(hamlet: Hamlet) -> None:
    loan = apply(hamlet)
    word = hamlet.friend.post(f"/api/v1/loans/{loan}/endorsements", {"comment": "They pay."})
    assert word.status_code == 201, word.text
    assert word.json["loan_status"] == "endorsed"
    assert word.json["by"]["name"] == "Zhao Jun"
    early = hamlet.officer.post(f"/api/v1/loans/{loan}/disbursement")
    body = assert_problem(early, 409, "loan-step-not-allowed")
    assert body["allowed"] == ["approved", "expired", "rejected", "withdrawn"]
    approve(hamlet, loan)
    key = uuid.uuid4().hex
    paid = hamlet.officer.post(f"/api/v1/loans/{loan}/disbursement", key=key)
    assert paid.status_code == 201, paid.text
    assert (paid.json["status"], paid.json["outstanding"]) == ("current", cny("1000.00"))
    assert [row["total"]["amount"] for row in paid.json["schedule"]] == [
        "338.68",
        "338.68",
        "338.68",
    ]
    again = hamlet.officer.post(f"/api/v1/loans/{loan}/disbursement", key=key)
    assert again.json == paid.json
    assert again.headers["Idempotency-Replayed"] == "true"
    answer = hamlet.officer.post(f"/api/v1/loans/{loan}/disbursement")
    assert_problem(answer, 409, "loan-step-not-allowed")
    seen = hamlet.borrower.get(f"/api/v1/loans/{loan}").json
    assert seen["owed"] == {
        "on": TODAY.isoformat(),
        "principal": cny("1000.00"),
        "interest": cny("16.04"),
        "fee": cny("0.00"),
        "penalty": cny("0.00"),
        "total": cny("1016.04"),
        "due": cny("0.00"),
        "overdue": cny("0.00"),
        "overdue_since_on": None,
        "days_overdue": 0,
    }
    assert [step["to_status"] for step in seen["steps"]] == [
        "draft",
        "submitted",
        "endorsed",
        "approved",
        "current",
    ]
    assert seen["product_version"] == {"product": hamlet.monthly, "version": 1}
    assert seen["terms"]["yearly_rate_ppm"] == 96_000


def test_a_short_pool_pays_nothing(hamlet: Hamlet, app: Flask) -> None:
    loan = apply(hamlet)
    hamlet.friend.post(f"/api/v1/loans/{loan}/endorsements", {})
    approve(hamlet, loan, fund=0)
    answer = hamlet.officer.post(f"/api/v1/loans/{loan}/disbursement")
    assert assert_problem(answer, 409, "insufficient-funds")["account"] == "lending_cash"
    assert hamlet.borrower.get(f"/api/v1/loans/{loan}").json["status"] == "approved"
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(JournalEntry)) == 0


def test_a_seasonal_application_shows_its_frozen_season(hamlet: Hamlet) -> None:
    loan = apply(hamlet, product=hamlet.seasonal, instalments=None, season=hamlet.rice)
    body = hamlet.borrower.get(f"/api/v1/loans/{loan}").json
    assert body["season"]["harvest_from"] == "2027-09-20"
    assert body["instalments"] == 2
    assert body["schedule"] == []


def test_the_borrower_withdraws_and_the_officer_rejects(hamlet: Hamlet) -> None:
    one, two = apply(hamlet), apply(hamlet)
    gone = hamlet.borrower.post(f"/api/v1/loans/{one}/withdrawal", {"reason": "found money"})
    assert (gone.status_code, gone.json["status"]) == (200, "withdrawn")
    refused = hamlet.officer.post(f"/api/v1/loans/{two}/rejection", {"reason": "too early"})
    assert (refused.status_code, refused.json["status"]) == (200, "rejected")
    assert refused.json["steps"][-1]["reason"] == "too early"
    assert_problem(hamlet.borrower.post(f"/api/v1/loans/{one}/withdrawal", {}), 409, "wrong-state")
    answer = hamlet.officer.post(f"/api/v1/loans/{two}/rejection", {})
    assert_problem(answer, 422, "validation")


APPLICATIONS_REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"principal": cny("99.99")}, 422, "principal-out-of-range"),
    ({"principal": cny("-5")}, 422, "validation"),
    ({"principal": {"amount": 1000, "currency": "CNY"}}, 422, "validation"),
    ({"principal": {"amount": "1000", "currency": "USD"}}, 422, "currency-mismatch"),
    ({"principal": {"amount": "1000", "currency": "XXX"}}, 422, "validation"),
    ({"instalments": None}, 422, "instalments-out-of-range"),
    ({"instalments": 10**9}, 422, "validation"),
    ({"season": "sea_0000000000000000"}, 404, "season-not-found"),
    ({"community": "com_0000000000000000"}, 404, "community-not-found"),
    ({"product": "prd_0000000000000000"}, 404, "product-not-found"),
    ({"purpose": ""}, 422, "validation"),
    ({"borrower": "mem_0000000000000000"}, 404, "member-not-found"),
]


def test_an_application_that_cannot_be_is_refused_and_leaves_nothing(
    hamlet: Hamlet, app: Flask
) -> None:
    for change, status, code in APPLICATIONS_REFUSED:
        answer = hamlet.borrower.post("/api/v1/loans", application(hamlet, **change))
        assert_problem(answer, status, code)
        with app.app_context():
            assert db.session.scalar(select(func.count()).select_from(Loan)) == 0


def test_only_members_of_the_community_borrow(
    hamlet: Hamlet, person: Callable[..., Person]
) -> None:
    stranger = person("Stranger")
    answer = stranger.post("/api/v1/loans", application(hamlet))
    assert_problem(answer, 409, "not-an-active-member")


# Who may


def test_an_officer_applies_for_a_member_but_a_neighbour_does_not(hamlet: Hamlet) -> None:
    named = {"borrower": hamlet.borrower.public_id}
    loan = apply(hamlet, hamlet.officer, **named)
    assert hamlet.borrower.get(f"/api/v1/loans/{loan}").json["borrower"]["name"] == "Wang Fang"
    answer = hamlet.friend.post("/api/v1/loans", application(hamlet, **named))
    assert_problem(answer, 403, "not-allowed")


def test_a_loan_is_seen_by_those_whom_it_concerns(
    hamlet: Hamlet, person: Callable[..., Person]
) -> None:
    loan = apply(hamlet)
    path = f"/api/v1/loans/{loan}"
    auditor = person("Auditor", roles=[(Role.AUDITOR, None)])
    elsewhere = person("Officer elsewhere", roles=[(Role.OFFICER, None)])
    assert elsewhere.get(path).status_code == 200  # platform-wide is everywhere
    for reader in (hamlet.borrower, hamlet.officer, auditor):
        assert reader.get(path).status_code == 200
    assert_problem(hamlet.friend.get(path), 404, "not-found")
    assert_problem(person("Stranger").get(path), 404, "not-found")
    hamlet.friend.post(f"{path}/endorsements", {})
    assert hamlet.friend.get(path).status_code == 200  # they gave their word for it
    unknown = hamlet.officer.get("/api/v1/loans/lon_0000000000000000")
    assert_problem(unknown, 404, "loan-not-found")


@pytest.mark.parametrize(
    "step, body", [("rejection", {"reason": "x"}), ("disbursement", None), ("withdrawal", {})]
)
def test_steps_are_for_those_who_may_take_them(
    hamlet: Hamlet, person: Callable[..., Person], step: str, body: dict[str, str] | None
) -> None:
    path = f"/api/v1/loans/{apply(hamlet)}/{step}"
    assert_problem(hamlet.friend.post(path, body), 404, "not-found")
    auditor = person("Auditor", roles=[(Role.AUDITOR, None)])
    assert_problem(auditor.post(path, body), 403, "not-allowed")
    if step != "withdrawal":
        assert_problem(hamlet.borrower.post(path, body), 403, "not-allowed")


def test_endorsers_are_active_members_of_the_community(
    hamlet: Hamlet, person: Callable[..., Person]
) -> None:
    path = f"/api/v1/loans/{apply(hamlet)}/endorsements"
    assert_problem(person("Stranger").post(path, {}), 404, "not-found")
    assert_problem(hamlet.borrower.post(path, {}), 403, "endorser-not-eligible")
    assert hamlet.friend.post(path, {}).status_code == 201
    assert_problem(hamlet.friend.post(path, {}), 409, "already-endorsed")


# Lists


def test_loans_are_listed_page_by_page(hamlet: Hamlet) -> None:
    loans = [apply(hamlet) for _ in range(3)]
    hamlet.borrower.post(f"/api/v1/loans/{loans[1]}/withdrawal", {})
    first = hamlet.borrower.get("/api/v1/me/loans", limit=2).json
    rest = hamlet.borrower.get("/api/v1/me/loans", limit=2, cursor=first["next_cursor"]).json
    assert [item["id"] for item in first["items"] + rest["items"]] == loans[::-1]
    assert rest["next_cursor"] is None
    assert hamlet.friend.get("/api/v1/me/loans").json["items"] == []
    path = f"/api/v1/communities/{hamlet.village}/loans"
    listed = hamlet.officer.get(path, status="withdrawn").json["items"]
    assert [item["id"] for item in listed] == [loans[1]]
    assert_problem(hamlet.borrower.get(path), 404, "not-found")
    assert_problem(hamlet.officer.get(path, status="late"), 422, "validation")


def test_a_list_costs_the_same_whatever_its_length(hamlet: Hamlet, app: Flask) -> None:
    path = f"/api/v1/communities/{hamlet.village}/loans"

    def statements() -> int:
        count = 0

        def note(*_: Any) -> None:
            nonlocal count
            count += 1

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        hamlet.officer.get(path)
        event.remove(engine, "before_cursor_execute", note)
        return count

    apply(hamlet)
    alone = statements()
    for _ in range(5):
        apply(hamlet)
    apply(hamlet, hamlet.friend)
    assert statements() == alone


# Groups


def test_a_group_loan_from_application_to_payment(hamlet: Hamlet) -> None:
    group, people = group_of(hamlet)
    made = hamlet.borrower.post(f"/api/v1/groups/{group}/loans", group_application(hamlet, people))
    assert made.status_code == 201, made.text
    assert made.json["total"] == cny("800.00")
    total = made.json["id"]
    shares = [share["id"] for share in made.json["shares"]]
    endorser = hamlet.joined("Endorser")
    words = endorser.post(f"/api/v1/group-loans/{total}/endorsements", {"comment": "Good."})
    assert [word["loan_status"] for word in words.json["items"]] == ["endorsed", "endorsed"]
    answer = hamlet.officer.post(f"/api/v1/loans/{shares[0]}/disbursement")
    assert_problem(answer, 409, "decided-together")
    approve(hamlet, shares[0], fund=0)
    answer = hamlet.officer.post(f"/api/v1/group-loans/{total}/disbursement")
    assert_problem(answer, 409, "loan-step-not-allowed")
    approve(hamlet, shares[1], fund=800_00)
    paid = hamlet.officer.post(f"/api/v1/group-loans/{total}/disbursement")
    assert paid.status_code == 201, paid.text
    assert [share["status"] for share in paid.json["shares"]] == ["current", "current"]
    # Peers see each other's shares.
    assert hamlet.friend.get(f"/api/v1/loans/{shares[0]}").status_code == 200
    assert hamlet.friend.get(f"/api/v1/group-loans/{total}").json == paid.json
    listed = hamlet.friend.get(f"/api/v1/groups/{group}/loans").json["items"]
    assert [item["id"] for item in listed] == [total]


def test_a_group_application_ends_for_all_shares(hamlet: Hamlet) -> None:
    group, people = group_of(hamlet)
    path = f"/api/v1/groups/{group}/loans"
    one, two = (
        hamlet.borrower.post(path, group_application(hamlet, people)).json["id"] for _ in range(2)
    )
    gone = hamlet.borrower.post(f"/api/v1/group-loans/{one}/withdrawal", {})
    assert {share["status"] for share in gone.json["shares"]} == {"withdrawn"}
    refused = hamlet.officer.post(f"/api/v1/group-loans/{two}/rejection", {"reason": "late"})
    assert {share["status"] for share in refused.json["shares"]} == {"rejected"}


def test_group_loans_are_for_the_group(hamlet: Hamlet, person: Callable[..., Person]) -> None:
    group, people = group_of(hamlet)
    path = f"/api/v1/groups/{group}/loans"
    body = group_application(hamlet, people)
    assert_problem(hamlet.friend.post(path, body), 403, "not-allowed")
    assert_problem(person("Stranger").post(path, body), 404, "not-found")
    total = hamlet.borrower.post(path, body).json["id"]
    neighbour = hamlet.joined("Neighbour")
    assert_problem(neighbour.get(f"/api/v1/group-loans/{total}"), 404, "not-found")
    assert_problem(neighbour.get(path), 404, "not-found")
    answer = hamlet.friend.post(f"/api/v1/group-loans/{total}/disbursement")
    assert_problem(answer, 403, "not-allowed")


def test_shares_that_are_not_right_are_refused(hamlet: Hamlet, app: Flask) -> None:
    group, people = group_of(hamlet)
    outsider = hamlet.joined("Outsider")
    mine = {"member": people[0].public_id, "amount": cny("500.00")}
    for change, status, code in (
        ({"total": cny("800.01")}, 422, "shares-do-not-add-up"),
        ({"shares": []}, 422, "validation"),
        ({"shares": [mine, mine], "total": cny("1000.00")}, 422, "validation"),
        ({"total": {"amount": "800.00", "currency": "USD"}}, 422, "validation"),
        (
            {
                "shares": [{"member": outsider.public_id, "amount": cny("800.00")}],
            },
            409,
            "not-a-signed-member",
        ),
        ({"shares": [mine | {"amount": cny("0.01")}], "total": cny("0.01")}, 422, None),
    ):
        answer = hamlet.borrower.post(
            f"/api/v1/groups/{group}/loans", group_application(hamlet, people, **change)
        )
        assert_problem(answer, status, code or "principal-out-of-range")
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Loan)) == 0
