"""A hamlet of households that review each other, on a plain session."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.campaigns.work import grant_all
from community.campaigns import deciding, queries, service
from community.campaigns.granting import Left
from community.campaigns.models import (
    Campaign,
    CampaignAssignment,
    CampaignFinding,
    CampaignHousehold,
    CampaignStatus,
    Debts,
    Decision,
    ObjectionStatus,
    VisitResult,
)
from community.communities import service as communities
from community.members import service as members
from community.members.models import MemberKind
from tests.hamlet import Hamlet, yuan

# Half granted, nobody visited: a test says what it wants otherwise.
RULES: dict[str, Any] = {
    "campaign_reviewers_per_household": 3,
    "campaign_known_min": 2,
    "campaign_rounds_max": 1,
    "campaign_grant_share_bps": 5_000,
    "campaign_household_minor_max": 1_000_00,
    "campaign_recheck_bps": 0,
    "campaign_objection_days": 7,
    "campaign_expiry_months": 12,
    "campaign_bias_answers_min": 50,
    "campaign_agreement_ppm": 0,
}

# What somebody says of a household: an amount, or None where they do not know it.
Said = Callable[[str, str], int | None]


@dataclass
class Hamlets:
    """Households named h0, h1, …, each with one person of that name; and the officer."""

    session: Session
    size: int = 8
    rules: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hamlet = Hamlet(self.session, rules=RULES | self.rules)
        self.do = self.hamlet.do
        self.names = [f"h{number}" for number in range(self.size)]
        self.homes: dict[str, int] = {}
        # All of them in one unit of work: it is their review that is looked at.
        self.do(self._move_in)

    def _move_in(self, session: Session) -> None:
        facts: dict[str, Any] = {"actor_id": None, **self.hamlet.when}
        for name in self.names:
            home = members.register_household(session, reference=name, now=self.hamlet.now)
            member = members.register_member(
                session,
                kind=MemberKind.PERSON,
                name=name,
                household_id=home.id,
                now=self.hamlet.now,
            )
            place = {"community_id": self.hamlet.community.id, "member_id": member.id}
            communities.apply_for_membership(session, **place, **facts)
            communities.activate_membership(session, **place, **facts)
            self.hamlet.people[name], self.homes[name] = member, home.id

    def settle(self, home: str, member_id: int) -> None:
        """Somebody moves into a household."""
        found = self.do(members.register_household, reference=home, now=self.hamlet.now)
        self.homes[home] = found.id
        self.do(
            members.move_to_household,
            member_id=member_id,
            household_id=found.id,
            now=self.hamlet.now,
            actor_id=None,
        )

    def id(self, name: str) -> int:
        return self.hamlet.people[name].id

    @property
    def act(self) -> dict[str, Any]:
        return {"actor_id": self.hamlet.officer.id, **self.hamlet.when}

    def open(self, **given: Any) -> Campaign:
        facts = {"community_id": self.hamlet.community.id, "name": "Spring", "seed": "7"}
        return self.do(service.open_campaign, **facts | given, **self.act)

    def drawn(self, **given: Any) -> Campaign:
        campaign = self.open(**given)
        return self.do(service.draw_reviewers, campaign_id=campaign.id, **self.act)

    def assignments(self, campaign: Campaign) -> list[CampaignAssignment]:
        statement = select(CampaignAssignment).where(
            CampaignAssignment.campaign_id == campaign.id,
            CampaignAssignment.round == campaign.round,
        )
        return list(self.session.scalars(statement.order_by(CampaignAssignment.id)))

    def name_of(self, member_id: int) -> str:
        people = {"officer": self.hamlet.officer, **self.hamlet.people}
        return next(name for name, one in people.items() if one.id == member_id)

    def home_of(self, household_id: int) -> str:
        return next(name for name, home in self.homes.items() if home == household_id)

    def answer(self, campaign: Campaign, said: Said) -> None:
        """Everybody answers the open round."""
        asked = [
            (one, said(self.name_of(one.reviewer_id), self.home_of(one.household_id)))
            for one in self.assignments(campaign)
        ]

        def answers(session: Session) -> None:
            for one, figure in asked:
                service.answer(session, **self.answer_of(one, figure))

        self.do(answers)

    def answer_of(self, one: CampaignAssignment, figure: int | None) -> dict[str, Any]:
        facts: dict[str, Any] = {"knows": False, "debts": Debts.UNKNOWN}
        if figure is not None:
            facts = {"knows": True, "debts": Debts.NONE, "reputation": 4, "limit": yuan(figure)}
        who = {"assignment_id": one.id, "actor_id": one.reviewer_id, "now": self.hamlet.now}
        return facts | who

    def say(self, one: CampaignAssignment, figure: int | None, **given: Any) -> None:
        self.do(service.answer, **self.answer_of(one, figure) | given)

    def close(self, campaign: Campaign) -> Campaign:
        return self.do(service.close_round, campaign_id=campaign.id, **self.act)

    def reviewed(self, said: Said = lambda who, home: 400_00, **given: Any) -> Campaign:
        """Opened, drawn, answered and closed."""
        campaign = self.drawn(**given)
        self.answer(campaign, said)
        return self.close(campaign)

    def published(self, said: Said = lambda who, home: 400_00, **given: Any) -> Campaign:
        campaign = self.reviewed(said, **given)
        return self.publish(campaign)

    def publish(self, campaign: Campaign) -> Campaign:
        return self.do(deciding.publish, campaign_id=campaign.id, **self.act)

    def after_objections(self) -> None:
        self.hamlet.day += timedelta(days=8)

    def granted(self, said: Said = lambda who, home: 400_00, **given: Any) -> Campaign:
        campaign = self.published(said, **given)
        self.after_objections()
        self.run(campaign)
        assert campaign.status is CampaignStatus.GRANTED
        return campaign

    def run(self, campaign: Campaign, **given: Any) -> Left:
        left = grant_all(self.session, campaign_id=campaign.id, **self.act | given)
        self.session.refresh(campaign)
        return left

    def row(self, campaign: Campaign, home: str) -> CampaignHousehold:
        found = queries.find_household(
            self.session, campaign_id=campaign.id, household_id=self.homes[home]
        )
        assert found is not None
        self.session.refresh(found)
        return found

    def rows(self, campaign: Campaign) -> dict[str, CampaignHousehold]:
        return {home: self.row(campaign, home) for home in self.homes}

    def findings(self, campaign: Campaign) -> list[CampaignFinding]:
        return list(self.session.scalars(queries.list_findings(campaign.id)))

    def decide(self, finding: CampaignFinding, decision: Decision, **given: Any) -> None:
        facts = {"finding_id": finding.id, "decision": decision, "reason": "seen", **self.act}
        self.do(deciding.decide, **facts | given)

    def visit(
        self, row: CampaignHousehold, result: VisitResult, minor: int | None = None, **given: Any
    ) -> None:
        amount = None if minor is None else yuan(minor)
        facts = {"row_id": row.id, "result": result, "remark": "been there", **self.act}
        self.do(deciding.visit, amount=amount, **facts | given)

    def object_to(self, row: CampaignHousehold, who: str, reason: str = "I know better") -> Any:
        return self.do(
            deciding.object_to,
            row_id=row.id,
            reason=reason,
            actor_id=self.id(who),
            **self.hamlet.when,
        )

    def answer_objection(
        self, objection: Any, outcome: ObjectionStatus, minor: int | None = None, **given: Any
    ) -> None:
        facts = {"objection_id": objection.id, "outcome": outcome, "text": "looked into"}
        amount = None if minor is None else yuan(minor)
        self.do(deciding.answer_objection, amount=amount, **facts | self.act | given)


def day(text: str) -> date:
    return date.fromisoformat(text)
