"""Marks that a view carries about itself, read by what runs around every request.

A mark is an attribute of the view function. Decorators that wrap a view hand its attributes on,
so marks may stand anywhere below `@blp.route`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

View = TypeVar("View", bound=Callable[..., Any])


def public(view: View) -> View:
    """Anybody may call this view: no token is asked for."""
    return _mark(view, "_public", True)


def never_refused(view: View) -> View:
    """Calls of this view are not counted against a rate limit: a repayment is always taken."""
    return _mark(view, "_never_refused", True)


def limited(kind: str) -> Callable[[View], View]:
    """Count calls of this view against the setting RATE_LIMIT_<KIND> ('heavy', 'write', 'read')."""
    return lambda view: _mark(view, "_rate", kind)


def accepts(*media_types: str) -> Callable[[View], View]:
    """The view reads its body itself, in one of these media types instead of JSON."""
    return lambda view: _mark(view, "_media_types", media_types)


def unnamed(view: View) -> View:
    """The line that the log keeps of a call does not say who called."""
    return _mark(view, "_unnamed", True)


def versioned(view: View) -> View:
    """The view changes the version that If-Match names, though it is no PATCH."""
    return _mark(view, "_versioned", True)


def mark_of(view: Any, name: str, default: Any = None) -> Any:
    """The value of a view's mark."""
    return getattr(view, name, default)


def current_view() -> Callable[..., Any] | None:
    """The function that answers the request under way; None when no route matches."""
    if request.endpoint is None:
        return None
    return view_of(current_app, request.endpoint, request.method)


def view_of(app: Flask, endpoint: str, method: str) -> Callable[..., Any] | None:
    """The function behind an endpoint, or behind a method of its view class."""
    view = app.view_functions.get(endpoint)
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return view
    name = method.lower()
    return getattr(view_class, name, None) or (
        getattr(view_class, "get", None) if name == "head" else None
    )


def _mark(view: View, name: str, value: Any) -> View:
    setattr(view, name, value)
    return view
