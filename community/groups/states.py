"""The life of a group, of a place in it, and of what its members propose: one table. Pure.

A step of a group says in which states it can be taken and where it leads (None: the group stays
where it is). Places, amendments and expulsions are small enough to say from where to where.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from community.groups.errors import GroupStepNotAllowed, PlaceStepNotAllowed, ProposalClosed
from community.groups.models import (
    AmendmentStatus,
    ExpulsionStatus,
    GroupMemberStatus,
    GroupStatus,
)


class Step(StrEnum):
    """What can be done with a group, in the words that its page uses."""

    CHANGE_TERMS = "change its terms"
    INVITE = "invite"
    ANSWER_INVITATION = "answer an invitation"
    VOTE = "vote for a leader"
    FIX_AGREEMENT = "fix the agreement"
    UNDERSTAND = "answer the questions"
    SIGN = "sign"
    ALL_SIGNED = "begin to cool off"
    STEP_BACK = "step back"
    REOPEN = "form again"
    ACTIVATE = "begin to bind"
    GIVE_UP = "give up"
    CALL_ELECTION = "call an election"
    RECALL = "recall the leader"
    PROPOSE_AMENDMENT = "propose an amendment"
    AMEND = "put an amendment into force"
    EXIT = "exit"
    PROPOSE_EXPULSION = "propose an expulsion"
    EXPEL = "expel"
    DISSOLVE = "dissolve"


@dataclass(frozen=True, slots=True)
class Move:
    """In which states a step can be taken, and where it leads; None: nowhere else."""

    in_: frozenset[GroupStatus]
    to: GroupStatus | None = None


_F, _S, _C, _A, _D = GroupStatus
STEPS: Mapping[Step, Move] = {
    Step.CHANGE_TERMS: Move(frozenset({_F})),
    Step.INVITE: Move(frozenset({_F})),
    Step.ANSWER_INVITATION: Move(frozenset({_F})),
    Step.VOTE: Move(frozenset({_F, _A})),
    Step.FIX_AGREEMENT: Move(frozenset({_F}), _S),
    Step.UNDERSTAND: Move(frozenset({_S})),
    Step.SIGN: Move(frozenset({_S})),
    Step.ALL_SIGNED: Move(frozenset({_S}), _C),
    Step.STEP_BACK: Move(frozenset({_F, _S, _C}), _F),
    Step.REOPEN: Move(frozenset({_S, _C}), _F),
    Step.ACTIVATE: Move(frozenset({_C}), _A),
    Step.GIVE_UP: Move(frozenset({_F, _S, _C}), _D),
    Step.CALL_ELECTION: Move(frozenset({_A})),
    Step.RECALL: Move(frozenset({_A})),
    Step.PROPOSE_AMENDMENT: Move(frozenset({_A})),
    Step.AMEND: Move(frozenset({_A})),
    Step.EXIT: Move(frozenset({_A})),
    Step.PROPOSE_EXPULSION: Move(frozenset({_A})),
    Step.EXPEL: Move(frozenset({_A})),
    Step.DISSOLVE: Move(frozenset({_A}), _D),
}

_P = GroupMemberStatus
PLACES: Mapping[GroupMemberStatus, frozenset[GroupMemberStatus]] = {
    # Straight to signed: taken into an active group by an amendment that everybody signed.
    _P.INVITED: frozenset({_P.ACCEPTED, _P.DECLINED, _P.SIGNED}),
    _P.ACCEPTED: frozenset({_P.SIGNED, _P.LEFT}),
    # Back to accepted: the agreement that was signed is void, the group forms again.
    _P.SIGNED: frozenset({_P.ACCEPTED, _P.LEFT, _P.EXPELLED}),
    _P.DECLINED: frozenset({_P.INVITED}),
    _P.LEFT: frozenset({_P.INVITED}),
    _P.EXPELLED: frozenset({_P.INVITED}),
}

_M = AmendmentStatus
AMENDMENTS: Mapping[AmendmentStatus, frozenset[AmendmentStatus]] = {
    _M.SIGNING: frozenset({_M.COOLING_OFF, _M.REFUSED, _M.WITHDRAWN, _M.LAPSED}),
    _M.COOLING_OFF: frozenset({_M.IN_FORCE, _M.REFUSED, _M.WITHDRAWN, _M.LAPSED}),
    _M.IN_FORCE: frozenset(),
    _M.REFUSED: frozenset(),
    _M.WITHDRAWN: frozenset(),
    _M.LAPSED: frozenset(),
}

_X = ExpulsionStatus
EXPULSIONS: Mapping[ExpulsionStatus, frozenset[ExpulsionStatus]] = {
    _X.VOTING: frozenset({_X.EFFECTED, _X.REFUSED, _X.WITHDRAWN, _X.LAPSED}),
    _X.EFFECTED: frozenset(),
    _X.REFUSED: frozenset(),
    _X.WITHDRAWN: frozenset(),
    _X.LAPSED: frozenset(),
}


def check_step(status: GroupStatus, step: Step) -> GroupStatus:
    """Where the step leads, or a refusal that names the steps that are possible now."""
    move = STEPS[step]
    if status not in move.in_:
        raise GroupStepNotAllowed(
            f"The group is {_read(status)}; to {step.value} is possible while it is "
            f"{' or '.join(_read(other) for other in GroupStatus if other in move.in_)}.",
            status=status.value,
            asked=step.value,
            allowed_in=[other.value for other in GroupStatus if other in move.in_],
            possible=possible(status),
        )
    return status if move.to is None else move.to


def possible(status: GroupStatus) -> list[str]:
    """The steps that a group in this state has, in the order of its life."""
    return [step.value for step, move in STEPS.items() if status in move.in_]


def check_place(status: GroupMemberStatus | None, to: GroupMemberStatus) -> GroupMemberStatus:
    """Refuse a move of a member's place that the table does not have. None: there is no place."""
    allowed = frozenset({_P.INVITED, _P.ACCEPTED}) if status is None else PLACES[status]
    if to not in allowed:
        was = "none" if status is None else status.value
        raise PlaceStepNotAllowed(
            f"A place that is {was} cannot become {to.value}.",
            status=was,
            asked=to.value,
            allowed=sorted(other.value for other in allowed),
        )
    return to


def check_amendment(status: AmendmentStatus, to: AmendmentStatus) -> AmendmentStatus:
    """Refuse a step of an amendment that the table does not have."""
    if to not in AMENDMENTS[status]:
        raise _closed("amendment", status, to, AMENDMENTS[status])
    return to


def check_expulsion(status: ExpulsionStatus, to: ExpulsionStatus) -> ExpulsionStatus:
    """Refuse a step of an expulsion that the table does not have."""
    if to not in EXPULSIONS[status]:
        raise _closed("expulsion", status, to, EXPULSIONS[status])
    return to


def _closed(what: str, status: StrEnum, to: StrEnum, allowed: frozenset[StrEnum]) -> ProposalClosed:
    return ProposalClosed(
        f"The {what} is {_read(status)} and cannot become {_read(to)}; propose it anew.",
        status=status.value,
        asked=to.value,
        allowed=sorted(other.value for other in allowed),
    )


def _read(status: StrEnum) -> str:
    return status.value.replace("_", " ")
