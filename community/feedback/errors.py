"""What feedback refuses."""

from community.errors import (
    AlreadyExists,
    Invalid,
    LimitReached,
    NotAllowed,
    NotFound,
    WrongState,
)


class SubjectNotFound(NotFound):
    """There is no such thing to give feedback on, or it does not concern the caller."""

    code = "feedback-subject-not-found"
    title = "No such thing to give feedback on"


class NotDecidedYet(WrongState):
    """A decision is rated and commented on when it has been made."""

    code = "not-decided-yet"
    title = "There is no decision yet"


class FeedbackNotFound(NotFound):
    """There is no such item, or the caller may not know that there is."""

    code = "feedback-not-found"
    title = "No such feedback"


class FeedbackExhausted(LimitReached):
    """The charter limits what one member sends in a day or a week; go on when it is over."""

    code = "feedback-exhausted"
    title = "You have said as much as the charter admits for now"


class SaidAlready(AlreadyExists):
    """You have sent this very text before; each member counts once for a theme, however often."""

    code = "said-already"
    title = "You have said this already"


class FeedbackHidden(WrongState):
    """The text is hidden, for a reason that the auditors can read."""

    code = "feedback-hidden"
    title = "This text is hidden"


class ComplaintNotFound(NotFound):
    """There is no such complaint, or the caller may not know that there is."""

    code = "complaint-not-found"
    title = "No such complaint"


class ComplaintClosed(WrongState):
    """The complaint is closed with its outcome; who complained may reopen it for a while."""

    code = "complaint-closed"
    title = "The complaint is closed"


class ComplaintOpen(WrongState):
    """Only a closed complaint is reopened."""

    code = "complaint-open"
    title = "The complaint is open"


class ReopeningOver(LimitReached):
    """The charter's days for reopening are over, or it was reopened as often as it admits."""

    code = "reopening-over"
    title = "The complaint cannot be reopened any more"


class NotTheComplaintOwner(NotAllowed):
    """Only who owns the complaint now may do this."""

    code = "not-the-complaint-owner"
    title = "Only the complaint's owner may do this"


class ThemeNotFound(NotFound):
    """There is no such theme, or the caller may not know that there is."""

    code = "theme-not-found"
    title = "No such theme"


class ThemeNotOpen(WrongState):
    """Only an open theme takes items, is merged or put to the vote."""

    code = "theme-not-open"
    title = "The theme is not open"


class PollNotPossible(Invalid):
    """The days of the vote are not what the charter admits, or nobody could vote."""

    code = "poll-not-possible"
    title = "The theme cannot be voted on like this"


class PollNotOpen(WrongState):
    """There is no vote on this theme today."""

    code = "poll-not-open"
    title = "There is no vote today"


class NotAVoter(NotAllowed):
    """Active members vote who joined so long before the vote opened as the charter asks."""

    code = "not-a-voter"
    title = "You cannot vote on this"


class VotedAlready(AlreadyExists):
    """Everybody votes once."""

    code = "voted-already"
    title = "You have voted"


class VoteMissing(WrongState):
    """What is accepted was carried by a vote first; put the theme to the vote."""

    code = "vote-missing"
    title = "No vote has carried this"


class NotAccepted(WrongState):
    """A product version ships what was accepted, and once."""

    code = "theme-not-accepted"
    title = "The theme is not accepted, or shipped already"


class VersionDoesNotNameIt(Invalid):
    """The version was published after the decision, here or above, and its source names the theme.

    Publish a version whose source holds the theme's id.
    """

    code = "version-does-not-name-it"
    title = "The version does not name this decision"


class MessageNotFound(NotFound):
    """There is no such message for the caller."""

    code = "message-not-found"
    title = "No such message"
