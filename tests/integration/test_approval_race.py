"""Law 2 under fire: many approvals at once, by real gunicorn workers, for the same promises."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from community.credit.service import credit_limit
from community.engine import session_factory
from community.loans.models import Loan, LoanStatus, Repayment
from community.members.principal import Role
from community.members.service import grant_role, issue_token
from community.trust.models import Standing, Vouch
from community.verification import verify
from tests.hamlet import Hamlet
from tests.serving import Answer, Served, at_once, gunicorn

TODAY = datetime.now(UTC)
BORROWERS = [f"b{number:02}" for number in range(20)]
VOUCHERS = [f"v{number}" for number in range(8)]
BEHIND = [f"w{number}" for number in range(4)]
# The application is loaded before there are workers: each would take three seconds of its own.
LOADED_ONCE = {"GUNICORN_CMD_ARGS": "--preload"}


@pytest.fixture
def contested(engine: Engine) -> tuple[Engine, str, dict[str, str]]:
    """200 applications by 20 borrowers for cover that suffices for about a fifth of them.

    Eight members vouch for everybody; four more stand behind the eight. All that can back
    anything: 8 x 400 of stakes and 4 x 300 of assessments.
    """
    with session_factory(engine)() as session:
        hamlet = Hamlet(session, day=TODAY.date())
        hamlet.fund(1_000_000)
        for name in BORROWERS:
            hamlet.person(name)
        for name in VOUCHERS:
            hamlet.person(name, stake=400)
        for name in BEHIND:
            hamlet.person(name, assessed=300)
        for voucher in VOUCHERS:
            for borrower in BORROWERS:
                hamlet.vouch(voucher, borrower, 150)
        for behind in BEHIND:
            for voucher in VOUCHERS[::2]:
                hamlet.vouch(behind, voucher, 200)
        loans = {
            hamlet.apply(name, 60 + 7 * number).public_id: name
            for name in BORROWERS
            for number in range(6)
        }
        hamlet.do(
            grant_role,
            member_id=hamlet.officer.id,
            role=Role.OFFICER,
            community_id=hamlet.community.id,
            now=hamlet.now,
        )
        _, token = hamlet.do(
            issue_token,
            member_id=hamlet.officer.id,
            label="race",
            lifetime=timedelta(days=2),
            lifetime_max=timedelta(days=2),
            now=hamlet.now,
        )
    return engine, token, loans


def test_competing_approvals_never_spend_a_promise_twice(
    contested: tuple[Engine, str, dict[str, str]], tmp_path: Path
) -> None:
    engine, token, loans = contested
    workers = 4 if engine.dialect.name == "postgresql" else 2
    url = engine.url.render_as_string(hide_password=False)
    env = {
        "DATABASE_LOCK_TIMEOUT_MS": "20000",
        "DATABASE_STATEMENT_TIMEOUT_MS": "25000",
        **LOADED_ONCE,
    }
    with gunicorn(url, tmp_path, workers=workers, **env) as served:
        answers = at_once([lambda i=i: _approve(served, token, i) for i in loans])
        seen = Counter((answer.status, answer.problem) for answer in answers)
        assert {status for status, _ in seen} <= {200, 201, 409}, seen
        assert {code for status, code in seen if status == 409} <= {
            "credit-limit-exceeded",
            "changed-meanwhile",
        }, seen
        approved = sum(count for (status, _), count in seen.items() if status < 300)
        assert 0 < approved < len(loans), seen
        _laws_hold(engine, approved)
        _refusals_were_right(engine, dict(zip(loans, answers, strict=True)))
        # What was refused for the hurry of others may be asked again, until nothing moves.
        hurried = [i for i, a in zip(loans, answers, strict=True) if _hurried(a)]
        for loan_id in hurried:
            assert _approve(served, token, loan_id).status in (201, 409)
        assert "Traceback" not in served.log.read_text()


def _hurried(answer: Answer) -> bool:
    return answer.problem == "changed-meanwhile"


def _approve(served: Served, token: str, loan_id: str) -> Answer:
    return served.call("POST", f"/api/v1/loans/{loan_id}/approval", token=token)


def _laws_hold(engine: Engine, approved: int) -> None:
    with session_factory(engine)() as session:
        assert verify(session).breaches == ()
        rows = select(func.count(), func.sum(Loan.principal_minor)).where(
            Loan.status == LoanStatus.APPROVED
        )
        count, principal = session.execute(rows).one()
        assert count == approved
        assert session.scalars(select(func.sum(Standing.reserved_minor))).one() == principal
        assert all(v.reserved_minor <= v.limit_minor for v in session.scalars(select(Vouch)))


def _refusals_were_right(engine: Engine, answers: dict[str, Answer]) -> None:
    """Nothing is freed during the race, so whoever had no room then has none now."""
    with session_factory(engine)() as session:
        for public_id, answer in answers.items():
            if answer.problem != "credit-limit-exceeded":
                continue
            loan = session.scalars(select(Loan).where(Loan.public_id == public_id)).one()
            assert loan.status is LoanStatus.ENDORSED
            limit = credit_limit(
                session,
                community_id=loan.community_id,
                member_id=loan.borrower_id,
                on=TODAY.date(),
                product_version_id=loan.product_version_id,
            )
            assert limit.amount_minor < loan.principal_minor


def test_one_key_sent_many_times_at_once_repays_once(
    contested: tuple[Engine, str, dict[str, str]], tmp_path: Path
) -> None:
    engine, token, loans = contested
    url = engine.url.render_as_string(hide_password=False)
    body = {"amount": {"amount": "0.10", "currency": "CNY"}}
    with gunicorn(url, tmp_path, workers=2, **LOADED_ONCE) as served:
        loan_id = next(iter(loans))
        assert _approve(served, token, loan_id).status < 300
        paid_out = served.call("POST", f"/api/v1/loans/{loan_id}/disbursement", token=token)
        assert paid_out.status < 300, paid_out.body
        path = f"/api/v1/loans/{loan_id}/repayments"
        answers = at_once(
            [
                lambda: served.call("POST", path, token=token, body=body, key="the-same-key")
                for _ in range(24)
            ]
        )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["id"] for answer in answers}) == 1
    replayed = [a for a in answers if a.headers.get("Idempotency-Replayed") == "true"]
    assert len(replayed) == 23
    with session_factory(engine)() as session:
        assert session.scalars(select(func.count()).select_from(Repayment)).one() == 1
        assert verify(session).breaches == ()
