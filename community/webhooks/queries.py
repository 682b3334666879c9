"""Reading webhooks and their deliveries."""

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from community.webhooks.errors import WebhookNotFound
from community.webhooks.models import (
    DeliveryState,
    WebhookDelivery,
    WebhookState,
    WebhookSubscription,
)


def get_webhook(session: Session, public_id: str) -> WebhookSubscription:
    """Raises WebhookNotFound."""
    found = session.scalars(
        select(WebhookSubscription).where(WebhookSubscription.public_id == public_id)
    ).one_or_none()
    if found is None:
        raise WebhookNotFound()
    return found


def get_delivery(session: Session, public_id: str) -> WebhookDelivery:
    """Raises WebhookNotFound."""
    found = session.scalars(
        select(WebhookDelivery).where(WebhookDelivery.public_id == public_id)
    ).one_or_none()
    if found is None:
        raise WebhookNotFound("There is no such delivery.")
    return found


def webhooks() -> Select[WebhookSubscription]:
    """All of them."""
    return select(WebhookSubscription)


def deliveries_of(webhook_id: int, state: DeliveryState | None = None) -> Select[WebhookDelivery]:
    """Deliveries of one webhook, of one state if it is named."""
    query = select(WebhookDelivery).where(WebhookDelivery.subscription_id == webhook_id)
    return query if state is None else query.where(WebhookDelivery.state == state)


def active_ids(session: Session) -> list[int]:
    """Webhooks for which books are read."""
    return list(
        session.scalars(
            select(WebhookSubscription.id)
            .where(WebhookSubscription.state == WebhookState.ACTIVE)
            .order_by(WebhookSubscription.id)
        )
    )


def counts(session: Session, webhook_ids: list[int]) -> dict[int, dict[DeliveryState, int]]:
    """How many deliveries of each webhook are in which state."""
    found: dict[int, dict[DeliveryState, int]] = {number: {} for number in webhook_ids}
    for number, state, count in session.execute(
        select(WebhookDelivery.subscription_id, WebhookDelivery.state, func.count())
        .where(WebhookDelivery.subscription_id.in_(webhook_ids))
        .group_by(WebhookDelivery.subscription_id, WebhookDelivery.state)
    ):
        found[number][state] = count
    return found
