"""Vouches, standings, stakes and assessments over HTTP."""

from typing import Any

import pytest
from flask import Flask

from community.members.principal import Role
from tests.api.people import Person, assert_problem, register
from tests.api.trust_village import Hamlet, make_hamlet, money
from tests.lending import NOW
from tests.trust_life import YEAR_LATER


@pytest.fixture
def hamlet(app: Flask) -> Hamlet:
    app.extensions["clock"].fixed = NOW
    return make_hamlet(app)


def offer(hamlet: Hamlet, giver: Person, other: Person, amount: str, side: str = "voucher") -> Any:
    return giver.post(
        f"/api/v1/communities/{hamlet.community_id}/vouches",
        {
            "side": side,
            "other": other.public_id,
            "limit": money(amount),
            "expires_on": YEAR_LATER.isoformat(),
        },
    )


def test_an_offer_becomes_a_promise_by_the_other_sides_yes(hamlet: Hamlet) -> None:
    ana, ben = hamlet.join("Ana"), hamlet.join("Ben")
    offered = offer(hamlet, ana, ben, "500.00")
    assert offered.status_code == 201
    body = offered.get_json()
    assert (body["status"], body["voucher"]["name"], body["borrower"]["name"]) == (
        "offered",
        "Ana",
        "Ben",
    )
    path = f"/api/v1/vouches/{body['id']}"
    assert_problem(ana.post(path + "/acceptance"), 403, "not-your-side")
    accepted = ben.post(path + "/acceptance")
    assert (accepted.status_code, accepted.get_json()["status"]) == (200, "live")
    assert accepted.get_json()["room"] == money("500.00")
    assert_problem(ben.post(path + "/acceptance"), 409, "vouch-not-open")
    assert_problem(ben.post(path + "/refusal"), 409, "vouch-not-open")


def test_offers_are_refused_and_taken_back(hamlet: Hamlet) -> None:
    ana, ben = hamlet.join("Ana"), hamlet.join("Ben")
    first = offer(hamlet, ana, ben, "5.00").get_json()["id"]
    assert_problem(offer(hamlet, ana, ben, "6.00"), 409, "vouch-offer-exists")
    assert_problem(ben.post(f"/api/v1/vouches/{first}/withdrawal"), 403, "not-your-side")
    assert ana.post(f"/api/v1/vouches/{first}/withdrawal").get_json()["status"] == "withdrawn"
    second = offer(hamlet, ben, ana, "7.00", side="borrower").get_json()["id"]
    assert ana.post(f"/api/v1/vouches/{second}/refusal").get_json()["status"] == "declined"


def test_lowering_needs_the_version_that_was_read(hamlet: Hamlet) -> None:
    ana, ben = hamlet.join("Ana", 500_00), hamlet.join("Ben")
    path = f"/api/v1/vouches/{hamlet.vouch(ana, ben, 500_00)}"
    seen = ana.get(path).headers["ETag"]
    lower = {"limit": money("300.00")}
    assert_problem(ana.patch(path, lower), 428, "precondition-required")
    assert_problem(ana.patch(path, lower, etag='"77"'), 412, "precondition-failed")
    assert_problem(ben.patch(path, lower, etag=seen), 403, "not-your-side")
    lowered = ana.patch(path, lower, etag=seen)
    assert lowered.get_json()["limit"] == money("300.00")
    now_seen = lowered.headers["ETag"]
    assert now_seen != seen
    assert_problem(ana.patch(path, lower, etag=now_seen), 409, "vouch-only-lowers")
    loan = hamlet.applied(ben, 200_00)
    assert hamlet.officer.post(f"/api/v1/loans/{loan}/approval").status_code == 201
    latest = ana.get(path).headers["ETag"]
    refused = ana.patch(path, {"limit": money("199.99")}, etag=latest)
    assert assert_problem(refused, 409, "vouch-in-use")["least"] == "200.00"
    revoked = ana.post(path + "/revocation").get_json()
    assert (revoked["status"], revoked["reserved"], revoked["limit"]) == (
        "revoked",
        money("200.00"),
        money("200.00"),
    )


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"limit": money("20000.01")}, 422, "vouch-too-large"),
        ({"limit": money("1.00", "USD")}, 422, "currency-mismatch"),
        ({"limit": money("0.00")}, 422, "validation"),
        ({"limit": money("-1.00")}, 422, "validation"),
        ({"limit": 100}, 422, "validation"),
        ({"expires_on": "2027-03-25"}, 422, "expiry-out-of-range"),
        ({"expires_on": "2099-01-01"}, 422, "expiry-out-of-range"),
        ({"expires_on": "tomorrow"}, 422, "validation"),
        ({"side": "both"}, 422, "validation"),
        ({"other": "mem_0000000000000000"}, 404, "member-not-found"),
        ({"other": "vch_0000000000000000"}, 422, "validation"),
        ({"surprise": 1}, 422, "validation"),
    ],
)
def test_wrong_offers_are_refused_by_their_reason(
    hamlet: Hamlet, change: dict[str, Any], status: int, code: str
) -> None:
    ana, ben = hamlet.join("Ana"), hamlet.join("Ben")
    body = {
        "side": "voucher",
        "other": ben.public_id,
        "limit": money("10.00"),
        "expires_on": YEAR_LATER.isoformat(),
    }
    path = f"/api/v1/communities/{hamlet.community_id}/vouches"
    assert_problem(ana.post(path, body | change), status, code)
    assert ana.get(hamlet.at(ana, "vouches")).get_json()["items"] == []


def test_nobody_vouches_for_themself_or_for_outsiders(hamlet: Hamlet) -> None:
    ana = hamlet.join("Ana")
    stranger = register(hamlet.app, "Stranger")
    assert_problem(offer(hamlet, ana, ana, "1.00"), 422, "vouch-for-oneself")
    assert_problem(offer(hamlet, ana, stranger, "1.00"), 409, "not-an-active-member")
    # To a stranger the community is not there.
    assert_problem(offer(hamlet, stranger, ana, "1.00"), 404, "not-found")


def test_vouches_are_known_to_their_two_people_and_to_officers(hamlet: Hamlet) -> None:
    ana, ben, cai = hamlet.join("Ana"), hamlet.join("Ben"), hamlet.join("Cai")
    path = f"/api/v1/vouches/{hamlet.vouch(ana, ben, 10_00)}"
    auditor = register(hamlet.app, "Auditor", roles=[(Role.AUDITOR, None)])
    for reader in (ana, ben, hamlet.officer, hamlet.operator, auditor):
        assert reader.get(path).status_code == 200
    assert_problem(cai.get(path), 404, "not-found")
    assert_problem(cai.post(path + "/revocation"), 404, "not-found")
    assert_problem(hamlet.officer.post(path + "/revocation"), 403, "not-allowed")
    assert_problem(
        hamlet.officer.get("/api/v1/vouches/vch_0000000000000000"), 404, "vouch-not-found"
    )


def test_lists_page_and_filter(hamlet: Hamlet) -> None:
    ana = hamlet.join("Ana")
    friends = [hamlet.join(f"Friend {n}") for n in range(3)]
    for friend in friends:
        hamlet.vouch(ana, friend, 10_00)
    hamlet.vouch(friends[0], ana, 20_00)
    path = hamlet.at(ana, "vouches")
    first = ana.get(path, direction="given", limit=2).get_json()
    assert [item["borrower"]["name"] for item in first["items"]] == ["Friend 0", "Friend 1"]
    rest = ana.get(path, direction="given", limit=2, cursor=first["next_cursor"]).get_json()
    assert ([item["borrower"]["name"] for item in rest["items"]], rest["next_cursor"]) == (
        ["Friend 2"],
        None,
    )
    received = ana.get(path, direction="received").get_json()["items"]
    assert [item["voucher"]["name"] for item in received] == ["Friend 0"]
    assert ana.get(path, status="offered").get_json()["items"] == []
    assert len(ana.get(path).get_json()["items"]) == 4
    assert_problem(ana.get(path, direction="sideways"), 422, "validation")
    assert_problem(friends[0].get(path), 404, "not-found")


def test_exposure_says_what_somebody_owes_if_everyone_fails(hamlet: Hamlet) -> None:
    ana, ben = hamlet.join("Ana", 300_00), hamlet.join("Ben")
    hamlet.vouch(ana, ben, 250_00)
    loan = hamlet.applied(ben, 150_00)
    hamlet.officer.post(f"/api/v1/loans/{loan}/approval")
    body = ana.get(hamlet.at(ana, "exposure")).get_json()
    assert (body["now"], body["most"]) == (money("150.00"), money("250.00"))
    assert body["lines"][0]["borrower"] == {"id": ben.public_id, "name": "Ben"}
    assert_problem(ben.get(hamlet.at(ana, "exposure")), 404, "not-found")


def test_stake_is_locked_and_released_once_per_key(hamlet: Hamlet) -> None:
    ana = hamlet.join("Ana", 100_00)
    release, lock = hamlet.at(ana, "stake-releases"), hamlet.at(ana, "stake-locks")
    first = ana.post(release, {"amount": money("40.00")}, key="release-0001")
    assert first.status_code == 201
    assert first.get_json()["standing"]["stake"] == money("60.00")
    again = ana.post(release, {"amount": money("40.00")}, key="release-0001")
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert_problem(ana.post(release, {"amount": money("60.01")}), 409, "stake-in-use")
    assert_problem(ana.post(lock, {"amount": money("40.01")}), 409, "insufficient-funds")
    assert ana.post(lock, {"amount": money("40.00")}).get_json()["standing"]["free"] == money(
        "100.00"
    )
    assert_problem(
        ana.post(lock, {"amount": money("1.00")}, key=None), 422, "idempotency-key-invalid"
    )
    assert_problem(ana.post(lock, {"amount": money("1.00", "USD")}), 422, "currency-mismatch")
    assert_problem(hamlet.join("Ben").post(lock, {"amount": money("1.00")}), 404, "not-found")
    standing = hamlet.officer.get(hamlet.at(ana, "standing")).get_json()
    assert (standing["stake"], standing["reserved"]) == (money("100.00"), money("0.00"))


def test_officers_grant_on_evidence_until_a_day(hamlet: Hamlet) -> None:
    ana = hamlet.join("Ana")
    path = hamlet.at(ana, "assessments")
    grant = {
        "kind": "standing",
        "amount": money("900.00"),
        "evidence": "blind review, 12 March",
        "expires_on": YEAR_LATER.isoformat(),
    }
    made = hamlet.officer.post(path, grant)
    assert made.status_code == 201
    assert made.get_json()["granted_by"]["name"] == "Officer"
    assert ana.get(hamlet.at(ana, "standing")).get_json()["free"] == money("900.00")
    assert_problem(ana.post(path, grant), 403, "not-allowed")
    for missing in ("evidence", "expires_on"):
        body = {name: value for name, value in grant.items() if name != missing}
        assert (
            missing in assert_problem(hamlet.officer.post(path, body), 422, "validation")["errors"]
        )
    assert_problem(hamlet.officer.post(path, grant | {"evidence": "  "}), 422, "validation")
    past = grant | {"expires_on": "2027-03-24"}
    assert_problem(hamlet.officer.post(path, past), 422, "expiry-out-of-range")
    end = f"/api/v1/assessments/{made.get_json()['id']}/end"
    assert_problem(ana.post(end), 403, "not-allowed")
    assert hamlet.officer.post(end).get_json()["ended_at"] is not None
    assert_problem(hamlet.officer.post(end), 409, "assessment-ended")
    assert len(ana.get(path).get_json()["items"]) == 1
    assert ana.get(hamlet.at(ana, "standing")).get_json()["free"] == money("0.00")


def test_nobody_has_a_standing_where_they_never_were(hamlet: Hamlet) -> None:
    stranger = register(hamlet.app, "Stranger")
    for what in ("standing", "exposure", "vouches", "assessments", "credit-limit"):
        assert_problem(hamlet.officer.get(hamlet.at(stranger, what)), 404, "membership-not-found")
