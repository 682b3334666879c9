"""Following what members said, both ways: item → theme → vote → decision → version → message.

And per community: what are people asking for, what became of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.feedback import themes
from community.feedback.models import FeedbackItem, Message, Placement, Poll, Theme
from community.feedback.voices import weigh_themes
from community.feedback.weighing import Weighed
from community.products.models import Product, ProductVersion


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """A theme with what is behind it and what became of it."""

    theme: Theme
    weighed: Weighed
    # All votes on it, the last one last.
    polls: tuple[Poll, ...]
    merged_into: Theme | None
    merged: tuple[Theme, ...]
    product: Product | None
    version: ProductVersion | None


@dataclass(frozen=True, slots=True)
class Trail:
    """Where an item went: its places, the theme that it is in, what its author was told."""

    item: FeedbackItem
    placements: Sequence[Placement]
    theme: ThemeFile | None
    messages: Sequence[Message]


def theme_files(session: Session, rows: Sequence[Theme], on: date) -> list[ThemeFile]:
    """Themes of one community in full; a fixed number of statements, however many."""
    if not rows:
        return []
    [community_id] = {theme.community_id for theme in rows}
    ids = [theme.id for theme in rows]
    rules = communities.charter_on(session, community_id, on).rules
    weighed = weigh_themes(session, community_id, ids, rules)
    polls: dict[int, list[Poll]] = {theme_id: [] for theme_id in ids}
    for poll in themes.polls_of(session, ids):
        polls[poll.theme_id].append(poll)
    near = session.scalars(
        select(Theme).where(
            Theme.merged_into_id.in_(ids)
            | Theme.id.in_({t.merged_into_id for t in rows if t.merged_into_id is not None})
        )
    ).all()
    by_id = {theme.id: theme for theme in near}
    versions = _versions(session, {t.shipped_version_id for t in rows if t.shipped_version_id})
    found = []
    for theme in rows:
        version, product = versions.get(theme.shipped_version_id or 0, (None, None))
        found.append(
            ThemeFile(
                theme,
                weighed[theme.id],
                tuple(polls[theme.id]),
                by_id.get(theme.merged_into_id or 0),
                tuple(sorted((t for t in near if t.merged_into_id == theme.id), key=_id)),
                product,
                version,
            )
        )
    return found


def trail_of(session: Session, item: FeedbackItem, on: date) -> Trail:
    """Everything that came of one item."""
    theme = None
    messages: Sequence[Message] = ()
    if item.theme_id is not None:
        [theme] = theme_files(session, [session.get_one(Theme, item.theme_id)], on)
        messages = session.scalars(
            select(Message)
            .where(Message.theme_id == item.theme_id, Message.member_id == item.author_id)
            .order_by(Message.id)
        ).all()
    return Trail(item, themes.placements_of(session, item.id), theme, messages)


def items_in(session: Session, theme_id: int) -> Sequence[FeedbackItem]:
    """The items of a theme, oldest first."""
    return session.scalars(
        select(FeedbackItem).where(FeedbackItem.theme_id == theme_id).order_by(FeedbackItem.id)
    ).all()


def _versions(session: Session, ids: Collection[int]) -> dict[int, tuple[ProductVersion, Product]]:
    rows = session.execute(
        select(ProductVersion, Product)
        .join(Product, Product.id == ProductVersion.product_id)
        .where(ProductVersion.id.in_(ids))
    )
    return {row[0].id: (row[0], row[1]) for row in rows}


def _id(theme: Theme) -> int:
    return theme.id
