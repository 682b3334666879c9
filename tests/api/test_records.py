"""A credit record over HTTP and the command line, from consent to withdrawal."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.records import signer
from community.records.signing import new_private_pem
from config.settings import Settings, SettingsError
from tests.api.people import assert_problem
from tests.api.trust_village import Hamlet, make_hamlet
from tests.keys import ENVIRON
from tests.lending import NOW


@pytest.fixture
def hamlet(app: Flask) -> Hamlet:
    app.extensions["clock"].fixed = NOW
    return make_hamlet(app)


def consented(hamlet: Hamlet, who: Any, **changes: Any) -> str:
    answer = who.post(
        f"/api/v1/communities/{hamlet.community_id}/members/{who.public_id}/record-consents",
        {
            "recipient": "A bank",
            "purposes": ["credit_decision"],
            "fields": ["name", "loans", "lateness", "debts", "guarantees", "standing"],
            "until_on": "2027-12-31",
            **changes,
        },
    )
    assert answer.status_code == 201, answer.text
    assert answer.get_json()["is_live"] is True
    consent: str = answer.get_json()["id"]
    return consent


def issued(who: Any, consent: str) -> dict[str, Any]:
    answer = who.post(f"/api/v1/record-consents/{consent}/records")
    assert answer.status_code == 201, answer.text
    record: dict[str, Any] = answer.get_json()
    return record


def anybody(client: FlaskClient, record: str, **more: Any) -> dict[str, Any]:
    """What somebody without a token is told of a record."""
    answer = client.post("/api/v1/records/verify", json={"record": record, **more})
    assert answer.status_code == 200, answer.text
    verdict: dict[str, Any] = answer.get_json()
    verdict["faults"] = [failure["fault"] for failure in verdict["failures"]]
    return verdict


def test_a_record_is_carried_checked_and_revoked(hamlet: Hamlet, tmp_path: Path) -> None:
    li, client = hamlet.join("li"), hamlet.app.test_client()
    consent = consented(hamlet, li)
    record = issued(li, consent)
    kept = client.get("/api/v1/record-keys").get_json()
    verdict = anybody(client, record["text"], audience="A bank")
    assert (verdict["holds"], verdict["payload"]["sub"]) == (True, li.public_id)
    assert verdict["revocations_on"] == "2027-03-25"
    other = anybody(client, record["text"], audience="Another", on="2030-01-01")
    assert other["faults"] == ["expired", "audience"]
    spoiled = record["text"][:-8] + "AAAAAAAA"
    assert anybody(client, spoiled, keys=kept) | {"failures": 0} == {
        "holds": False,
        "failures": 0,
        "faults": ["signature"],
        "kid": kept["keys"][0]["kid"],
        "revocations_on": None,
        "payload": None,
    }
    assert anybody(client, record["text"], keys={"keys": []})["faults"] == ["key-unknown"]
    # The member reads it again to the letter; an officer knows that there is one.
    again = li.get(f"/api/v1/credit-records/{record['id']}").get_json()
    assert again == record
    listed = hamlet.officer.get(f"/api/v1/record-consents/{consent}/records").get_json()
    assert [item["id"] for item in listed["items"]] == [record["id"]]
    assert "text" not in listed["items"][0]
    withdrawn = li.post(f"/api/v1/record-consents/{consent}/withdrawal", {"reason": "no more"})
    assert withdrawn.get_json()["is_live"] is False
    assert anybody(client, record["text"])["faults"] == ["revoked"]
    revoked = client.get("/api/v1/record-revocations").get_json()
    assert anybody(client, record["text"], keys=kept, **revoked)["faults"] == ["revoked"]
    assert_problem(
        li.post(f"/api/v1/record-consents/{consent}/records"), 409, "record-consent-not-live"
    )
    # The same by files alone, where there is no database.
    for name, document in (("record", record), ("keys", kept), ("revoked", revoked)):
        (tmp_path / name).write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "plain").write_text(record["text"] + "\n", encoding="utf-8")
    away = create_app(
        Settings(database_url="postgresql://nobody@127.0.0.1:1/none", var_dir=tmp_path)
    )
    away.extensions["clock"].fixed = NOW

    def offline(file: str, *options: str) -> tuple[int, str]:
        arguments = ["records", "verify", str(tmp_path / file), "--keys", str(tmp_path / "keys")]
        result = away.test_cli_runner().invoke(args=[*arguments, *options])
        return result.exit_code, result.output

    assert offline("plain") == offline("record")
    code, said = offline("record", "--audience", "A bank")
    assert (code, said.splitlines()[-1]) == (0, "holds on 2027-03-25")
    code, said = offline(
        "record", "--revoked", str(tmp_path / "revoked"), "--on", "2030-01-01", "--audience", "B"
    )
    assert code == 1
    assert [line.split(": ")[1] for line in said.splitlines() if line.startswith("fails")] == [
        "expired",
        "audience",
        "revoked",
    ]
    assert offline("keys")[0] == 1
    assert offline("keys", "--keys", str(tmp_path / "plain"))[0] == 1


def test_the_operator_rotates_keys(hamlet: Hamlet, tmp_path: Path) -> None:
    li, client = hamlet.join("li"), hamlet.app.test_client()
    old = issued(li, consented(hamlet, li))
    run = hamlet.app.test_cli_runner().invoke
    assert run(args=["records", "new-key", str(tmp_path / "key.pem")]).exit_code == 0
    assert run(args=["records", "new-key", str(tmp_path / "key.pem")]).exit_code == 1
    hamlet.app.extensions["record_signer"] = signer.load_signer((tmp_path / "key.pem").read_bytes())
    shown = json.loads(run(args=["records", "keys", "--use"]).output)
    assert shown == client.get("/api/v1/record-keys").get_json()
    assert [key["until_on"] for key in shown["keys"]] == [None, "2027-03-25"]
    new = issued(li, consented(hamlet, li))
    for record in (old, new):
        assert anybody(client, record["text"])["holds"] is True
        assert anybody(client, record["text"], keys=shown)["holds"] is True
    kid = shown["keys"][0]["kid"]
    assert run(args=["records", "revoke-key", kid, "--reason", "stolen"]).exit_code == 0
    assert anybody(client, new["text"])["faults"] == ["key-revoked"]
    assert anybody(client, old["text"])["holds"] is True
    assert_problem(client.get("/api/v1/record-revocations"), 503, "record-key-retired")
    assert run(args=["records", "keys", "--use"]).exit_code == 1
    assert run(args=["records", "revoke-key", "x", "--reason", "x"]).exit_code == 1


def test_production_signs_with_a_key_of_its_own_or_not_at_all(
    hamlet: Hamlet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {
        **ENVIRON,
        "PRODUCTION": "1",
        "SESSION_COOKIE_SECURE": "1",
        "DATABASE_URL": f"sqlite:///{tmp_path}/none",
        "SECRET_KEY": "x" * 32,
        "VAR_DIR": str(tmp_path),
    }
    bare = Settings.from_environ(settings)
    assert [omission.split(":")[0] for omission in bare.omissions] == [
        "RECORD_KEY_FILE or RECORD_KEY"
    ]
    with create_app(bare).app_context():
        assert signer.current_signer() is None
    pem = new_private_pem().decode()
    keyed = Settings.from_environ(settings | {"RECORD_KEY": pem.replace("\n", "\\n")})
    assert keyed.omissions == []
    with create_app(keyed).app_context():
        assert signer.current_signer() == signer.current_signer() is not None
    # A key that cannot be read stops the start: it would be missed when it is needed.
    for name, value in (
        ("RECORD_KEY_FILE", str(tmp_path / "missing.pem")),
        ("RECORD_KEY", "-----BEGIN PRIVATE KEY-----\nx"),
    ):
        with pytest.raises(SettingsError, match=name):
            create_app(Settings.from_environ(settings | {name: value}))
    with pytest.raises(SettingsError, match="one of the two"):
        Settings.from_environ(settings | {"RECORD_KEY": pem, "RECORD_KEY_FILE": "x"})
    # Without one, what has to be signed is refused, and only that.
    li = hamlet.join("li")
    consent = consented(hamlet, li)
    # The application is lent: others use it afterwards.
    monkeypatch.setitem(hamlet.app.extensions, "record_signer", None)
    monkeypatch.setitem(hamlet.app.extensions, "settings", bare)
    refused = li.post(f"/api/v1/record-consents/{consent}/records")
    assert_problem(refused, 503, "record-key-missing")
    client = hamlet.app.test_client()
    assert_problem(client.get("/api/v1/record-revocations"), 503, "record-key-missing")
    assert client.get("/api/v1/record-keys").get_json() == {"keys": []}
