"""Who may do what: a table of actions, each with the small predicates that open it.

An action is `noun:verb`. One holding predicate is enough. Who may not act but may read the thing
(the action `noun:read`) is told so: 403. Who may not read it is told that it is not there: 404.

How a feature uses it, with loans as the example. In `app/loans/permissions.py`:

    from app.permissions import declare, holds_office, is_operator, is_owner, is_related

    declare({
        "loan:read": (is_owner, is_related, holds_office, is_auditor),
        "loan:approve": (holds_office,),
    })

In `app/loans/routes.py`, where the borrower is an owner and the guarantors are related:

    @blp.route("/loans/<pid(lon):loan_id>/approval", methods=["POST"])
    @requires("loan:approve")
    @money_moving(LoanSchema)
    def approve_loan(loan_id):
        \"\"\"Approve a loan and reserve its cover.\"\"\"
        loan = loans.queries.get_loan(db.session(), loan_id)
        permit("loan:approve", Facts(path=path_ids(...), owner_ids=frozenset({loan.borrower_id})))
        return loans.service.approve(db.session(), loan_id=loan.id, ...)

A view that declares an action has to ask `permit` before it answers; if it forgets, the answer
is withheld as a fault of ours. `permit` reads, so it belongs inside the unit of work.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import g
from werkzeug import Response

from app.auth import caller
from community.errors import NotAllowed, NotFound
from community.members.principal import Principal, Role

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Facts:
    """What predicates need to know of the thing that is asked for. Ids are internal ones."""

    # The community that it belongs to and that one's ancestors; empty: the whole platform.
    path: tuple[int, ...] = ()
    # Members whose own it is.
    owner_ids: frozenset[int] = frozenset()
    # Members whom it concerns: guarantors of a loan, both sides of a vouch.
    related_ids: frozenset[int] = frozenset()
    # Members who lead the group that it belongs to.
    leader_ids: frozenset[int] = frozenset()
    # Active members of the group or the community that it belongs to.
    member_ids: frozenset[int] = frozenset()


NOTHING_SPECIAL = Facts()

Predicate = Callable[[Principal, Facts], bool]


def is_anybody(principal: Principal, facts: Facts) -> bool:
    """Any known caller."""
    return True


def is_owner(principal: Principal, facts: Facts) -> bool:
    """It is the caller's own."""
    return principal.member_id in facts.owner_ids


def is_related(principal: Principal, facts: Facts) -> bool:
    """It concerns the caller."""
    return principal.member_id in facts.related_ids


def is_leader(principal: Principal, facts: Facts) -> bool:
    """The caller leads the group."""
    return principal.member_id in facts.leader_ids


def is_fellow(principal: Principal, facts: Facts) -> bool:
    """The caller is an active member of the group or the community."""
    return principal.member_id in facts.member_ids


def holds_office(principal: Principal, facts: Facts) -> bool:
    """The caller is an officer of the community or of one above it, or a platform operator."""
    return principal.holds(Role.OFFICER, path=facts.path) or is_operator(principal, facts)


def is_operator(principal: Principal, facts: Facts) -> bool:
    """The caller operates the platform."""
    return principal.holds(Role.OPERATOR)


def is_auditor(principal: Principal, facts: Facts) -> bool:
    """The caller audits the platform, the community or one above it."""
    return principal.holds(Role.AUDITOR, path=facts.path)


# Every action of the platform; features add theirs by `declare`. `flask permissions` prints it.
PERMISSIONS: dict[str, tuple[Predicate, ...]] = {}


def declare(table: Mapping[str, tuple[Predicate, ...]]) -> None:
    """Add a feature's actions to the table; an action is declared once."""
    for action, predicates in table.items():
        if PERMISSIONS.get(action, predicates) != predicates:
            raise ValueError(f"the action {action!r} is declared twice")
        PERMISSIONS[action] = predicates


def requires(
    action: str,
) -> Callable[[Callable[Arguments, Answer]], Callable[Arguments, Answer]]:
    """Declare which action a view is. It has to ask `permit` for it before it answers."""

    def decorate(view: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
        @wraps(view)
        def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            g.permitted = set()
            g.permission_asked = action
            answer = view(*args, **kwargs)
            if action not in g.permitted and _is_success(answer):
                raise RuntimeError(f"the view {view.__name__} answers without permit({action!r})")
            return answer

        run._permission = action  # type: ignore[attr-defined]  # a mark, see app.marks
        return run

    return decorate


def permit(action: str, facts: Facts | None = None) -> None:
    """Let the caller go on with `action` on the thing that `facts` describe, or refuse.

    Raises NotFound if the caller may not even read the thing, else NotAllowed. Without facts
    there is no thing to hide, so the refusal is NotAllowed.
    """
    if may(action, facts):
        mark_permitted(action)
        if facts is not None:
            g.setdefault("looked_at", []).append((action, facts))
        return
    reading = action.partition(":")[0] + ":read"
    if facts is not None and (reading not in PERMISSIONS or not may(reading, facts)):
        raise NotFound()
    raise NotAllowed("This is not yours to do.", action=action)


def may(action: str, facts: Facts | None = None) -> bool:
    """Whether the caller may do `action`: for answers that show each caller what is theirs."""
    principal = caller()
    known = facts or NOTHING_SPECIAL
    return any(predicate(principal, known) for predicate in PERMISSIONS[action])


def mark_permitted(action: str) -> None:
    """Note that the question was asked."""
    g.setdefault("permitted", set()).add(action)


def _is_success(answer: Any) -> bool:
    if isinstance(answer, Response):
        return answer.status_code < 400
    return True
