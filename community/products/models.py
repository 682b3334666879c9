"""Loan products, their versions, and seasons."""

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import Base, Instant, Key, Text120, new_public_id


class Product(Base):
    """A loan product of a community, for it and what nests in it. Its terms are in versions."""

    __tablename__ = "products"
    __table_args__ = (UniqueConstraint("community_id", "code"),)

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("prd")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    code: Mapped[str] = mapped_column(String(40))
    name: Mapped[Text120]
    created_at: Mapped[Instant]


class ProductVersion(Base):
    """A product's terms from a day on. Loans freeze the version that they were made from."""

    __tablename__ = "product_versions"
    __table_args__ = (
        UniqueConstraint("product_id", "version"),
        UniqueConstraint("product_id", "valid_from"),
        CheckConstraint("version >= 1", name="versions_count_up"),
    )

    id: Mapped[Key]
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    version: Mapped[int]
    valid_from: Mapped[date]
    # `products.terms.ProductTerms` as a document.
    terms: Mapped[dict[str, Any]] = mapped_column(JSON)
    source: Mapped[str] = mapped_column(String(500))
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]


class Season(Base):
    """One crop's calendar in one region for one year (农时)."""

    __tablename__ = "seasons"
    __table_args__ = (
        UniqueConstraint("community_id", "code"),
        CheckConstraint(
            "sow_from <= sow_until AND sow_until < harvest_from AND harvest_from <= sell_from"
            " AND (harvest_until IS NULL OR harvest_until >= harvest_from)",
            name="in_the_order_of_nature",
        ),
        Index("ix_seasons_crop", "crop"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("sea")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    code: Mapped[str] = mapped_column(String(40))
    crop: Mapped[Text120]
    sow_from: Mapped[date]
    sow_until: Mapped[date]
    harvest_from: Mapped[date]
    # None: until the crop is first sold.
    harvest_until: Mapped[date | None]
    # The first day of `selling`, where SQL can see it.
    sell_from: Mapped[date]
    # [{"due_on": "2027-10-15", "weight": 60}, …]: when the crop is sold, and how much of it.
    selling: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    # [{"pay_on": "2027-03-20", "weight": 50}, …]: when loans go out; none: in one sum.
    tranches: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    # [{"window": "sow", "spend_weight": 60, "earn_weight": 0}, …]: what households expect.
    cash_flow: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    # What people call the year, such as 2027 or 2027/28.
    year_label: Mapped[str] = mapped_column(String(20), default="")
    notes: Mapped[str] = mapped_column(String(500), default="")
    # Who says so: a station's calendar, the assembly, last years' sales.
    source: Mapped[str] = mapped_column(String(500), default="")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]
