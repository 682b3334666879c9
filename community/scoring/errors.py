"""Refusals of the early warning."""

from community.errors import Conflict, NotFound


class WarningModelNotFound(NotFound):
    """No model of this id."""

    code = "warning-model-not-found"
    title = "There is no such warning model"


class TrainingNotFound(NotFound):
    """No training of this id."""

    code = "training-not-found"
    title = "There is no such training"


class NotScoredYet(NotFound):
    """The loan was not scored: it is not out, or no day was closed since it was paid out."""

    code = "not-scored-yet"
    title = "There is no warning for this loan yet"


class TooLittleHistory(Conflict):
    """A model needs more loans, more of them gone wrong, or more months than there are.

    `counted` and `wanted` say which. Until then the charter's rules stand in.
    """

    code = "too-little-history"
    title = "There is too little history for a warning model"


class ModelNotGoodEnough(Conflict):
    """On the later part of history the model says no better than the rate alone, or its
    probabilities are too far from what came; it cannot be switched on."""

    code = "model-not-good-enough"
    title = "The warning model is not good enough"


class TrainingUnderWay(Conflict):
    """Another worker is at it; it can be taken over when that one has been silent for its lease."""

    code = "training-under-way"
    title = "Somebody works on this training"
