"""Signing in by password, by token, by enrolment code; signing out; changing one's password."""

from datetime import timedelta
from typing import Any

from flask import current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.auth import caller
from app.clock import now
from app.extensions import db
from app.fields import Schema, Text
from app.marks import public
from app.members.facts import member_facts
from app.members.passwords import hasher
from app.pages.entry import is_safe_path, sign_in_browser, sign_out_browser, throttle_sign_in
from app.pages.forms import Form, answer, read
from app.pages.layout import page, say
from app.pages.room import Room
from app.permissions import permit, requires
from app.problems import status_of
from app.rate_limits import count_bad_token
from app.transaction import run_unit
from community.errors import CommunityError
from community.members import queries, signin
from community.members.errors import BadToken, SignInFailed
from community.members.service import authenticate
from config.settings import Settings

pages = Room("signin", __name__)
# What is sent with a form besides its fields.
_TARGET = "next"


class SignInSchema(Schema):
    """A login name and a password."""

    login_name = Text(64, required=True)
    password = Text(200, required=True)
    next = Text(500, load_default="")


class TokenSchema(Schema):
    """An access token instead."""

    token = Text(200, required=True)
    next = Text(500, load_default="")


class EnrolSchema(Schema):
    """A code from an officer, and what is wanted with it."""

    code = Text(40, required=True)
    login_name = Text(64, required=True)
    password = Text(200, required=True)


class PasswordSchema(Schema):
    """The present password and a new one; the present one is not asked for where there is none."""

    password = Text(200)
    login_name = Text(64)
    new_password = Text(200, required=True)


def _settings() -> Settings:
    found: Settings = current_app.extensions["settings"]
    return found


@pages.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> AnyResponse:
    """The form, and the way in by login name and password."""
    if request.method == "GET":
        if g.get("principal") is not None:
            return redirect("/", 303)
        return _shown("signin/sign_in.html", Form(values={_TARGET: _target()}))
    form, data = read(SignInSchema())
    if form.errors:
        return _shown("signin/sign_in.html", form)
    try:
        throttle_sign_in(data["login_name"])
        secret = run_unit(db.session(), _open_by_password, data)
    except CommunityError as refusal:
        form.refuse(refusal)
        return _shown("signin/sign_in.html", form)
    return _entered(secret, data[_TARGET])


@pages.route("/sign-in/token", methods=["GET", "POST"])
@public
def sign_in_by_token() -> AnyResponse:
    """The way in by an access token: the session lives and may as much as the token."""
    if request.method == "GET":
        return _shown("signin/token.html", Form(values={_TARGET: _target()}))
    form, data = read(TokenSchema())
    if form.errors:
        return _shown("signin/token.html", form)
    try:
        throttle_sign_in("token")
        secret = run_unit(db.session(), _open_by_token, data["token"])
    except CommunityError as refusal:
        if isinstance(refusal, BadToken):
            count_bad_token(current_app, request.remote_addr or "")
        form.refuse(refusal)
        return _shown("signin/token.html", form)
    return _entered(secret, data[_TARGET])


@pages.route("/enrol", methods=["GET", "POST"])
@public
def enrol() -> AnyResponse:
    """Set login name and password with the code that an officer handed out; then one is in."""
    if request.method == "GET":
        return _shown("signin/enrol.html", Form())
    form, data = read(EnrolSchema())
    if form.errors:
        return _shown("signin/enrol.html", form)
    try:
        throttle_sign_in("enrolment")
        secret = run_unit(db.session(), _enrol, data)
    except CommunityError as refusal:
        form.refuse(refusal)
        return _shown("signin/enrol.html", form)
    entered = _entered(secret, "")
    say("signin", "welcome")
    return entered


@pages.route("/me/password", methods=["GET", "POST"])
@requires("member:set_credentials")
def password() -> Any:
    """Change one's password, or set the first one; everywhere else one is signed out."""
    session = db.session()
    me = caller().member_id
    permit("member:set_credentials", member_facts(session, queries.get_member_by_id(session, me)))
    name = signin.login_name_of(session, me)
    opened: list[str] = []

    def work(data: dict[str, Any]) -> str:
        login = data.get("login_name", "")
        if name is not None:
            login = signin.require_own_password(
                db.session(),
                member_id=me,
                password=data.get("password", ""),
                hasher=hasher(),
            )
        signin.set_credentials(
            db.session(),
            member_id=me,
            login_name=login,
            password=data["new_password"],
            characters_min=_settings().password_characters_min,
            hasher=hasher(),
            now=now(),
            actor_id=me,
        )
        opened[:] = [_open(me)]
        return url_for("member.home")

    if request.method == "POST" and name is not None:
        throttle_sign_in(name)
    done = answer(
        PasswordSchema,
        work,
        lambda form: page("signin/password.html", form=form, login_name=name, rule=_rule()),
    )
    if opened:
        sign_in_browser(done, opened[0])
        say("signin", "password_changed")
    return done


@pages.post("/sign-out")
@public
def sign_out() -> AnyResponse:
    """End this session."""
    if g.get("page_session_id"):
        run_unit(
            db.session(),
            signin.end_sessions,
            member_id=caller().member_id,
            now=now(),
            only_id=g.page_session_id,
        )
    return _left()


@pages.post("/sign-out/everywhere")
@public
def sign_out_everywhere() -> AnyResponse:
    """End all sessions of whoever asks."""
    if g.get("page_session_id"):
        run_unit(db.session(), signin.end_sessions, member_id=caller().member_id, now=now())
    return _left()


def _open_by_password(session: Any, data: dict[str, Any]) -> str:
    member_id = signin.check_password(
        session,
        login_name=data["login_name"],
        password=data["password"],
        hasher=hasher(),
        now=now(),
    )
    return _open(member_id)


def _open_by_token(session: Any, token: str) -> str:
    principal = authenticate(session, token=token, now=now())
    if "read" not in principal.scopes:
        raise BadToken("The token was not issued for reading.")
    return _open(principal.member_id, principal.token_id)


def _enrol(session: Any, data: dict[str, Any]) -> str:
    stored = signin.enrol(
        session,
        code=data["code"],
        login_name=data["login_name"],
        password=data["password"],
        characters_min=_settings().password_characters_min,
        hasher=hasher(),
        now=now(),
    )
    return _open(stored.member_id)


def _open(member_id: int, token_id: int | None = None) -> str:
    return signin.open_session(
        db.session(),
        member_id=member_id,
        token_id=token_id,
        lifetime=timedelta(hours=_settings().session_hours),
        now=now(),
    )


def _shown(template: str, form: Form) -> AnyResponse:
    shown = page(template, form=form, rule=_rule())
    shown.status_code = form.status
    if isinstance(form.refusal, SignInFailed):
        shown.status_code = 401
    elif form.refusal is not None:
        shown.status_code = status_of(type(form.refusal))
    return shown


def _rule() -> int:
    return _settings().password_characters_min


def _entered(secret: str, target: str) -> AnyResponse:
    answer_ = redirect(target if target and is_safe_path(target) else "/", 303)
    sign_in_browser(answer_, secret)
    return answer_


def _left() -> AnyResponse:
    answer_ = redirect("/sign-in", 303)
    sign_out_browser(answer_)
    say("signin", "signed_out")
    return answer_


def _target() -> str:
    asked = request.args.get(_TARGET, "")
    return asked if len(asked) <= 500 and is_safe_path(asked) else ""
