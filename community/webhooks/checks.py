"""What rows show of webhooks: each delivery tells of a record that is in the book as it says."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.ledger.models import Book, Event, JournalEntry
from community.webhooks.models import WebhookCursor, WebhookDelivery


def check_webhooks(session: Session) -> Iterator[Breach]:
    """Law 8: nobody was told of what is not in the books, and no book is read past its end."""
    rows = session.execute(
        select(WebhookDelivery.id)
        .outerjoin(
            Event,
            (Event.book_id == WebhookDelivery.book_id) & (Event.seq == WebhookDelivery.seq),
        )
        .outerjoin(
            JournalEntry,
            (JournalEntry.book_id == WebhookDelivery.book_id)
            & (JournalEntry.seq == WebhookDelivery.seq),
        )
        .where(
            func.coalesce(Event.kind, JournalEntry.kind, "") != WebhookDelivery.kind,
        )
        .order_by(WebhookDelivery.id)
    )
    for (row_id,) in rows:
        yield Breach(8, "webhook_deliveries", str(row_id), "tells of what its book does not hold")
    past = session.execute(
        select(WebhookCursor.subscription_id, WebhookCursor.book_id)
        .join(Book, Book.id == WebhookCursor.book_id)
        .where(WebhookCursor.after_seq > Book.records)
        .order_by(WebhookCursor.subscription_id, WebhookCursor.book_id)
    )
    for subscription_id, book_id in past:
        yield Breach(
            8, "webhook_cursors", f"{subscription_id}/{book_id}", "has read past the book's end"
        )
