"""Webhooks: who is told of what, what arrived, and what has to be sent again."""

from typing import Any

from flask import Response, request, url_for

from app.auth import caller
from app.clock import now
from app.extensions import db
from app.pages.forms import Form, Nothing, answer, read, read_query
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.platform.room import pages
from app.permissions import may, permit, requires
from app.transaction import in_transaction
from app.webhooks.schemas import DeliveryArgs, WebhookInSchema, WebhookStateInSchema
from app.webhooks.sending import address_rules, sealer
from app.webhooks.views import delivery_view, webhook_facts, webhook_views
from community.communities import queries as communities
from community.errors import CommunityError, NotAllowed, NotFound
from community.webhooks import queries, service
from community.webhooks.kinds import FAMILIES, KINDS
from community.webhooks.models import (
    DeliveryState,
    WebhookDelivery,
    WebhookState,
    WebhookSubscription,
)


@pages.listed("webhooks")
@pages.get("/platform/webhooks")
@requires("webhook:read")
def webhooks() -> Response:
    """All webhooks, newest first, with how their deliveries stand."""
    permit("webhook:read")
    found, older, first = listed(db.session(), queries.webhooks(), WebhookSubscription.id)
    return page(
        "platform/webhooks.html",
        webhooks=webhook_views(found.items),
        may_keep=may("webhook:keep"),
        older=older,
        first=first,
    )


@pages.route("/platform/webhooks/new", methods=["GET", "POST"])
@requires("webhook:keep")
def new_webhook() -> Any:
    """Make a webhook; its secret is shown on the answer, this once. Sent twice, one is made."""
    permit("webhook:keep")
    made: list[tuple[WebhookSubscription, str]] = []

    def work(data: dict[str, Any]) -> str:
        permit("webhook:keep")
        session = db.session()
        community = data["community"] and communities.get_community(session, data["community"])
        webhook, secret = service.subscribe(
            session,
            community_id=community.id if community else None,
            url=data["url"],
            kinds=data["kinds"],
            rules=address_rules(),
            sealer=sealer(),
            now=now(),
            actor_id=caller().member_id,
        )
        made[:] = [(webhook, secret)]
        return url_for("platform.webhook", webhook_id=webhook.public_id)

    def show(form: Form) -> Response:
        return page(
            "platform/webhook_new.html",
            form=form,
            families=FAMILIES,
            all_kinds=KINDS,
            ticked=request.form.getlist("kinds"),
        )

    done = answer(WebhookInSchema, work, show)
    if done.status_code == 303 and made:
        return _secret_page(*made[0])
    return done


@pages.get("/platform/webhooks/<pid(whk):webhook_id>")
@requires("webhook:read")
def webhook(webhook_id: str) -> Response:
    """One webhook and its deliveries."""
    return _webhook_page(_permitted("webhook:read", webhook_id), Form())


@pages.post("/platform/webhooks/<pid(whk):webhook_id>/state")
@requires("webhook:keep")
def set_webhook_state(webhook_id: str) -> Any:
    """Pause it, let it go on, or end it for good."""
    found = _permitted("webhook:keep", webhook_id)

    def work(data: dict[str, Any]) -> str:
        service.set_state(
            db.session(),
            webhook_id=_permitted("webhook:keep", webhook_id).id,
            now=now(),
            actor_id=caller().member_id,
            **data,
        )
        return url_for("platform.webhook", webhook_id=webhook_id)

    return answer(
        WebhookStateInSchema,
        work,
        lambda form: _webhook_page(found, form),
        said=("platform", "state_set_said"),
    )


@pages.post("/platform/webhooks/<pid(whk):webhook_id>/secret")
@requires("webhook:keep")
def renew_webhook_secret(webhook_id: str) -> Any:
    """A new secret, shown this once; sent twice, the second is the one that counts."""
    _permitted("webhook:keep", webhook_id)

    def work() -> tuple[WebhookSubscription, str]:
        return service.renew_secret(
            db.session(),
            webhook_id=_permitted("webhook:keep", webhook_id).id,
            sealer=sealer(),
            now=now(),
            actor_id=caller().member_id,
        )

    form, _ = read(Nothing())
    try:
        # Not remembered like other forms: what was answered holds a secret.
        found, secret = in_transaction(work)
    except (NotFound, NotAllowed):
        raise
    except CommunityError as refusal:
        form.refuse(refusal)
        refused = _webhook_page(_permitted("webhook:keep", webhook_id), form)
        refused.status_code = form.status
        return refused
    return _secret_page(found, secret)


@pages.post("/platform/deliveries/<pid(whd):delivery_id>/redelivery")
@requires("webhook:keep")
def send_again(delivery_id: str) -> Any:
    """Try a delivery that was given up from the beginning."""
    session = db.session()
    delivery = queries.get_delivery(session, delivery_id)
    found = session.get_one(WebhookSubscription, delivery.subscription_id)
    permit("webhook:keep", webhook_facts(found))
    number, back = delivery.id, url_for("platform.webhook", webhook_id=found.public_id)

    def work(data: dict[str, Any]) -> str:
        permit("webhook:keep", webhook_facts(found))
        service.redeliver(db.session(), delivery_id=number, now=now())
        return back

    return answer(
        Nothing, work, lambda form: _webhook_page(found, form), said=("platform", "again_said")
    )


def _permitted(action: str, webhook_id: str) -> WebhookSubscription:
    found = queries.get_webhook(db.session(), webhook_id)
    permit(action, webhook_facts(found))
    return found


def _secret_page(found: WebhookSubscription, secret: str) -> Response:
    return page("platform/webhook_secret.html", webhook=webhook_views([found])[0], secret=secret)


def _webhook_page(found: WebhookSubscription, form: Form) -> Response:
    session = db.session()
    _, asked = read_query(DeliveryArgs(only=("state",)))
    state: DeliveryState | None = asked.get("state")
    deliveries, older, first = listed(
        session, queries.deliveries_of(found.id, state), WebhookDelivery.id
    )
    narrowed = f"&state={state.value}" if state is not None else ""
    return page(
        "platform/webhook.html",
        form=form,
        webhook=webhook_views([found])[0],
        deliveries=[delivery_view(row) for row in deliveries.items],
        state=state,
        states=list(DeliveryState),
        may_keep=may("webhook:keep", webhook_facts(found)),
        is_over=found.state is WebhookState.ENDED,
        is_active=found.state is WebhookState.ACTIVE,
        older=older and older + narrowed,
        first=first and f"{first}{narrowed.replace('&', '?', 1)}",
    )
