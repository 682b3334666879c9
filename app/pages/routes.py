"""The first page, and the files that all pages share."""

from flask import Response, g, redirect, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from app.marks import public
from app.pages.layout import STATIC, page
from app.pages.room import Room

pages = Room("pages", __name__)
_KEPT_SECONDS = 31_536_000


@pages.get("/")
@public
def landing() -> AnyResponse:
    """What this is and where to go on; whoever is signed in goes to their own page."""
    if g.get("principal") is not None:
        return redirect("/me", 303)
    return page("common/landing.html")


@pages.get("/pages/<name>")
@public
def static(name: str) -> Response:
    """A stylesheet, a script, a picture. Its address changes with its content."""
    answer = send_from_directory(STATIC, name)
    answer.headers["Cache-Control"] = f"public, max-age={_KEPT_SECONDS}, immutable"
    return answer
