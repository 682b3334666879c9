"""The first page, a member's own page (my limit and why), and receipts to be printed."""

from flask import Response, request, send_from_directory

from app.clock import today
from app.extensions import db
from app.marks import limited, public
from app.pages import statement as _statement  # noqa: F401  its routes belong to `pages`
from app.pages.answers import enter_by_form, language_of, page, pages, refused
from app.pages.texts import RECEIPT_WORDS
from app.pages.views import member_page
from app.receiving.views import receipt_view
from community.errors import NotFound
from config.settings import ROOT

_STATIC = ROOT / "app" / "pages" / "static"


@pages.get("/")
@public
def landing() -> Response:
    """What this is, where to go on, and the form for one's own page."""
    return page("pages/landing.html", language=language_of(request.args.get("lang")))


@pages.post("/")
@public
@limited("heavy")
def show_member() -> Response:
    """The page of whoever the token in the body belongs to. The token is not kept."""
    language = language_of(request.form.get("lang"))
    fault = enter_by_form(db.session())
    if isinstance(fault, str):
        return refused("pages/landing.html", language, fault)
    shown = member_page(db.session(), fault.member_id, today())
    return page("pages/member.html", language=language, page=shown)


@pages.get("/receipts/<pid(rcp):receipt_id>")
@public
def ask_for_receipt(receipt_id: str) -> Response:
    """The form that opens a receipt; it tells nothing about it."""
    language = language_of(request.args.get("lang"))
    return page("pages/receipt_form.html", language=language, receipt_id=receipt_id)


@pages.post("/receipts/<pid(rcp):receipt_id>")
@public
@limited("heavy")
def show_receipt(receipt_id: str) -> Response:
    """A receipt to be printed, for whoever may see it by the token in the body."""
    language = language_of(request.form.get("lang"))
    form = {"receipt_id": receipt_id}
    fault = enter_by_form(db.session())
    if isinstance(fault, str):
        return refused("pages/receipt_form.html", language, fault, **form)
    try:
        shown = receipt_view(db.session(), receipt_id)
    except NotFound:
        return refused("pages/receipt_form.html", language, "no_receipt", **form)
    words = RECEIPT_WORDS[language]
    return page("pages/receipt.html", language=language, receipt=shown, words=words)


@pages.get("/pages/style.css")
@public
def style() -> Response:
    """How the pages look."""
    answer = send_from_directory(_STATIC, "style.css", mimetype="text/css")
    answer.headers["Cache-Control"] = "public, max-age=3600"
    return answer
