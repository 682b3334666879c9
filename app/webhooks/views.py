"""Webhooks and deliveries as the API and the pages show them."""

from collections.abc import Sequence
from typing import Any

from app.extensions import db
from app.permissions import Facts
from community.communities.models import Community
from community.webhooks import queries
from community.webhooks.models import DeliveryState, WebhookDelivery, WebhookSubscription


def webhook_facts(webhook: WebhookSubscription) -> Facts:
    """What the permission table needs to know of a webhook."""
    if webhook.community_id is None:
        return Facts()
    return Facts(path=db.session().get_one(Community, webhook.community_id).path_ids)


def webhook_views(subscriptions: Sequence[WebhookSubscription]) -> list[dict[str, Any]]:
    """Webhooks with their counts; the statements do not grow with them, but for communities."""
    session = db.session()
    counts = queries.counts(session, [row.id for row in subscriptions])
    found = []
    for row in subscriptions:
        community = row.community_id and session.get_one(Community, row.community_id).public_id
        found.append(
            {
                "id": row.public_id,
                "url": row.url,
                "kinds": row.kinds,
                "community": community,
                "state": row.state,
                "reason": row.reason,
                **{state.value: counts[row.id].get(state, 0) for state in DeliveryState},
                "created_at": row.created_at,
                "ended_at": row.ended_at,
            }
        )
    return found


def delivery_view(row: WebhookDelivery) -> dict[str, Any]:
    """One delivery."""
    names = ("kind", "subject", "seq", "recorded_at", "state", "attempts", "next_at")
    more = ("last_status", "fault", "settled_at")
    return {"id": row.public_id, **{name: getattr(row, name) for name in (*names, *more)}}
