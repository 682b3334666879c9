"""Refusals of the arithmetic."""

from community.errors import Invalid


class ScheduleImpossible(Invalid):
    """No schedule follows from these terms, such as a season whose selling days have passed."""

    code = "schedule-impossible"
    title = "No repayment schedule follows from these terms"


class HistoryImpossible(Invalid):
    """The events of a loan cannot have happened together, such as a receipt before any money."""

    code = "history-impossible"
    title = "These events cannot all have happened to one loan"
