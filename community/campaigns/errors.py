"""Refusals of the campaigns room."""

from community.errors import (
    AlreadyExists,
    AmountOutOfRange,
    Conflict,
    Invalid,
    LimitReached,
    NotAllowed,
    NotFound,
    WrongState,
)


class CampaignNotFound(NotFound):
    code = "campaign-not-found"
    title = "No such campaign"


class CampaignHouseholdNotFound(NotFound):
    code = "campaign-household-not-found"
    title = "The household is not in this campaign"


class AssignmentNotFound(NotFound):
    code = "campaign-assignment-not-found"
    title = "No such household to review"


class CampaignFindingNotFound(NotFound):
    code = "campaign-finding-not-found"
    title = "No such finding"


class ObjectionNotFound(NotFound):
    code = "campaign-objection-not-found"
    title = "No such objection"


class CampaignRunning(AlreadyExists):
    """A community has one campaign at a time: finish it, or cancel it with a reason."""

    code = "campaign-running"
    title = "A campaign of this community is under way"


class CampaignStepNotAllowed(WrongState):
    """A campaign is drawn, reviewed, checked, published and granted in this order."""

    code = "campaign-step-not-allowed"
    title = "The campaign is in a state from which this step is not possible"


class NoHouseholds(Conflict):
    """Only active members who are entered with a household are reviewed: enter households first."""

    code = "campaign-without-households"
    title = "The community has no households to review"


class NotAHolder(Invalid):
    """Who holds a household's credit lives in it and is an active member."""

    code = "campaign-holder"
    title = "This member cannot hold the household's credit"


class NotAReviewer(Invalid):
    """Reviewers are active members of the community who are entered with a household."""

    code = "campaign-reviewer"
    title = "This member cannot review"


class NoDraw(Conflict):
    """No draw keeps the rules: name more reviewers, or change reviewers per household."""

    code = "campaign-no-draw"
    title = "Reviewers cannot be drawn"


class RoundClosed(WrongState):
    """Answers may be changed until their round closes; then they are kept as they are."""

    code = "campaign-round-closed"
    title = "The round is closed"


class NowYourHousehold(Conflict):
    """Nobody reviews their own household, also if they moved into it after the draw."""

    code = "campaign-own-household"
    title = "This is your household by now"


class StillBlind(Conflict):
    """Answers are shown to nobody until all rounds are closed."""

    code = "campaign-answers-blind"
    title = "The review is still blind"


class FindingDecided(WrongState):
    """A finding is decided once; a bias is corrected by the charter's rule."""

    code = "campaign-finding-decided"
    title = "There is nothing to decide on this finding"


class NothingToVisit(Conflict):
    """Who is visited is drawn; households without a proposal are not."""

    code = "campaign-not-sampled"
    title = "The household is not among those to be visited"


class CampaignUnfinished(Conflict):
    """Before publication every finding is decided and every drawn household is visited."""

    code = "campaign-unfinished"
    title = "Something is left to do before this step"


class LineDoesNotFit(LimitReached):
    """The line takes every proposed sub-limit: raise it, or lower what is proposed."""

    code = "campaign-line-too-small"
    title = "The credit line is too small for what is proposed"


class WrongLine(Invalid):
    """Sub-limits are granted on a line of the whole community that is not closed."""

    code = "campaign-line"
    title = "This line cannot be used by the campaign"


class NotInPeriod(WrongState):
    """Objections are raised from publication to the last day of the period."""

    code = "campaign-objection-period"
    title = "The objection period does not allow this"


class ObjectionRaised(AlreadyExists):
    """Who has an open objection on a household waits for its answer."""

    code = "campaign-objection-raised"
    title = "You have an open objection on this household"


class ObjectionAnswered(WrongState):
    """An objection is answered once."""

    code = "campaign-objection-answered"
    title = "The objection is answered already"


class OwnCampaignMatter(NotAllowed):
    """Nobody decides on their own household or on their own words: another officer has to."""

    code = "campaign-own-matter"
    title = "This concerns you: another officer decides"


class AmountAboveCap(AmountOutOfRange):
    """The charter says how much a campaign grants a household at most."""

    code = "campaign-amount"
    title = "The amount is above what the charter allows a household"


class GrantNotLive(WrongState):
    """Only what was granted and has not ended can be revoked."""

    code = "campaign-grant-not-live"
    title = "There is no live grant to revoke"
