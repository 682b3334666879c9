"""Groups that bind and change: agreements kept, amendments, expulsions, leaders recalled, size.

Existing charters get the templates' proposals for the new rules. Agreements in force become the
first version of their group, with the signatures that were given on them.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

REFUSAL = "the past is not changed: post a correction instead"
KEPT = ("group_agreements", "group_signatures")
PLACES = ("invited", "accepted", "signed", "declined", "left")
LIVING = "status IN ('accepted', 'signed')"
SOURCE = "Added with migration 0012: the templates' proposal; decide it in your assembly"
# By kind of community, as its template proposes.
RULES: dict[str, dict[str, Any]] = {
    "region": {
        "second_group_per_product": False,
        "leader_acting_days": 30,
        "amendment_days_max": 30,
        "group_whole_days": 90,
        "kin_warnings": True,
        "mutual_pair_warnings": True,
        "group_alike_bps_max": 5000,
    },
    "interest": {
        "second_group_per_product": False,
        "leader_acting_days": 14,
        "amendment_days_max": 14,
        "group_whole_days": 60,
        "kin_warnings": True,
        "mutual_pair_warnings": True,
        "group_alike_bps_max": 5000,
    },
    "industry": {
        "second_group_per_product": True,
        "leader_acting_days": 30,
        "amendment_days_max": 30,
        "group_whole_days": 90,
        "kin_warnings": True,
        "mutual_pair_warnings": True,
        "group_alike_bps_max": 10_000,
    },
}

charters = sa.table(
    "charters",
    sa.column("id", sa.BigInteger),
    sa.column("community_id", sa.BigInteger),
    sa.column("rules", sa.JSON),
)
communities = sa.table("communities", sa.column("id", sa.BigInteger), sa.column("kind", sa.String))
groups = sa.table(
    "groups",
    sa.column("id", sa.BigInteger),
    sa.column("status", sa.String),
    sa.column("agreement", sa.JSON),
    sa.column("agreement_hash", sa.String),
    sa.column("activated_at", sa.DateTime(timezone=True)),
    sa.column("created_at", sa.DateTime(timezone=True)),
)
places = sa.table(
    "group_members",
    sa.column("id", sa.BigInteger),
    sa.column("group_id", sa.BigInteger),
    sa.column("status", sa.String),
    sa.column("exposure_minor", sa.BigInteger),
    sa.column("signed_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    _widen_groups()
    _widen_places()
    _key_vouches(by_group=True)
    _make_agreements()
    _make_signatures()
    _make_amendments()
    _make_expulsions()
    _fill()
    _guard()
    _change_charters(_with_rules)


def downgrade() -> None:
    """Back to groups that do not change; an expelled member, or a group without leader, is in the
    way."""
    _change_charters(lambda rules, kind: {n: r for n, r in rules.items() if n not in RULES[kind]})
    for table in (
        "expulsion_consents",
        "group_expulsions",
        "group_amendments",
        "group_signatures",
        "group_agreements",
    ):
        op.drop_table(table)
    _key_vouches(by_group=False)
    op.drop_index("uq_group_members_living", table_name="group_members")
    with op.batch_alter_table("group_members") as batch:
        batch.drop_constraint(op.f("ck_group_members_group_member_status"))
        batch.create_check_constraint(
            op.f("ck_group_members_group_member_status"), _one_of("status", PLACES)
        )
        batch.drop_constraint(op.f("fk_group_members_product_id"), type_="foreignkey")
        batch.drop_column("product_id")
        batch.drop_column("recalls_leader")
    _index_living(["community_id", "member_id"])
    with op.batch_alter_table("groups") as batch:
        for name in (
            "led_once_formed",
            "leaders_have_a_term",
            "leaders_act_their_term",
            "short_has_its_days",
            "product_has_its_name",
        ):
            batch.drop_constraint(op.f(f"ck_groups_{name}"))
        batch.create_check_constraint(
            op.f("ck_groups_led_once_formed"),
            "status NOT IN ('signing', 'cooling_off', 'active') OR leader_id IS NOT NULL",
        )
        batch.drop_constraint(op.f("fk_groups_product_id"), type_="foreignkey")
        for name in (
            "product_id",
            "product_name",
            "leader_acts_until_on",
            "election_since_on",
            "short_since_on",
            "whole_by_on",
        ):
            batch.drop_column(name)


def _widen_groups() -> None:
    with op.batch_alter_table("groups") as batch:
        batch.add_column(sa.Column("product_id", _big(), nullable=True))
        batch.add_column(sa.Column("product_name", sa.String(length=120), nullable=True))
        for name in (
            "leader_acts_until_on",
            "election_since_on",
            "short_since_on",
            "whole_by_on",
        ):
            batch.add_column(sa.Column(name, sa.Date(), nullable=True))
        batch.create_foreign_key(op.f("fk_groups_product_id"), "products", ["product_id"], ["id"])
    # A leader elected before acted for the term, and no day longer.
    op.execute("UPDATE groups SET leader_acts_until_on = leader_until_on")
    with op.batch_alter_table("groups") as batch:
        batch.drop_constraint(op.f("ck_groups_led_once_formed"))
        for name, condition in (
            (
                "led_once_formed",
                "status NOT IN ('signing', 'cooling_off') OR leader_id IS NOT NULL",
            ),
            ("leaders_have_a_term", "(leader_until_on IS NULL) = (leader_id IS NULL)"),
            ("leaders_act_their_term", "leader_acts_until_on >= leader_until_on"),
            (
                "short_has_its_days",
                "(short_since_on IS NULL) = (whole_by_on IS NULL)"
                " AND whole_by_on >= short_since_on",
            ),
            ("product_has_its_name", "(product_id IS NULL) = (product_name IS NULL)"),
        ):
            batch.create_check_constraint(op.f(f"ck_groups_{name}"), condition)


def _widen_places() -> None:
    with op.batch_alter_table("group_members") as batch:
        batch.add_column(sa.Column("product_id", _big(), nullable=True))
        batch.add_column(
            sa.Column("recalls_leader", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch.create_foreign_key(
            op.f("fk_group_members_product_id"), "products", ["product_id"], ["id"]
        )
        batch.drop_constraint(op.f("ck_group_members_group_member_status"))
        batch.create_check_constraint(
            op.f("ck_group_members_group_member_status"), _one_of("status", (*PLACES, "expelled"))
        )
    with op.batch_alter_table("group_members") as batch:
        batch.alter_column("recalls_leader", server_default=None)
    op.drop_index("uq_group_members_living", table_name="group_members")
    _index_living(["community_id", "member_id", sa.literal_column("coalesce(product_id, 0)")])


def _index_living(columns: list[Any]) -> None:
    op.create_index(
        "uq_group_members_living",
        "group_members",
        columns,
        unique=True,
        postgresql_where=sa.text(LIVING),
        sqlite_where=sa.text(LIVING),
    )


def _key_vouches(*, by_group: bool) -> None:
    op.drop_index("uq_vouches_live", table_name="vouches")
    columns: list[Any] = ["community_id", "voucher_id", "borrower_id", "kind"]
    if by_group:
        columns.append(sa.literal_column("coalesce(group_id, 0)"))
    op.create_index(
        "uq_vouches_live",
        "vouches",
        columns,
        unique=True,
        postgresql_where=sa.text("status = 'live'"),
        sqlite_where=sa.text("status = 'live'"),
    )


def _make_agreements() -> None:
    op.create_table(
        "group_agreements",
        sa.Column("id", _big(), autoincrement=True, nullable=False),
        sa.Column("group_id", _big(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("basis", _choice("agreement_basis", "signed", "departure"), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("agreement_hash", sa.String(length=64), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_group_agreements_versions_count_up")),
        _key("group_agreements", "group_id", "groups"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_agreements")),
        sa.UniqueConstraint(
            "group_id", "version", name=op.f("uq_group_agreements_group_id_version")
        ),
        sa.UniqueConstraint(
            "group_id", "agreement_hash", name=op.f("uq_group_agreements_group_id_agreement_hash")
        ),
    )


def _make_signatures() -> None:
    op.create_table(
        "group_signatures",
        sa.Column("id", _big(), autoincrement=True, nullable=False),
        sa.Column("group_member_id", _big(), nullable=False),
        sa.Column("agreement_hash", sa.String(length=64), nullable=False),
        sa.Column("exposure_minor", sa.BigInteger(), nullable=False),
        sa.Column("elsewhere_minor", sa.BigInteger(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        _whole("group_signatures", "exposure_minor"),
        _whole("group_signatures", "elsewhere_minor"),
        sa.CheckConstraint(
            "exposure_minor >= 0 AND elsewhere_minor >= 0",
            name=op.f("ck_group_signatures_exposures_not_negative"),
        ),
        _key("group_signatures", "group_member_id", "group_members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_signatures")),
        sa.UniqueConstraint(
            "group_member_id",
            "agreement_hash",
            name=op.f("uq_group_signatures_group_member_id_agreement_hash"),
        ),
    )
    op.create_index("ix_group_signatures_agreement_hash", "group_signatures", ["agreement_hash"])


def _make_amendments() -> None:
    op.create_table(
        "group_amendments",
        sa.Column("id", _big(), autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("group_id", _big(), nullable=False),
        sa.Column(
            "status",
            _choice(
                "amendment_status",
                "signing",
                "cooling_off",
                "in_force",
                "refused",
                "withdrawn",
                "lapsed",
            ),
            nullable=False,
        ),
        sa.Column("pair_cap_minor", sa.BigInteger(), nullable=False),
        sa.Column("vouch_expires_on", sa.Date(), nullable=False),
        sa.Column("base_hash", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("agreement_hash", sa.String(length=64), nullable=False),
        sa.Column("charter_version", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("proposed_by_id", _big(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapses_on", sa.Date(), nullable=False),
        sa.Column("cooling_off_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        _whole("group_amendments", "pair_cap_minor"),
        sa.CheckConstraint("pair_cap_minor > 0", name=op.f("ck_group_amendments_cap_is_positive")),
        sa.CheckConstraint(
            "status <> 'in_force' OR cooling_off_until IS NOT NULL",
            name=op.f("ck_group_amendments_in_force_after_thinking"),
        ),
        sa.CheckConstraint(
            "(status IN ('signing', 'cooling_off')) = (ended_at IS NULL)",
            name=op.f("ck_group_amendments_ends_once"),
        ),
        _key("group_amendments", "group_id", "groups"),
        _key("group_amendments", "proposed_by_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_amendments")),
        sa.UniqueConstraint("public_id", name=op.f("uq_group_amendments_public_id")),
    )
    op.create_index("ix_group_amendments_group_id", "group_amendments", ["group_id"])
    _index_open("group_amendments", ["group_id"])


def _make_expulsions() -> None:
    op.create_table(
        "group_expulsions",
        sa.Column("id", _big(), autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("group_id", _big(), nullable=False),
        sa.Column("member_id", _big(), nullable=False),
        sa.Column("settlement", _choice("settlement", "repaid", "taken_over"), nullable=False),
        sa.Column(
            "status",
            _choice("expulsion_status", "voting", "effected", "refused", "withdrawn", "lapsed"),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("proposed_by_id", _big(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapses_on", sa.Date(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'voting') = (ended_at IS NULL)", name=op.f("ck_group_expulsions_ends_once")
        ),
        _key("group_expulsions", "group_id", "groups"),
        _key("group_expulsions", "member_id", "members"),
        _key("group_expulsions", "proposed_by_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_expulsions")),
        sa.UniqueConstraint("public_id", name=op.f("uq_group_expulsions_public_id")),
    )
    op.create_index("ix_group_expulsions_group_id", "group_expulsions", ["group_id"])
    _index_open("group_expulsions", ["group_id", "member_id"])
    op.create_table(
        "expulsion_consents",
        sa.Column("id", _big(), autoincrement=True, nullable=False),
        sa.Column("expulsion_id", _big(), nullable=False),
        sa.Column("member_id", _big(), nullable=False),
        sa.Column("takes_over_minor", sa.BigInteger(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        _whole("expulsion_consents", "takes_over_minor"),
        sa.CheckConstraint(
            "takes_over_minor >= 0", name=op.f("ck_expulsion_consents_takes_over_not_negative")
        ),
        _key("expulsion_consents", "expulsion_id", "group_expulsions"),
        _key("expulsion_consents", "member_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expulsion_consents")),
        sa.UniqueConstraint(
            "expulsion_id", "member_id", name=op.f("uq_expulsion_consents_expulsion_id_member_id")
        ),
    )


def _index_open(table: str, columns: list[str]) -> None:
    op.create_index(
        f"uq_{table}_open",
        table,
        columns,
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )


def _fill() -> None:
    """What is in force becomes version 1, with the signatures that were given on it."""
    bind = op.get_bind()
    agreements = sa.table(
        "group_agreements",
        *(
            sa.column(name, kind)
            for name, kind in (
                ("group_id", sa.BigInteger),
                ("version", sa.Integer),
                ("basis", sa.String),
                ("document", sa.JSON),
                ("agreement_hash", sa.String),
                ("bound_at", sa.DateTime(timezone=True)),
            )
        ),
    )
    signatures = sa.table(
        "group_signatures",
        *(
            sa.column(name)
            for name in (
                "group_member_id",
                "agreement_hash",
                "exposure_minor",
                "elsewhere_minor",
                "signed_at",
            )
        ),
    )
    in_force = bind.execute(
        sa.select(groups).where(
            groups.c.agreement_hash.is_not(None),
            groups.c.status.in_(["signing", "cooling_off", "active"]),
        )
    ).all()
    for row in in_force:
        if row.status == "active":
            bind.execute(
                agreements.insert().values(
                    group_id=row.id,
                    version=1,
                    basis="signed",
                    document=row.agreement,
                    agreement_hash=row.agreement_hash,
                    bound_at=row.activated_at or row.created_at,
                )
            )
        bind.execute(
            signatures.insert().from_select(
                [column.name for column in signatures.columns],
                sa.select(
                    places.c.id,
                    sa.literal(row.agreement_hash),
                    sa.func.coalesce(places.c.exposure_minor, 0),
                    sa.literal(0),
                    places.c.signed_at,
                ).where(places.c.group_id == row.id, places.c.status == "signed"),
            )
        )


def _guard() -> None:
    for table in KEPT:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
            continue
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER {table}_keep_{verb} BEFORE {verb.upper()} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )


def _change_charters(change: Any) -> None:
    bind = op.get_bind()
    rows = bind.execute(
        sa.select(charters.c.id, communities.c.kind, charters.c.rules).join_from(
            charters, communities, communities.c.id == charters.c.community_id
        )
    ).all()
    for row_id, kind, rules in rows:
        bind.execute(
            sa.update(charters).where(charters.c.id == row_id).values(rules=change(rules, kind))
        )


def _with_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    added = {name: {"value": value, "source": SOURCE} for name, value in RULES[kind].items()}
    return {**added, **rules}


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _whole(table: str, column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        f"typeof({column}) IN ('integer', 'null')", name=op.f(f"ck_{table}_{column}_is_whole")
    ).ddl_if(dialect="sqlite")


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))
