"""A small village that lends: for tests of products and loans, on a plain session."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities import templates
from community.communities.models import Community, CommunityKind
from community.groups.models import Group, GroupMember, GroupMemberStatus, GroupStatus
from community.ledger import rules
from community.ledger import service as ledger
from community.loans import service as loans
from community.loans.models import Loan
from community.locks import lock_one
from community.members import service as members
from community.members.models import Member, MemberKind
from community.money import Money
from community.products import service as products
from community.products.models import Product, Season

TODAY = date(2027, 3, 25)
NOW = datetime(2027, 3, 25, 2, 0, tzinfo=UTC)

MONTHLY: dict[str, Any] = {
    "currency": "CNY",
    "principal_minor_min": 100_00,
    "principal_minor_max": 50_000_00,
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 96_000,
    "day_count": "30/360",
    "period_unit": "month",
    "period_length": 1,
    "instalments_min": 3,
    "instalments_max": 36,
    "instalment_multiple_minor": 1,
    "allocation_order": ["interest", "principal"],
    "cover_ratio_bps": 10_000,
    "liability_mode": "several",
}
SEASONAL = MONTHLY | {"amortisation": "seasonal", "day_count": "actual/365", "instalments_min": 1}
SELLING = [{"due_on": "2027-10-15", "weight": 60}, {"due_on": "2027-12-01", "weight": 40}]


def cny(minor: int) -> Money:
    return Money(minor, "CNY")


@dataclass
class Village:
    """A township with a charter, a village in it, its people, two products and a crop.

    What it does is committed, as a unit of work of its own.
    """

    session: Session
    township: Community
    village: Community
    monthly: Product
    seasonal: Product
    rice: Season
    people: list[Member] = field(default_factory=list)

    def person(self, name: str = "Wang Fang", **facts: Any) -> Member:
        """An active member of the village."""
        member = members.register_member(
            self.session, kind=MemberKind.PERSON, name=name, now=NOW, **facts
        )
        self.join(member)
        self.people.append(member)
        self.session.commit()
        return member

    def join(self, member: Member) -> None:
        place = {"community_id": self.village.id, "member_id": member.id, "on": TODAY, "now": NOW}
        communities.apply_for_membership(self.session, **place, actor_id=member.id)
        communities.activate_membership(self.session, **place, actor_id=None)

    def active_group(self, count: int = 5) -> tuple[Group, list[Member]]:
        """A group at its end: active, all signed, the first member leading."""
        people = [self.person(f"Member {n}") for n in range(1, count + 1)]
        group = Group(
            community_id=self.village.id,
            name="East bank",
            status=GroupStatus.ACTIVE,
            pair_cap_minor=2_000_00,
            vouch_expires_on=TODAY + timedelta(days=365),
            founder_id=people[0].id,
            leader_id=people[0].id,
            leader_until_on=TODAY + timedelta(days=365),
            created_at=NOW,
        )
        self.session.add(group)
        self.session.flush()
        for person in people:
            self.session.add(
                GroupMember(
                    group_id=group.id,
                    community_id=self.village.id,
                    member_id=person.id,
                    status=GroupMemberStatus.SIGNED,
                    understood_at=NOW,
                    signed_at=NOW,
                    invited_by_id=people[0].id,
                    invited_at=NOW,
                )
            )
        self.session.commit()
        return group, people

    def fund(self, minor: int) -> None:
        """Put money into the village's lending pool."""
        ledger.post(
            self.session,
            community_id=self.village.id,
            currency="CNY",
            kind="capital.received",
            legs=rules.capital_received(minor),
            on=TODAY,
            now=NOW,
            reference="capital",
        )
        self.session.commit()

    def applied(self, borrower: Member, minor: int = 1_000_00, **changes: Any) -> Loan:
        """A submitted application for a monthly loan over three months."""
        facts: dict[str, Any] = {
            "community_id": self.village.id,
            "borrower_id": borrower.id,
            "product_id": self.monthly.id,
            "principal": cny(minor),
            "instalments": 3,
            "purpose": "a pump",
            "on": TODAY,
            "now": NOW,
            "actor_id": borrower.id,
        }
        loan = loans.apply(self.session, **facts | changes)
        self.session.commit()
        return loan

    def approved(self, borrower: Member, minor: int = 1_000_00, **changes: Any) -> Loan:
        """An approved loan. No cover is reserved: that is for the rooms above."""
        loan = self.applied(borrower, minor, **changes)
        self.endorse(loan)
        self.approve(loan)
        return loan

    def endorse(self, loan: Loan) -> None:
        loans.endorse(
            self.session,
            loan_id=loan.id,
            endorser_id=self.person("Endorser").id,
            on=TODAY,
            now=NOW,
        )
        self.session.commit()

    def approve(self, loan: Loan) -> None:
        lock_one(self.session, Loan, loan.id)
        loans.mark_approved(self.session, loan=loan, on=TODAY, now=NOW, actor_id=None)
        self.session.commit()

    def disbursed(self, borrower: Member, minor: int = 1_000_00, **changes: Any) -> Loan:
        """A loan that was paid out today from a pool that has enough."""
        loan = self.approved(borrower, minor, **changes)
        self.fund(minor)
        loans.disburse(self.session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=None)
        self.session.commit()
        return loan


def make_village(session: Session, charter: Mapping[str, Any] | None = None) -> Village:
    """Found the village; `charter` replaces values of the template's rules."""
    template = templates.load("village-cooperative")
    document = template["rules"]
    for name, value in (charter or {}).items():
        document[name] = {"value": value, "source": "this test"}
    township, village = None, None
    for reference in ("township", "village"):
        founded = communities.create_community(
            session,
            kind=CommunityKind.REGION,
            name=reference.title(),
            reference=reference,
            currency="CNY",
            now=NOW,
            actor_id=None,
            parent_id=township.id if township else None,
        )
        township, village = township or founded, founded
    assert township is not None
    assert village is not None
    communities.adopt_charter(
        session,
        community_id=township.id,
        rules_document=document,
        valid_from=TODAY - timedelta(days=400),
        source="the general assembly",
        now=NOW,
        actor_id=None,
    )
    monthly = offer(session, township, "monthly", MONTHLY)
    seasonal = offer(session, township, "seasonal", SEASONAL)
    rice = products.add_season(
        session,
        community_id=township.id,
        code="rice-2027",
        crop="rice",
        sow_from=date(2027, 3, 20),
        sow_until=date(2027, 5, 10),
        harvest_from=date(2027, 9, 20),
        selling=SELLING,
        now=NOW,
        actor_id=None,
    )
    session.commit()
    return Village(session, township, village, monthly, seasonal, rice)


def offer(
    session: Session,
    community: Community,
    code: str,
    terms: Mapping[str, Any],
    valid_from: date = TODAY,
) -> Product:
    """A product with one version in force from today."""
    product = products.create_product(
        session, community_id=community.id, code=code, name=code.title(), now=NOW, actor_id=None
    )
    products.publish_version(
        session,
        product_id=product.id,
        terms_document=terms,
        valid_from=valid_from,
        source="the lending committee",
        on=min(TODAY, valid_from),
        now=NOW,
        actor_id=None,
    )
    return product
