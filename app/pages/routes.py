"""The first page, and a member's own page: my limit and why."""

from flask import Response, request, send_from_directory

from app.clock import today
from app.extensions import db
from app.marks import limited, public
from app.pages import statement as _statement  # noqa: F401  its routes belong to `pages`
from app.pages.answers import enter_by_form, language_of, page, pages, refused
from app.pages.views import member_page
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


@pages.get("/pages/style.css")
@public
def style() -> Response:
    """How the pages look."""
    answer = send_from_directory(_STATIC, "style.css", mimetype="text/css")
    answer.headers["Cache-Control"] = "public, max-age=3600"
    return answer
