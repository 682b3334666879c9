"""What all pages share: the language, the token in a form, and how a page is written."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, g, render_template, request
from sqlalchemy.orm import Session

from app.auth import ScopeMissing
from app.clock import now
from app.pages.texts import CONSTRAINTS, LANGUAGES, STATUSES, TEXTS, pick
from app.rate_limits import count_bad_token
from community.members.errors import BadToken
from community.members.principal import Principal
from community.members.service import authenticate
from community.money import format_minor

pages = Blueprint("pages", __name__, template_folder="templates")

_TOKEN_CHARACTERS_MAX = 200
# Why a form is refused, and with which status.
_STATUS = {"not_from_here": 403, "bad_token": 401, "no_member": 404, "no_receipt": 404}


def language_of(asked: str | None) -> str:
    """The language to answer in."""
    return pick(asked, request.accept_languages.best_match(LANGUAGES))


def enter_by_form(session: Session) -> Principal | str:
    """Whoever the token in the form belongs to, or why there is none. The token is not kept."""
    if not _from_here():
        return "not_from_here"
    token = request.form.get("token", "").strip()
    try:
        if not 0 < len(token) <= _TOKEN_CHARACTERS_MAX:
            raise BadToken()
        principal = authenticate(session, token=token, now=now())
    except BadToken:
        count_bad_token(current_app, request.remote_addr or "")
        return "bad_token"
    if "read" not in principal.scopes:
        raise ScopeMissing("The token lacks the scope 'read'.", scope="read")
    # From here on the same permissions are asked as on the API.
    g.principal = principal
    return principal


def refused(template: str, language: str, reason: str, **facts: Any) -> Response:
    """The form again, with what was wrong with it."""
    answer = page(template, language=language, fault=TEXTS[language][reason], **facts)
    answer.status_code = _STATUS.get(reason, 422)
    return answer


def page(template: str, *, language: str, **facts: Any) -> Response:
    """A page in a language."""

    def status(value: str) -> str:
        return STATUSES[language].get(value, value)

    text = render_template(
        template,
        t=TEXTS[language],
        language=language,
        other=next(code for code in LANGUAGES if code != language),
        constraints=CONSTRAINTS[language],
        status=status,
        money=_money,
        figure=_figure,
        **facts,
    )
    answer = Response(text, mimetype="text/html")
    answer.headers["Content-Language"] = language
    answer.headers["Vary"] = "Accept-Language"
    return answer


def _from_here() -> bool:
    """Whether a form was sent from a page of ours, as far as the browser tells."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _money(amount_minor: int, currency: str) -> str:
    """'1,234.50 CNY': grouped, as people read it."""
    return f"{_figure(amount_minor, currency)} {currency}"


def _figure(amount_minor: int, currency: str) -> str:
    """'1,234.50', in a table that names the currency once."""
    text = format_minor(amount_minor, currency)
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, point, decimals = digits.partition(".")
    return f"{sign}{int(whole):,}{point}{decimals}"
