"""The first page, and the files that all pages share."""

from flask import Response, g, redirect, send_from_directory, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.marks import public
from app.pages.layout import STATIC, page
from app.pages.room import Room
from community.members.principal import Principal, Role

pages = Room("pages", __name__)
_KEPT_SECONDS = 31_536_000


@pages.get("/")
@public
def landing() -> AnyResponse:
    """What this is and where to go on; whoever is signed in goes where their day begins."""
    principal: Principal | None = g.get("principal")
    if principal is not None:
        return redirect(url_for(_beginning(principal)), 303)
    return page("common/landing.html")


def _beginning(principal: Principal) -> str:
    """Who holds an office begins in it, everybody else with what is their own."""
    if any(grant.role is not Role.AUDITOR for grant in principal.grants):
        return "office.home"
    return "auditor.home" if principal.grants else "member.home"


@pages.get("/pages/<name>")
@public
def static(name: str) -> Response:
    """A stylesheet, a script, a picture. Its address changes with its content."""
    answer = send_from_directory(STATIC, name)
    answer.headers["Cache-Control"] = f"public, max-age={_KEPT_SECONDS}, immutable"
    return answer
