"""A joint-liability group that binds, for tests, and its steps by first name.

Amounts are plain minor units. Four households and a cap of 100: each stands for the three others,
300 at most, and has a stake of 300.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from community.errors import CommunityError
from community.groups import amendments, queries
from community.groups import service as groups
from community.groups.models import Group
from community.guarantees import group_life
from community.trust import service as trust
from community.trust.models import Vouch
from community.vouching.records import figures_of
from tests.hamlet import Hamlet, yuan
from tests.village_life import right_answers

RULES: dict[str, Any] = {
    "group_size_min": 3,
    "group_size_max": 5,
    "leader_term_days": 100,
    "leader_acting_days": 10,
    "amendment_days_max": 20,
    "group_whole_days": 40,
}
FOUR = ("an", "bo", "chen", "ding")
CAP = 100


class Circle(Hamlet):
    """The hamlet with an active group, and its steps by first name."""

    group: Group

    def bind(self, *names: str, cap: int = CAP, stake: int = 300) -> Group:
        """People, the new ones with a stake each, on their way until they stand for each other."""
        for name in names:
            if name not in self.people:
                self.person(name, stake=stake)
        self.group = self.do(
            groups.form_group,
            community_id=self.community.id,
            founder_id=self.id(names[0]),
            name=f"Circle of {names[0]}",
            pair_cap=yuan(cap),
            vouch_expires_on=self.day + timedelta(days=400),
            actor_id=self.id(names[0]),
            **self.when,
        )
        step = self.step(self.group)
        for name in names[1:]:
            self.do(groups.invite, member_id=self.id(name), inviter_id=self.id(names[0]), **step)
            self.do(groups.accept_invitation, member_id=self.id(name), **step)
        for name in names:
            self.do(
                groups.vote_leader,
                voter_id=self.id(name),
                candidate_id=self.id(names[0]),
                **step,
            )
        self.do(groups.fix_agreement, **step)
        for name in names:
            who: dict[str, Any] = {"group_id": self.group.id, "member_id": self.id(name)}
            asked = groups.questionnaire(self.session, **who)
            act = who | {"agreement_hash": asked.agreement_hash, "now": self.now, "actor_id": None}
            self.do(groups.answer_questions, **act, answers=right_answers(asked.questions))
            self.do(groups.sign, **act, on=self.day)
        self.do(trust.activate_group, **step, records_of=figures_of)
        return self.group

    def id(self, name: str) -> int:
        return self.people[name].id

    def step(self, group: Group | None = None) -> dict[str, Any]:
        return {"group_id": (group or self.group).id, **self.when, "actor_id": None}

    def propose(self, by: str, **terms: Any) -> Any:
        return self.do(
            amendments.propose,
            proposer_id=self.id(by),
            reason="a better year",
            **self.step(),
            **terms,
        )

    def agree(self, amendment: Any, *names: str) -> None:
        """These understand and sign it."""
        for name in names:
            who: dict[str, Any] = {"amendment_id": amendment.id, "member_id": self.id(name)}
            asked = amendments.questionnaire(self.session, **who)
            act = who | {"agreement_hash": asked.agreement_hash, "actor_id": None, **self.when}
            answered = self.do(
                amendments.answer_questions, **act, answers=right_answers(asked.questions)
            )
            assert answered.passed
            self.do(amendments.sign, **act)

    def force(self, amendment: Any, **facts: Any) -> Any:
        return self.do(
            group_life.put_into_force,
            amendment_id=amendment.id,
            actor_id=None,
            records_of=figures_of,
            **self.when,
            **facts,
        )

    def exit(self, name: str, **facts: Any) -> Group:
        given = self.step(facts.pop("group", None)) | {"actor_id": self.id(name)}
        return self.do(group_life.exit_group, member_id=self.id(name), **given, **facts)

    def promises(self, group: Group | None = None) -> dict[str, tuple[str, int, int]]:
        """'an>bo' → state, limit, reserved; the latest of each pair."""
        self.session.expire_all()
        names = {member.id: name for name, member in self.people.items()}
        rows = self.session.scalars(
            select(Vouch).where(Vouch.group_id == (group or self.group).id).order_by(Vouch.id)
        )
        return {
            f"{names[row.voucher_id]}>{names[row.borrower_id]}": (
                row.status.value,
                row.limit_minor,
                row.reserved_minor,
            )
            for row in rows
        }

    def places(self, group: Group | None = None) -> dict[str, tuple[str, int | None]]:
        self.session.expire_all()
        return {
            member.name: (place.status.value, place.exposure_minor)
            for place, member in queries.members_of(self.session, (group or self.group).id)
        }

    def refused(self, refusal: type[CommunityError], work: Callable[[], Any]) -> CommunityError:
        with pytest.raises(refusal) as caught:
            work()
        return caught.value
