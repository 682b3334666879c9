"""A hamlet that speaks up: with offices, people who have been there for long, and evenings."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.businessday.service import Worker, take_turn, work_on
from community.communities.charter import ComplaintKind
from community.feedback import complaints, items, messages, ratings, themes
from community.feedback.checks import check_feedback
from community.feedback.models import (
    Complaint,
    FeedbackItem,
    ItemKind,
    Message,
    PollChoice,
    Rating,
    Theme,
)
from community.feedback.subjects import Thing
from community.members import service as members
from community.members.principal import Role
from community.products import queries as products
from community.products import service as product_service
from community.products.models import ProductVersion
from tests.hamlet import TERMS, Hamlet

WORKER = Worker("evening", timedelta(minutes=5), lambda name: False)
FEEDBACK_STEPS = ("escalate complaints", "count votes", "publish ratings")
FRIENDS = ("ada", "ben", "cai", "dan", "eve")
RULES: dict[str, Any] = {
    "feedback_weight_days": 100,
    "feedback_burst_min": 3,
    "feedback_per_day_max": 2,
    "feedback_per_week_max": 3,
    "complaint_per_week_max": 2,
    "complaint_days": [7, 14, 10, 3, 5],
    "complaint_reopen_days": 30,
    "complaint_reopens_max": 1,
    "rating_raters_min": 3,
    "rating_per_day_max": 3,
    "theme_voter_days": 30,
    "theme_poll_days_min": 3,
    "theme_quorum_bps": 5_000,
    "theme_majority_bps": 5_000,
}


class Speaking(Hamlet):
    """A hamlet whose members say what they think."""

    def id(self, name: str) -> int:
        return self.people[name].id

    def office(self, name: str, role: Role = Role.OFFICER) -> int:
        """Somebody who holds an office and is a member like others."""
        member = self.person(name)
        place = None if role is Role.OPERATOR else self.community.id
        self.do(
            members.grant_role, member_id=member.id, role=role, community_id=place, now=self.now
        )
        return member.id

    @property
    def thing(self) -> ProductVersion:
        return products.version_on(self.session, self.product_id, self.day)

    def rate(self, name: str, stars: int, thing: Thing | None = None) -> Rating:
        return self.do(
            ratings.rate,
            thing=thing or self.thing,
            member_id=self.id(name),
            stars=stars,
            on=self.day,
        )

    def suggest(self, name: str, text: str, thing: Thing | None = None) -> FeedbackItem:
        return self.do(
            items.say,
            community_id=self.community.id,
            author_id=self.id(name),
            kind=ItemKind.SUGGESTION if thing is None else ItemKind.COMMENT,
            text=text,
            thing=thing,
            on=self.day,
        )

    def complain(
        self,
        name: str,
        text: str = "x",
        against: int | None = None,
        kind: ComplaintKind = ComplaintKind.MONEY,
    ) -> Complaint:
        return self.do(
            complaints.file,
            community_id=self.community.id,
            complainant_id=self.id(name),
            kind=kind,
            title="x",
            text=text,
            against_id=against,
            **self.when,
        )

    def theme(self, title: str = "repay after harvest") -> Theme:
        return self.do(
            themes.create,
            community_id=self.community.id,
            title=title,
            summary="",
            actor_id=self.officer.id,
            **self.when,
        )

    def place(self, item: FeedbackItem, theme: Theme | None) -> FeedbackItem:
        return self.do(
            themes.place, item_id=item.id, theme=theme, on=self.day, actor_id=self.officer.id
        )

    def put(self, theme: Theme, days: int = 3) -> None:
        self.do(
            themes.put_to_vote,
            theme_id=theme.id,
            opens_on=self.day,
            closes_on=self.day + timedelta(days=days - 1),
            actor_id=self.officer.id,
            **self.when,
        )

    def vote(self, theme: Theme, name: str, choice: str) -> None:
        self.do(
            themes.vote,
            theme_id=theme.id,
            member_id=self.id(name),
            choice=PollChoice(choice),
            on=self.day,
        )

    def decide(self, theme: Theme, accepted: bool = True) -> Theme:
        return self.do(
            themes.decide,
            theme_id=theme.id,
            accepted=accepted,
            reason="so voted",
            actor_id=self.officer.id,
            **self.when,
        )

    def publish(self, source: str) -> ProductVersion:
        return self.do(
            product_service.publish_version,
            product_id=self.product_id,
            terms_document=TERMS,
            valid_from=self.day + timedelta(days=1),
            source=source,
            actor_id=self.officer.id,
            **self.when,
        )

    def ship(self, theme: Theme, version: ProductVersion) -> Theme:
        return self.do(
            themes.ship,
            theme_id=theme.id,
            version=version,
            actor_id=self.officer.id,
            **self.when,
        )

    def told(self, name: str) -> list[str]:
        rows = self.session.scalars(messages.list_messages(self.id(name)).order_by(Message.id))
        return [row.kind.value for row in rows]

    def evening(self, days: int = 0, portion: int = 100) -> dict[str, int]:
        """Days go by, each worked through and closed; what feedback's steps counted in all."""
        counted: Counter[str] = Counter()
        for _ in range(max(days, 1)):
            self.day += timedelta(days=1 if days else 0)
            turn = self.do(
                take_turn, community_id=self.community.id, on=self.day, worker=WORKER, now=self.now
            )
            while turn is not None:
                unit = self.do(work_on, turn=turn, worker=WORKER, now=self.now, limit=portion)
                for done in unit.portions:
                    if done.step in FEEDBACK_STEPS:
                        counted.update(done.counts)
                if unit.is_finished:
                    break
        self.session.expire_all()
        return {name: count for name, count in counted.items() if count}

    def breaches(self) -> list[str]:
        self.session.commit()
        self.session.expire_all()
        return [breach.what for breach in check_feedback(self.session)]

    def all_of(self, model: Any) -> list[Any]:
        self.session.expire_all()
        return list(self.session.scalars(select(model).order_by(model.id)))


def speaking(session: Session, **changes: Any) -> Speaking:
    """Five members of 120 days, an officer who looks after them; the first day's book is open."""
    place = Speaking(session, day=date(2026, 1, 5), rules=RULES | changes)
    for name in FRIENDS:
        place.person(name)
    place.do(
        members.grant_role,
        member_id=place.officer.id,
        role=Role.OFFICER,
        community_id=place.community.id,
        now=place.now,
    )
    place.day += timedelta(days=120)
    return place
