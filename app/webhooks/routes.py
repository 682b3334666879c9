"""Webhooks: an operator says who is told, and looks after what could not be delivered."""

from typing import Any

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now
from app.extensions import db
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import permit, requires
from app.transaction import transactional
from app.webhooks import permissions as _permissions  # noqa: F401  declares this room's actions
from app.webhooks.schemas import (
    DeliveryArgs,
    DeliverySchema,
    WebhookInSchema,
    WebhookSchema,
    WebhookSecretSchema,
    WebhookStateInSchema,
)
from app.webhooks.sending import address_rules, sealer
from app.webhooks.views import delivery_view, webhook_facts, webhook_views
from community.communities import queries as communities
from community.webhooks import queries, service
from community.webhooks.models import WebhookDelivery, WebhookSubscription

blp = Blueprint("webhooks", __name__, description="Webhooks: other systems are told (回调通知)")

_WEBHOOK = "/webhooks/<pid(whk):webhook_id>"


@blp.route("/webhooks", methods=["POST"])
@requires("webhook:keep")
@blp.arguments(WebhookInSchema)
@blp.response(201, WebhookSecretSchema)
@transactional
def add_webhook(data: dict[str, Any]) -> Any:
    """Have a system told of what is recorded from now on; its secret is shown this once."""
    permit("webhook:keep")
    session = db.session()
    community = data["community"] and communities.get_community(session, data["community"])
    subscription, secret = service.subscribe(
        session,
        community_id=community.id if community else None,
        url=data["url"],
        kinds=data["kinds"],
        rules=address_rules(),
        sealer=sealer(),
        now=now(),
        actor_id=caller().member_id,
    )
    return webhook_views([subscription])[0] | {"secret": secret}


@blp.route("/webhooks")
@requires("webhook:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(WebhookSchema))
def list_webhooks(args: dict[str, Any]) -> Page:
    """All webhooks, newest first, those that ended too."""
    permit("webhook:read")
    page = paginate(
        db.session(), queries.webhooks(), key=WebhookSubscription.id, args=args, newest_first=True
    )
    return Page(webhook_views(page.items), page.next_cursor)


@blp.route(_WEBHOOK)
@requires("webhook:read")
@blp.response(200, WebhookSchema)
def get_webhook(webhook_id: str) -> Any:
    """One webhook, with how many of its deliveries wait, arrived, or were given up."""
    return webhook_views([_permitted("webhook:read", webhook_id)])[0]


@blp.route(f"{_WEBHOOK}/state", methods=["POST"])
@requires("webhook:keep")
@blp.arguments(WebhookStateInSchema)
@blp.response(200, WebhookSchema)
@transactional
def set_state(data: dict[str, Any], webhook_id: str) -> Any:
    """Pause it, let it go on where it stopped, or end it for good."""
    subscription = service.set_state(
        db.session(),
        webhook_id=_permitted("webhook:keep", webhook_id).id,
        now=now(),
        actor_id=caller().member_id,
        **data,
    )
    return webhook_views([subscription])[0]


@blp.route(f"{_WEBHOOK}/secret", methods=["POST"])
@requires("webhook:keep")
@blp.response(200, WebhookSecretSchema)
@transactional
def renew_secret(webhook_id: str) -> Any:
    """A new secret in the old one's place, shown in this answer only."""
    subscription, secret = service.renew_secret(
        db.session(),
        webhook_id=_permitted("webhook:keep", webhook_id).id,
        sealer=sealer(),
        now=now(),
        actor_id=caller().member_id,
    )
    return webhook_views([subscription])[0] | {"secret": secret}


@blp.route(f"{_WEBHOOK}/deliveries")
@requires("webhook:read")
@blp.arguments(DeliveryArgs, location="query")
@blp.response(200, page_of(DeliverySchema))
def list_deliveries(args: dict[str, Any], webhook_id: str) -> Page:
    """What a webhook's receiver was told or is to be told, newest first."""
    session = db.session()
    webhook = _permitted("webhook:read", webhook_id)
    statement = queries.deliveries_of(webhook.id, args.pop("state", None))
    page = paginate(session, statement, key=WebhookDelivery.id, args=args, newest_first=True)
    return Page([delivery_view(delivery) for delivery in page.items], page.next_cursor)


@blp.route("/webhook-deliveries/<pid(whd):delivery_id>/redelivery", methods=["POST"])
@requires("webhook:keep")
@blp.response(200, DeliverySchema)
@transactional
def redeliver(delivery_id: str) -> Any:
    """Try a delivery that was given up from the beginning."""
    session = db.session()
    delivery = queries.get_delivery(session, delivery_id)
    permit(
        "webhook:keep",
        webhook_facts(session.get_one(WebhookSubscription, delivery.subscription_id)),
    )
    return delivery_view(service.redeliver(session, delivery_id=delivery.id, now=now()))


def _permitted(action: str, webhook_id: str) -> WebhookSubscription:
    webhook = queries.get_webhook(db.session(), webhook_id)
    permit(action, webhook_facts(webhook))
    return webhook
