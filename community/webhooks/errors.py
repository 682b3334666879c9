"""Refusals of webhooks."""

from community.errors import Conflict, Invalid, NotFound


class WebhookNotFound(NotFound):
    """There is no such webhook, or no such delivery."""

    code = "webhook-not-found"
    title = "There is no such webhook"


class WebhookUrlRefused(Invalid):
    """The receiver's address is not one that this platform sends to: see docs/webhooks.md."""

    code = "webhook-url-refused"
    title = "Nothing is sent to this address"


class WebhookKindUnknown(Invalid):
    """No record of this kind is ever told of; `known` lists all that are."""

    code = "webhook-kind-unknown"
    title = "There is no such kind"


class WebhookEnded(Conflict):
    """The webhook was ended for good; make another."""

    code = "webhook-ended"
    title = "The webhook has ended"


class DeliveryNotDead(Conflict):
    """Only a delivery that was given up can be sent anew: others are under way, or arrived."""

    code = "delivery-not-dead"
    title = "The delivery was not given up"
