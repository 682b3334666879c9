"""The life of a campaign and of a household in it: one table. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from community.campaigns.errors import CampaignStepNotAllowed
from community.campaigns.models import CampaignStatus, HouseholdStatus


class Step(StrEnum):
    """What can be done with a campaign."""

    DRAW = "draw reviewers"
    ANSWER = "answer"
    DRAW_AGAIN = "begin a second round"
    CLOSE = "close the review"
    DECIDE = "decide on a finding"
    VISIT = "enter a visit"
    PUBLISH = "publish"
    OBJECT = "object"
    ANSWER_OBJECTION = "answer an objection"
    BEGIN_GRANTING = "grant"
    GRANT = "grant to a household"
    FINISH = "finish granting"
    REVOKE = "revoke a grant"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Move:
    """In which states a step can be taken, and where it leads; None: nowhere else."""

    in_: frozenset[CampaignStatus]
    to: CampaignStatus | None = None


_O, _R, _C, _P, _G, _D, _X = CampaignStatus
STEPS: Mapping[Step, Move] = {
    Step.DRAW: Move(frozenset({_O}), _R),
    Step.ANSWER: Move(frozenset({_R})),
    Step.DRAW_AGAIN: Move(frozenset({_R})),
    Step.CLOSE: Move(frozenset({_R}), _C),
    Step.DECIDE: Move(frozenset({_C})),
    Step.VISIT: Move(frozenset({_C})),
    Step.PUBLISH: Move(frozenset({_C}), _P),
    Step.OBJECT: Move(frozenset({_P})),
    Step.ANSWER_OBJECTION: Move(frozenset({_P})),
    Step.BEGIN_GRANTING: Move(frozenset({_P, _G}), _G),
    Step.GRANT: Move(frozenset({_G})),
    Step.FINISH: Move(frozenset({_G}), _D),
    Step.REVOKE: Move(frozenset({_G, _D})),
    # What was granted is revoked household by household, each with its reason.
    Step.CANCEL: Move(frozenset({_O, _R, _C, _P}), _X),
}

_H = HouseholdStatus
HOUSEHOLDS: Mapping[HouseholdStatus, frozenset[HouseholdStatus]] = {
    _H.REVIEWED: frozenset({_H.PROPOSED, _H.WITHHELD}),
    # Anew, when a reviewer is excluded.
    _H.PROPOSED: frozenset({_H.WITHHELD, _H.REFUSED, _H.GRANTED, _H.LAPSED}),
    _H.WITHHELD: frozenset({_H.PROPOSED}),
    # An objection of the household's own may bring it back.
    _H.REFUSED: frozenset({_H.PROPOSED}),
    _H.GRANTED: frozenset({_H.REVOKED, _H.EXPIRED}),
    _H.LAPSED: frozenset(),
    _H.REVOKED: frozenset(),
    _H.EXPIRED: frozenset(),
}


def after(status: CampaignStatus, step: Step) -> CampaignStatus:
    """Where a step leads from a state. Raises CampaignStepNotAllowed."""
    move = STEPS[step]
    if status not in move.in_:
        possible = ", ".join(sorted(state.value for state in move.in_))
        raise CampaignStepNotAllowed(
            f"The campaign is {status.value}; to {step.value} is possible when it is {possible}.",
            state=status.value,
            step=step.value,
            possible_in=sorted(state.value for state in move.in_),
        )
    return move.to or status


def steps_in(status: CampaignStatus) -> tuple[Step, ...]:
    """What can be done with a campaign now."""
    return tuple(step for step, move in STEPS.items() if status in move.in_)


def moved(status: HouseholdStatus, to: HouseholdStatus) -> HouseholdStatus:
    """The new state of a household, if the table has such a move; staying is none."""
    assert to is status or to in HOUSEHOLDS[status], f"no household goes from {status} to {to}"
    return to
