"""Refusals of the products room."""

from community.arithmetic.errors import ScheduleImpossible
from community.errors import AlreadyExists, Conflict, Invalid, NotFound

__all__ = ["ScheduleImpossible"]


class ProductNotFound(NotFound):
    """There is no such loan product, or it is not offered where the caller asks for it."""

    code = "product-not-found"
    title = "No such loan product"


class SeasonNotFound(NotFound):
    """There is no such season, or it is not one of the community's."""

    code = "season-not-found"
    title = "No such season"


class ProductExists(AlreadyExists):
    """The community has a product under this code already."""

    code = "product-exists"
    title = "A product with this code exists already"


class SeasonExists(AlreadyExists):
    """The community has a season under this code already."""

    code = "season-exists"
    title = "A season with this code exists already"


class TermsInvalid(Invalid):
    """A product's terms are incomplete or contradict each other; `errors` names each term."""

    code = "terms-invalid"
    title = "The product's terms are not complete or not consistent"


class SeasonInvalid(Invalid):
    """A season's dates are out of nature's order, or its selling windows are not usable."""

    code = "season-invalid"
    title = "The season's calendar is not usable"


class RateAboveCap(Invalid):
    """The yearly rate by actual cash flows is above what the charter allows."""

    code = "rate-above-cap"
    title = "The rate is above the charter's cap"


class LiabilityModeNotAllowed(Invalid):
    """The charter does not allow loans under this liability mode."""

    code = "liability-mode-not-allowed"
    title = "The charter does not allow this liability mode"


class VersionOutOfOrder(Conflict):
    """A new version starts after the last one, and not in the past."""

    code = "version-out-of-order"
    title = "A version cannot start on this day"


class VersionMovedOn(Conflict):
    """Another version came after the one that this draft was compared with."""

    code = "version-moved-on"
    title = "Another version was published meanwhile"


class ProductNotInForce(Conflict):
    """No version of the product is in force on the day."""

    code = "product-not-in-force"
    title = "The product is not on offer on this day"
