"""Webhooks: who is told, what is to be told, and what becomes of each delivery.

The book itself is the outbox. What a service records is in it with the commit or not at all, in the
order of the commits, as its lock is held until then; so nothing is written twice, no service
knows of webhooks, and a payment waits for nobody who listens. A worker reads each book on from
where it stopped and makes a delivery of every record that somebody wants to be told of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, or_, select
from sqlalchemy.orm import Session, aliased

from community.communities.models import Community
from community.ledger.events import record_event
from community.ledger.models import Book, Event, JournalEntry, Posting
from community.loans.models import Loan
from community.locks import lock_one
from community.webhooks.addresses import Rules, read_url
from community.webhooks.errors import DeliveryNotDead, WebhookEnded
from community.webhooks.kinds import check_kinds, wanted
from community.webhooks.models import (
    DeliveryState,
    WebhookCursor,
    WebhookDelivery,
    WebhookState,
    WebhookSubscription,
)
from community.webhooks.signing import Sealer, new_secret

GONE = 410
_GONE_FOR_GOOD = "the receiver answered that it is gone for good (410)"
_FAULT_MOST = 500


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a delivery is tried, and how long it waits in between."""

    attempts: int
    first: timedelta
    most: timedelta

    def wait(self, attempts: int) -> timedelta:
        """The wait after so many tries: doubled each time, up to the longest."""
        # Beyond thirty doublings the longest is reached, whatever it is.
        doublings: int = 2 ** min(attempts - 1, 30)
        return min(self.first * doublings, self.most)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that a worker has the lease of, ready to be signed and sent."""

    delivery_id: int
    public_id: str
    url: str
    secret_sealed: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of sending: the receiver's status if it answered, and what was wrong."""

    status: int | None
    fault: str = ""

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def subscribe(
    session: Session,
    *,
    community_id: int | None,
    url: str,
    kinds: Sequence[str],
    rules: Rules,
    sealer: Sealer,
    now: datetime,
    actor_id: int | None,
) -> tuple[WebhookSubscription, str]:
    """A new webhook and its secret, shown this once. It tells what is recorded from now on.

    Raises WebhookUrlRefused, WebhookKindUnknown.
    """
    read_url(url, rules)
    check_kinds(kinds)
    secret = new_secret()
    subscription = WebhookSubscription(
        community_id=community_id,
        url=url,
        kinds=sorted(set(kinds)),
        secret_sealed=sealer.seal(secret),
        created_by_id=actor_id,
        created_at=now,
    )
    session.add(subscription)
    session.flush()  # its number goes into the cursors
    heads = [
        {"subscription_id": subscription.id, "book_id": book_id, "after_seq": records}
        for book_id, records, _ in _books(session, subscription)
        if records
    ]
    if heads:
        session.execute(insert(WebhookCursor), heads)
    _note(session, subscription, "webhook.created", now, actor_id, kinds=subscription.kinds)
    return subscription, secret


def set_state(
    session: Session,
    *,
    webhook_id: int,
    state: WebhookState,
    reason: str,
    now: datetime,
    actor_id: int | None,
) -> WebhookSubscription:
    """Pause a webhook, let it go on where it stopped, or end it. Raises WebhookEnded."""
    subscription = _lock(session, webhook_id)
    if subscription.state is not state:
        subscription.state = state
        subscription.reason = "" if state is WebhookState.ACTIVE else reason
        if state is WebhookState.ENDED:
            subscription.ended_at = now
            # Not kept longer than it is of use.
            subscription.secret_sealed = ""
        _note(session, subscription, f"webhook.{state.value}", now, actor_id, reason=reason)
    return subscription


def renew_secret(
    session: Session, *, webhook_id: int, sealer: Sealer, now: datetime, actor_id: int | None
) -> tuple[WebhookSubscription, str]:
    """A new secret in the old one's place, shown once. Raises WebhookEnded."""
    subscription = _lock(session, webhook_id)
    secret = new_secret()
    subscription.secret_sealed = sealer.seal(secret)
    _note(session, subscription, "webhook.secret_renewed", now, actor_id)
    return subscription, secret


def redeliver(session: Session, *, delivery_id: int, now: datetime) -> WebhookDelivery:
    """Try a delivery that was given up from the beginning. Raises DeliveryNotDead, WebhookEnded."""
    delivery = lock_one(session, WebhookDelivery, delivery_id)
    if delivery.state is not DeliveryState.DEAD:
        raise DeliveryNotDead(f"It is {delivery.state.value}.", state=delivery.state.value)
    if session.get_one(WebhookSubscription, delivery.subscription_id).state is WebhookState.ENDED:
        raise WebhookEnded()
    delivery.state = DeliveryState.WAITING
    delivery.attempts, delivery.next_at, delivery.settled_at = 0, now, None
    return delivery


def fan_out(session: Session, *, webhook_id: int, now: datetime, limit: int) -> int:
    """Make deliveries of what was recorded since; how many records of how many books were read.

    At most `limit` records of one book; 0: there is nothing more, or another worker is at it.
    """
    subscription = session.scalars(
        select(WebhookSubscription)
        .where(
            WebhookSubscription.id == webhook_id,
            WebhookSubscription.state == WebhookState.ACTIVE,
        )
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if subscription is None:
        return 0
    moved = 0
    for book_id, records, after in _books(session, subscription):
        if records <= after:
            continue
        rows, reached = _records(session, subscription, book_id, after, records, limit)
        if rows:
            session.execute(
                insert(WebhookDelivery),
                [
                    {
                        "subscription_id": subscription.id,
                        "book_id": book_id,
                        "seq": seq,
                        "kind": kind,
                        "subject": subject,
                        "recorded_at": recorded_at,
                        "next_at": now,
                        "created_at": now,
                    }
                    for seq, kind, subject, recorded_at in rows
                ],
            )
        cursor = session.get(WebhookCursor, (subscription.id, book_id), populate_existing=True)
        if cursor is None:
            cursor = WebhookCursor(subscription_id=subscription.id, book_id=book_id, after_seq=0)
            session.add(cursor)
        cursor.after_seq = reached
        moved += reached - after
    return moved


def take(
    session: Session, *, worker: str, lease: timedelta, now: datetime, retries: Retries
) -> Parcel | None:
    """The next delivery that is due, leased to a worker; None: there is none.

    Of one subject the earlier goes first, and the later waits until it is settled. A delivery
    whose worker died on its last try is given up here.
    """
    while (delivery := _due(session, now)) is not None:
        if delivery.attempts < retries.attempts:
            break
        _give_up(delivery, delivery.fault or "the worker died while it was sending", now)
        session.flush()
    else:
        return None
    delivery.attempts += 1
    delivery.lease_owner, delivery.lease_until = worker, now + lease
    subscription = session.get_one(WebhookSubscription, delivery.subscription_id)
    community = session.scalar(
        select(Community.public_id)
        .join(Book, Book.community_id == Community.id)
        .where(Book.id == delivery.book_id)
    )
    return Parcel(
        delivery.id,
        delivery.public_id,
        subscription.url,
        subscription.secret_sealed,
        document_of(delivery, community),
    )


def settle(
    session: Session,
    *,
    delivery_id: int,
    worker: str,
    result: Result,
    now: datetime,
    retries: Retries,
) -> bool:
    """Note what came of a try. False: the lease is another's by now, whose word counts.

    A receiver that says it is gone for good is not asked again until an operator says so.
    """
    subscription = None
    if result.status == GONE:
        of = session.get_one(WebhookDelivery, delivery_id).subscription_id
        subscription = lock_one(session, WebhookSubscription, of)
    delivery = lock_one(session, WebhookDelivery, delivery_id)
    if delivery.lease_owner != worker:
        return False
    delivery.lease_owner = delivery.lease_until = None
    delivery.last_status = result.status
    delivery.fault = result.fault[:_FAULT_MOST]
    if result.is_taken:
        delivery.state, delivery.next_at = DeliveryState.DELIVERED, None
        delivery.settled_at = now
    elif subscription is not None:
        _give_up(delivery, _GONE_FOR_GOOD, now)
        if subscription.state is WebhookState.ACTIVE:
            subscription.state, subscription.reason = WebhookState.PAUSED, _GONE_FOR_GOOD
            _note(session, subscription, "webhook.paused", now, None, reason=_GONE_FOR_GOOD)
    elif delivery.attempts >= retries.attempts:
        _give_up(delivery, result.fault, now)
    else:
        delivery.next_at = now + retries.wait(delivery.attempts)
    return True


def document_of(delivery: WebhookDelivery, community: str | None) -> dict[str, Any]:
    """What a receiver gets: ids, kind and instants; whoever may know more asks the API."""
    return {
        "id": delivery.public_id,
        "type": delivery.kind,
        "timestamp": delivery.recorded_at.isoformat().replace("+00:00", "Z"),
        "data": {"subject": delivery.subject, "community": community, "seq": delivery.seq},
    }


def _give_up(delivery: WebhookDelivery, why: str, now: datetime) -> None:
    delivery.state = DeliveryState.DEAD
    delivery.next_at = delivery.lease_owner = delivery.lease_until = None
    delivery.fault = why[:_FAULT_MOST] or "it was not taken"
    delivery.settled_at = now


def _due(session: Session, now: datetime) -> WebhookDelivery | None:
    earlier = aliased(WebhookDelivery)
    return session.scalars(
        select(WebhookDelivery)
        .join(WebhookSubscription, WebhookSubscription.id == WebhookDelivery.subscription_id)
        .where(
            WebhookSubscription.state == WebhookState.ACTIVE,
            WebhookDelivery.state == DeliveryState.WAITING,
            WebhookDelivery.next_at <= now,
            or_(WebhookDelivery.lease_until.is_(None), WebhookDelivery.lease_until < now),
            ~select(earlier.id)
            .where(
                earlier.subscription_id == WebhookDelivery.subscription_id,
                earlier.subject == WebhookDelivery.subject,
                earlier.state == DeliveryState.WAITING,
                earlier.id < WebhookDelivery.id,
            )
            .exists(),
        )
        .order_by(WebhookDelivery.next_at, WebhookDelivery.id)
        .limit(1)
        .with_for_update(of=WebhookDelivery, skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _books(session: Session, subscription: WebhookSubscription) -> list[tuple[int, int, int]]:
    """Books of a subscription: number, records in it, how far they have been read."""
    query = (
        select(Book.id, Book.records, func.coalesce(WebhookCursor.after_seq, 0))
        .outerjoin(
            WebhookCursor,
            (WebhookCursor.book_id == Book.id) & (WebhookCursor.subscription_id == subscription.id),
        )
        .order_by(Book.id)
    )
    if subscription.community_id is not None:
        path = session.scalars(
            select(Community.path).where(Community.id == subscription.community_id)
        ).one()
        query = query.join(Community, Community.id == Book.community_id).where(
            Community.path.startswith(path, autoescape=True)
        )
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def _records(
    session: Session,
    subscription: WebhookSubscription,
    book_id: int,
    after: int,
    upto: int,
    limit: int,
) -> tuple[list[tuple[int, str, str, datetime]], int]:
    """What a book holds for a subscription, and how far that was read.

    `upto` is the head that was read first: everything below it is committed, whatever else
    is written while these two questions are asked.
    """
    kinds = wanted(subscription.kinds)
    events = session.execute(
        select(Event.seq, Event.kind, Event.subject, Event.recorded_at)
        .where(Event.book_id == book_id, Event.seq > after, Event.seq <= upto)
        .where(Event.kind.in_(kinds))
        .order_by(Event.seq)
        .limit(limit)
    ).all()
    # An entry of one loan is about that loan; sums over many are nobody's news.
    entries = session.execute(
        select(
            JournalEntry.seq, JournalEntry.kind, func.min(Loan.public_id), JournalEntry.recorded_at
        )
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(Loan, Loan.id == Posting.loan_id)
        .where(JournalEntry.book_id == book_id, JournalEntry.seq > after, JournalEntry.seq <= upto)
        .where(JournalEntry.kind.in_(kinds))
        .group_by(JournalEntry.id, JournalEntry.seq, JournalEntry.kind, JournalEntry.recorded_at)
        .having(func.count(Loan.id.distinct()) == 1)
        .order_by(JournalEntry.seq)
        .limit(limit)
    ).all()
    for rows in (events, entries):
        if len(rows) == limit:
            upto = min(upto, rows[-1][0])
    found = sorted(
        (seq, kind, subject, recorded_at)
        for seq, kind, subject, recorded_at in (*events, *entries)
        if seq <= upto
    )
    return found, upto


def _lock(session: Session, webhook_id: int) -> WebhookSubscription:
    subscription = lock_one(session, WebhookSubscription, webhook_id)
    if subscription.state is WebhookState.ENDED:
        raise WebhookEnded()
    return subscription


def _note(
    session: Session,
    subscription: WebhookSubscription,
    kind: str,
    now: datetime,
    actor_id: int | None,
    **facts: Any,
) -> None:
    record_event(
        session,
        community_id=subscription.community_id,
        kind=kind,
        subject=subscription.public_id,
        actor_id=actor_id,
        now=now,
        facts=facts,
    )
