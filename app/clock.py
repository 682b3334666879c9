"""What time it is for the platform. Nothing else in the code asks the system's clock."""

from datetime import UTC, date, datetime

from flask import current_app

from config.settings import Settings


class Clock:
    """The system's clock, or one that stands still (`fixed`) until somebody sets it anew."""

    def __init__(self, settings: Settings) -> None:
        self.timezone = settings.business_timezone
        self.fixed: datetime | None = settings.fixed_now

    def now(self) -> datetime:
        """This instant, in UTC."""
        return (self.fixed or datetime.now(UTC)).astimezone(UTC)

    def today(self) -> date:
        """The business date: the calendar day in the platform's time zone."""
        return self.now().astimezone(self.timezone).date()


def now() -> datetime:
    """This instant, in UTC."""
    clock: Clock = current_app.extensions["clock"]
    return clock.now()


def today() -> date:
    """The business date."""
    clock: Clock = current_app.extensions["clock"]
    return clock.today()
