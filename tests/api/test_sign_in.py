"""Signing in to pages: passwords, codes, tokens, sessions, and forms that are ours."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.clock import now
from app.extensions import db
from app.transaction import run_unit
from community.members import signin
from community.members.models import ApiToken, Credential, EnrolmentCode, PageSession
from community.members.principal import Role
from community.members.service import revoke_token
from tests.api.people import Person, assert_problem
from tests.reading import Reader, check_html, hidden

PASSWORD = "a field of rice"
SESSION = "lianbao_session"
# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)


def with_password(person: Person, login: str = "li.wei", password: str = PASSWORD) -> Person:
    answer = person.put(
        f"/api/v1/members/{person.public_id}/credentials",
        {"login_name": login, "password": password},
    )
    assert answer.status_code == 200, answer.text
    return person


def sign_in(reader: Reader, login: str = "li.wei", password: str = PASSWORD) -> TestResponse:
    return reader.send("/sign-in", login_name=login, password=password)


def cookie(reader: Reader) -> str:
    found = reader.client.get_cookie(SESSION)
    return found.value if found is not None else ""


def test_a_member_signs_in_by_name_or_telephone(app: Flask, member: Person) -> None:
    with_password(member, "+86 138-0013-8000")
    reader = Reader(app)
    answer = sign_in(reader, "+8613800138000")
    assert (answer.status_code, answer.location) == (303, "/")
    assert "Hello, Wang Fang" in reader.open("/me").text
    given = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith(SESSION))
    assert "HttpOnly" in given
    assert "SameSite=Lax" in given
    with app.app_context():
        kept = db.session.scalars(select(PageSession)).one()
        assert cookie(reader) not in kept.digest
        stored = db.session.scalars(select(Credential)).one()
        assert stored.password_hash.startswith("$argon2id$")


def test_a_wrong_name_and_a_wrong_password_look_alike(app: Flask, member: Person) -> None:
    with_password(member)
    unknown, wrong = (
        sign_in(Reader(app), "nobody.here"),
        sign_in(Reader(app), "li.wei", "a field of wheat"),
    )
    assert unknown.status_code == wrong.status_code == 401
    text = [
        re.sub(r'value="[^"]*"', "", answer.text).replace("nobody.here", "li.wei")
        for answer in (unknown, wrong)
    ]
    assert text[0] == text[1]
    assert "a field of wheat" not in wrong.text
    check_html(wrong, "en")


def test_the_session_of_before_is_worth_nothing_after(app: Flask, member: Person) -> None:
    """Somebody who planted a cookie in a browser does not come in with whoever signs in there."""
    with_password(member)
    reader = Reader(app)
    reader.client.set_cookie(SESSION, "planted-by-somebody-else")
    before = hidden(reader.open("/sign-in").text)["form_proof"]
    sign_in(reader)
    first = cookie(reader)
    assert first != "planted-by-somebody-else"
    planted = Reader(app)
    planted.client.set_cookie(SESSION, "planted-by-somebody-else")
    assert planted.open("/me").status_code == 303
    # The proof of the form that was open before is not one for the session.
    answer = reader.client.post("/sign-out/everywhere", data={"form_proof": before})
    assert answer.status_code == 403
    sign_in_again = Reader(app)
    sign_in(sign_in_again)
    assert cookie(sign_in_again) != first


def test_signing_out_here_and_everywhere(app: Flask, member: Person) -> None:
    with_password(member)
    here, there, third = Reader(app), Reader(app), Reader(app)
    for reader in (here, there, third):
        sign_in(reader)
    stolen = cookie(here)
    assert here.send("/sign-out", shown="/me").location == "/sign-in"
    assert here.open("/me").status_code == 303
    here.client.set_cookie(SESSION, stolen)
    assert here.open("/me").status_code == 303
    assert there.open("/me").status_code == 200
    there.send("/sign-out/everywhere", shown="/me/password")
    assert third.open("/me").status_code == 303


def test_a_session_ends_by_age_and_by_doing_nothing(app: Flask, member: Person) -> None:
    with_password(member)
    with app.app_context():
        start = now()
    clock = app.extensions["clock"]
    reader = Reader(app)
    clock.fixed = start
    sign_in(reader)
    for minutes in (50, 100, 150):
        clock.fixed = start + timedelta(minutes=minutes)
        assert reader.open("/me").status_code == 200, minutes
    clock.fixed = start + timedelta(minutes=211)
    assert reader.open("/me").status_code == 303
    sign_in(reader)
    for hours in range(1, 13):
        clock.fixed = start + timedelta(minutes=211 + 59 * hours)
        assert reader.open("/me").status_code == 200, hours
    clock.fixed = start + timedelta(minutes=211 + 720)
    assert reader.open("/me").status_code == 303


def test_a_session_by_token_ends_with_it_and_may_no_more(
    app: Flask, person: Callable[..., Person]
) -> None:
    reading = person("Reader", scopes=frozenset({"read"}))
    reader = Reader(app).sign_in(reading.token)
    assert reader.open("/me").status_code == 200
    refused = reader.send("/me/password", login_name="reader", new_password=PASSWORD)
    assert refused.status_code == 403
    with app.app_context():
        run_unit(db.session(), _revoke, reading.member_id)
    assert reader.open("/me").status_code == 303
    # Only for writing: there is nothing to be seen.
    writing = person("Writer", scopes=frozenset({"write"}))
    assert Reader(app).send("/sign-in/token", token=writing.token).status_code == 401
    for token in ("lb_nobody", "x" * 200):
        answer = Reader(app).send("/sign-in/token", token=token)
        assert answer.status_code == 401
        assert token not in answer.text


def _revoke(session: Session, member_id: int) -> None:
    token = session.query(ApiToken).filter_by(member_id=member_id).one()
    revoke_token(session, token=token, now=now())


def test_the_api_does_not_know_sessions_nor_pages_tokens(app: Flask, member: Person) -> None:
    reader = Reader(app).sign_in(member.token)
    assert_problem(reader.client.get("/api/v1/me"), 401, "bad-token")
    bearer = {"Authorization": f"Bearer {member.token}"}
    assert app.test_client().get("/me", headers=bearer).status_code == 303


@pytest.mark.parametrize(
    ("proof", "headers"),
    [
        (None, {}),
        ("0" * 64, {}),
        ("right", {"Sec-Fetch-Site": "cross-site"}),
        ("right", {"Origin": "https://elsewhere.example"}),
    ],
)
def test_a_form_has_to_come_from_its_page(
    app: Flask, member: Person, proof: str | None, headers: dict[str, str]
) -> None:
    with_password(member)
    signed_in = Reader(app)
    sign_in(signed_in)
    for reader, path, page in (
        (Reader(app), "/sign-in", "/sign-in"),
        (Reader(app), "/sign-in/token", "/sign-in/token"),
        (signed_in, "/sign-out", "/me"),
    ):
        right = hidden(reader.open(page).text)["form_proof"]
        fields = {"login_name": "li.wei", "password": PASSWORD, "token": member.token}
        if proof is not None:
            fields["form_proof"] = right if proof == "right" else proof
        answer = reader.client.post(path, data=fields, headers=headers)
        assert answer.status_code == 403, path
        assert "The form was not sent from its page" in answer.text or "表单" in answer.text
    assert signed_in.open("/me").status_code == 200


def test_a_proof_is_of_one_session_only(app: Flask, person: Callable[..., Person]) -> None:
    one, other = (Reader(app).sign_in(person(name).token) for name in ("One", "Other"))
    foreign = hidden(other.open("/me").text)["form_proof"]
    assert one.client.post("/sign-out", data={"form_proof": foreign}).status_code == 403


def test_where_to_go_on_is_a_page_of_ours(app: Flask, member: Person) -> None:
    asked = Reader(app).open("/statement?x=1")
    assert asked.location == "/sign-in?next=%2Fstatement%3Fx%3D1"
    for target, goes in (
        ("/statement", "/statement"),
        ("//elsewhere.example/", "/"),
        ("https://elsewhere.example/", "/"),
        ("/\\elsewhere.example", "/"),
        ("javascript:alert(1)", "/"),
    ):
        answer = Reader(app).send("/sign-in/token", token=member.token, next=target)
        assert answer.location == goes, target


def test_an_officers_code_serves_once(app: Flask, person: Callable[..., Person]) -> None:
    operator = person("Operator", roles=[(Role.OPERATOR, None)])
    member = person("Li Wei")
    path = f"/api/v1/members/{member.public_id}/enrolment-codes"
    assert_problem(member.post(path), 403, "not-allowed")
    old, code = (operator.post(path).get_json()["code"] for _ in range(2))
    form = {"login_name": "li.wei", "password": PASSWORD}
    for wrong in (old, "AAAA-BBBB-CCCC-DDDD", "x"):
        answer = Reader(app).send("/enrol", code=wrong, **form)
        assert answer.status_code == 422
        assert "The enrolment code is not valid" in answer.text
        assert wrong not in answer.text or wrong == "x"
    weak = Reader(app).send("/enrol", code=code, login_name="li.wei", password="short")
    assert weak.status_code == 422
    reader = Reader(app)
    answer = reader.send("/enrol", code=code.lower().replace("-", " "), **form)
    assert answer.location == "/"
    assert "Your password is set" in reader.open("/me").text
    assert Reader(app).send("/enrol", code=code, **form).status_code == 422
    with app.app_context():
        codes = db.session.scalars(select(EnrolmentCode)).all()
        assert [item.ended_at is not None for item in codes] == [True, True]
        assert all(code not in item.digest for item in codes)


def test_a_code_runs_out(app: Flask, person: Callable[..., Person]) -> None:
    operator = person("Operator", roles=[(Role.OPERATOR, None)])
    member = person("Li Wei")
    code = operator.post(f"/api/v1/members/{member.public_id}/enrolment-codes").get_json()["code"]
    with app.app_context():
        app.extensions["clock"].fixed = now() + timedelta(days=7, seconds=1)
    answer = Reader(app).send("/enrol", code=code, login_name="li", password=PASSWORD)
    assert answer.status_code == 422


def test_changing_the_password_ends_the_other_sessions(app: Flask, member: Person) -> None:
    with_password(member)
    here, there = Reader(app), Reader(app)
    for reader in (here, there):
        sign_in(reader)
    before = cookie(here)
    wrong = here.send("/me/password", password="not mine at all", new_password="a field of wheat")
    assert wrong.status_code == 422
    assert "a field of wheat" not in wrong.text
    assert there.open("/me").status_code == 200
    done = here.send("/me/password", password=PASSWORD, new_password="a field of wheat")
    assert (done.status_code, done.location) == (303, "/me")
    assert cookie(here) != before
    assert "Your password was changed" in here.open("/me").text
    assert there.open("/me").status_code == 303
    assert sign_in(Reader(app)).status_code == 401
    assert sign_in(Reader(app), password="a field of wheat").status_code == 303


def test_a_form_sent_twice_is_done_once(app: Flask, member: Person) -> None:
    with_password(member)
    reader = Reader(app)
    sign_in(reader)
    form = hidden(reader.open("/me/password").text)
    form |= {"password": PASSWORD, "new_password": "a field of wheat"}
    first = reader.client.post("/me/password", data=form)
    # The second carries the cookie of the first's answer, as from a browser that went back.
    again = hidden(reader.open("/me/password").text)["form_proof"]
    second = reader.client.post("/me/password", data=form | {"form_proof": again})
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location
    with app.app_context():
        live = select(func.count()).where(PageSession.ended_at.is_(None))
        assert db.session.scalar(live) == 1


@pytest.mark.parametrize(
    ("login", "password", "code"),
    [
        ("li", PASSWORD, "login-name-invalid"),
        ("li wei!", PASSWORD, "login-name-invalid"),
        ("li.wei", "short", "password-too-weak"),
        ("li.wei-long-name", "Li.Wei-Long-Name", "password-too-weak"),
        ("li.wei", "aaaaaaaaaaaa", "password-too-weak"),
        ("taken", PASSWORD, "login-name-taken"),
    ],
)
def test_what_can_be_no_password_or_name(
    person: Callable[..., Person], login: str, password: str, code: str
) -> None:
    with_password(person("Other"), "Taken")
    member = person("Li Wei")
    answer = member.put(
        f"/api/v1/members/{member.public_id}/credentials",
        {"login_name": login, "password": password},
    )
    body = assert_problem(answer, 409 if code == "login-name-taken" else 422, code)
    assert body["field"] in ("login_name", "password")


def test_nobody_sets_anothers_password(person: Callable[..., Person]) -> None:
    operator, member = person("Operator", roles=[(Role.OPERATOR, None)]), person("Li Wei")
    answer = operator.put(
        f"/api/v1/members/{member.public_id}/credentials",
        {"login_name": "li.wei", "password": PASSWORD},
    )
    assert_problem(answer, 403, "not-allowed")


@pytest.mark.parametrize("redis", ["", "redis://127.0.0.1:1/0"])
def test_guessing_is_slow_per_name_and_per_address(
    make_app: Callable[..., Flask], redis: str
) -> None:
    """Also when Redis is gone."""
    app = make_app(
        rate_limits=True,
        redis_url=redis,
        rate_limit_sign_in="3/hour",
        rate_limit_sign_in_address="5/hour",
    )
    answers = [sign_in(Reader(app), "li.wei", "a guess or two") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert "Retry-After" in answers[3].headers or "wait" in answers[3].text
    statuses = [sign_in(Reader(app), f"other{place}").status_code for place in range(3)]
    assert statuses == [401, 429, 429]


def test_an_unknown_name_costs_the_work_of_a_hash(app: Flask) -> None:
    done: list[str] = []

    class Counting:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def verify(self, known: str, password: str) -> bool:
            done.append(known)
            return bool(self.inner.verify(known, password))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    inner = app.extensions["passwords"]
    with app.app_context():
        for login in ("nobody.here", "not a name at all!"):
            with pytest.raises(signin.SignInFailed):
                signin.check_password(
                    db.session(),
                    login_name=login,
                    password=PASSWORD,
                    hasher=Counting(inner),  # type: ignore[arg-type]
                    now=now(),
                )
    assert len(done) == 2
    assert all(not inner.check_needs_rehash(known) for known in done)
