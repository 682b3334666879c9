"""The steps of a membership: applied → active → suspended → left. Pure."""

from enum import StrEnum

from community.communities.errors import MembershipStepNotAllowed
from community.communities.models import MembershipStatus as S


class MembershipStep(StrEnum):
    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RESUME = "resume"
    LEAVE = "leave"


STEPS: dict[MembershipStep, tuple[frozenset[S], S]] = {
    MembershipStep.ACTIVATE: (frozenset({S.APPLIED}), S.ACTIVE),
    MembershipStep.SUSPEND: (frozenset({S.ACTIVE}), S.SUSPENDED),
    MembershipStep.RESUME: (frozenset({S.SUSPENDED}), S.ACTIVE),
    # Who applied may withdraw, or be turned down: they leave without having been in.
    MembershipStep.LEAVE: (frozenset({S.APPLIED, S.ACTIVE, S.SUSPENDED}), S.LEFT),
}


def after(status: S, step: MembershipStep) -> S:
    """The status after a step. Raises MembershipStepNotAllowed."""
    allowed, reached = STEPS[step]
    if status not in allowed:
        raise MembershipStepNotAllowed(
            f"A membership that is {status.value} cannot {step.value}.",
            status=status.value,
            step=step.value,
            allowed_from=sorted(item.value for item in allowed),
        )
    return reached
