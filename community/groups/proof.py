"""Proof of understanding and signatures, the same for a first agreement and for an amendment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.groups import queries
from community.groups.errors import AlreadySigned, NotUnderstood
from community.groups.models import (
    Group,
    GroupMember,
    GroupSignature,
    UnderstandingAttempt,
)
from community.groups.steps import note
from community.groups.understanding import (
    Answer,
    Question,
    Verdict,
    judge,
    passed,
    questions_for,
)
from community.members import queries as members
from community.money import Money


@dataclass(frozen=True, slots=True)
class Paper:
    """An agreement that is to be understood and signed."""

    document: Mapping[str, Any]
    agreement_hash: str

    def exposure_of(self, public_id: str) -> int:
        """The most that the member could have to pay under it."""
        return next(
            int(member["exposure_minor"])
            for member in self.document["members"]
            if member["id"] == public_id
        )


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """The questions that a member is to answer now, on the agreement of this hash."""

    agreement_hash: str
    attempt: int
    passed: bool
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a try: every verdict and, if it was not passed, the next questions."""

    passed: bool
    verdicts: tuple[Verdict, ...]
    again: Questionnaire | None


def ask(
    session: Session, place: GroupMember, paper: Paper, *, elsewhere_minor: int
) -> Questionnaire:
    """The questions on a paper that a member is to answer at their next try.

    `elsewhere_minor` is what they stand for besides, which a higher room knows.
    """
    tries = queries.tries_so_far(
        session, group_member_id=place.id, agreement_hash=paper.agreement_hash
    )
    return Questionnaire(
        agreement_hash=paper.agreement_hash,
        attempt=len(tries),
        passed=any(tries),
        questions=questions_for(
            paper.document,
            agreement_hash=paper.agreement_hash,
            member_id=members.get_member_by_id(session, place.member_id).public_id,
            attempt=len(tries),
            elsewhere_minor=elsewhere_minor,
        ),
    )


def take_answers(
    session: Session,
    group: Group,
    place: GroupMember,
    paper: Paper,
    answers: Mapping[str, Answer],
    *,
    elsewhere_minor: int,
    now: datetime,
    actor_id: int | None,
) -> Answered:
    """Judge and keep a try; the group is locked. Raises AlreadySigned."""
    if queries.signature_of(session, place.id, paper.agreement_hash) is not None:
        raise AlreadySigned()
    asked = ask(session, place, paper, elsewhere_minor=elsewhere_minor)
    verdicts = judge(asked.questions, answers)
    understood = passed(verdicts)
    session.add(
        UnderstandingAttempt(
            group_member_id=place.id,
            agreement_hash=asked.agreement_hash,
            questions={
                question.id: {"text": dict(question.text), "expected": _kept(question.expected)}
                for question in asked.questions
            },
            answers={question_id: _kept(given) for question_id, given in answers.items()},
            passed=understood,
            answered_at=now,
        )
    )
    session.flush()  # the next questions depend on how many tries there were
    note(
        session,
        group,
        "group.questions_answered",
        now,
        actor_id,
        member_id=place.member_id,
        agreement_hash=paper.agreement_hash,
        attempt=asked.attempt,
        passed=understood,
    )
    again = None if understood else ask(session, place, paper, elsewhere_minor=elsewhere_minor)
    return Answered(understood, verdicts, again)


def take_signature(
    session: Session,
    group: Group,
    place: GroupMember,
    paper: Paper,
    *,
    elsewhere_minor: int,
    now: datetime,
    actor_id: int | None,
) -> GroupSignature:
    """Keep a signature with what the signer was shown; the group is locked.

    Raises AlreadySigned, NotUnderstood, NotAMember.
    """
    if queries.signature_of(session, place.id, paper.agreement_hash) is not None:
        raise AlreadySigned()
    tries = queries.tries_so_far(
        session, group_member_id=place.id, agreement_hash=paper.agreement_hash
    )
    if not any(tries):
        raise NotUnderstood(tries=len(tries))
    communities.require_active(
        session, community_id=group.community_id, member_id=place.member_id, hold=True
    )
    public_id = members.get_member_by_id(session, place.member_id).public_id
    signature = GroupSignature(
        group_member_id=place.id,
        agreement_hash=paper.agreement_hash,
        exposure_minor=paper.exposure_of(public_id),
        elsewhere_minor=elsewhere_minor,
        signed_at=now,
    )
    session.add(signature)
    session.flush()  # whether all have signed is read from the rows
    note(
        session,
        group,
        "group.signed",
        now,
        actor_id,
        member_id=place.member_id,
        agreement_hash=paper.agreement_hash,
        exposure_minor=signature.exposure_minor,
        elsewhere_minor=elsewhere_minor,
    )
    return signature


def _kept(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Money):
        return {"amount_minor": answer.amount_minor, "currency": answer.currency}
    return {"choice": answer}
