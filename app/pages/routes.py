"""The first page, a member's own page (my limit and why), and receipts to be printed."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, g, render_template, request, send_from_directory

from app.auth import ScopeMissing
from app.clock import now, today
from app.extensions import db
from app.marks import limited, public
from app.pages.texts import CONSTRAINTS, LANGUAGES, RECEIPT_WORDS, STATUSES, TEXTS, pick
from app.pages.views import member_page
from app.rate_limits import count_bad_token
from app.receiving.views import receipt_view
from community.errors import NotFound
from community.members.errors import BadToken
from community.members.principal import Principal
from community.members.service import authenticate
from community.money import format_minor
from config.settings import ROOT

pages = Blueprint("pages", __name__, template_folder="templates")

_STATIC = ROOT / "app" / "pages" / "static"
_TOKEN_CHARACTERS_MAX = 200


@pages.get("/")
@public
def landing() -> Response:
    """What this is, where to go on, and the form for one's own page."""
    return _page("pages/landing.html", language=_language(request.args.get("lang")))


@pages.post("/")
@public
@limited("heavy")
def show_member() -> Response:
    """The page of whoever the token in the body belongs to. The token is not kept."""
    language = _language(request.form.get("lang"))
    found = _caller_of_form(language)
    if isinstance(found, Response):
        return found
    shown = member_page(db.session(), found.member_id, today())
    return _page("pages/member.html", language=language, page=shown)


@pages.get("/receipts/<pid(rcp):receipt_id>")
@public
def ask_for_receipt(receipt_id: str) -> Response:
    """The form that opens a receipt; it tells nothing about it."""
    language = _language(request.args.get("lang"))
    return _page("pages/receipt_form.html", language=language, receipt_id=receipt_id)


@pages.post("/receipts/<pid(rcp):receipt_id>")
@public
def show_receipt(receipt_id: str) -> Response:
    """A receipt to be printed, for whoever may see it by the token in the body."""
    language = _language(request.form.get("lang"))
    form = {"template": "pages/receipt_form.html", "receipt_id": receipt_id}
    found = _caller_of_form(language, **form)
    if isinstance(found, Response):
        return found
    try:
        shown = receipt_view(db.session(), receipt_id)
    except NotFound:
        return _refused(language, "no_receipt", 404, **form)
    return _page("pages/receipt.html", language=language, receipt=shown)


@pages.get("/pages/style.css")
@public
def style() -> Response:
    """How the pages look."""
    answer = send_from_directory(_STATIC, "style.css", mimetype="text/css")
    answer.headers["Cache-Control"] = "public, max-age=3600"
    return answer


def _caller_of_form(language: str, **form: str) -> Principal | Response:
    """Who sends a form, by the token in it, which is not kept; else the form again, and why."""
    if not _from_here():
        return _refused(language, "not_from_here", 403, **form)
    token = request.form.get("token", "").strip()
    session = db.session()
    try:
        if not 0 < len(token) <= _TOKEN_CHARACTERS_MAX:
            raise BadToken()
        principal = authenticate(session, token=token, now=now())
    except BadToken:
        count_bad_token(current_app, request.remote_addr or "")
        return _refused(language, "bad_token", 401, **form)
    if "read" not in principal.scopes:
        raise ScopeMissing("The token lacks the scope 'read'.", scope="read")
    # From here on the same permissions are asked as on the API.
    g.principal = principal
    return principal


def _from_here() -> bool:
    """Whether a form was sent from a page of ours, as far as the browser tells."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _language(asked: str | None) -> str:
    return pick(asked, request.accept_languages.best_match(LANGUAGES))


def _refused(
    language: str, reason: str, status: int, template: str = "pages/landing.html", **facts: str
) -> Response:
    answer = _page(template, language=language, fault=TEXTS[language][reason], **facts)
    answer.status_code = status
    return answer


def _page(template: str, *, language: str, **facts: Any) -> Response:
    def status(value: str) -> str:
        return STATUSES[language].get(value, value)

    text = render_template(
        template,
        t=TEXTS[language],
        language=language,
        other=next(code for code in LANGUAGES if code != language),
        constraints=CONSTRAINTS[language],
        status=status,
        words=RECEIPT_WORDS[language],
        money=_money,
        **facts,
    )
    answer = Response(text, mimetype="text/html")
    answer.headers["Content-Language"] = language
    answer.headers["Vary"] = "Accept-Language"
    return answer


def _money(amount_minor: int, currency: str) -> str:
    """'1,234.50 CNY': grouped, as people read it."""
    text = format_minor(amount_minor, currency)
    whole, point, decimals = text.partition(".")
    return f"{int(whole):,}{point}{decimals} {currency}"
