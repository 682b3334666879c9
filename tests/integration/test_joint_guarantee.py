"""The story of seven under each mode: every law after every step, every figure on the page."""

from itertools import pairwise

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities.charter import LiabilityMode
from community.guarantees.models import Claim, ClaimGround
from community.ledger.models import Account, Book
from tests.circle import Circle
from tests.seven import NOTHING, PAGE, figures, steps, tell

SEVERAL, JOINT = LiabilityMode.SEVERAL, LiabilityMode.JOINT_AND_SEVERAL


def balanced(village: Circle) -> None:
    """All laws on all rows, and debits are credits."""
    village.check()
    rows = village.session.scalars(
        select(Account.balance_minor)
        .join(Book, Book.id == Account.book_id)
        .where(Book.community_id == village.community.id)
    )
    assert sum(rows) == 0


def on_the_page() -> dict[str, dict[str, str]]:
    """Row → mode → figure, of the first table."""
    text = PAGE.read_text(encoding="utf-8").partition("<!-- figures -->")[2]
    lines = [line for line in text.partition("###")[0].splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


@pytest.mark.parametrize("mode", LiabilityMode)
def test_everybody_is_made_whole_to_the_cent(db_session: Session, mode: LiabilityMode) -> None:
    story = tell(db_session, mode, balanced)

    assert steps(story) in PAGE.read_text(encoding="utf-8")
    column, page = figures(story), on_the_page()
    assert {title: row[mode.value.replace("_", " ")] for title, row in page.items()} == {
        title: column[title] for title in page
    }
    assert not [
        title for title, figure in column.items() if figure != NOTHING and title not in page
    ]

    # Worked by hand: 10,000.00 and 458.08 of interest, less 300.00 and Chen's own stake.
    assert sum(story.paid.values()) == 10_458_08 - 300_00 - sum(
        part for name, part in story.cover.items() if name == "Chen"
    )
    assert story.back == story.paid
    # The lender is whole before anybody gets anything back.
    assert all(step.owed == 0 for step in story.steps if step.on.year > 2026)
    waited = [(step.owed, step.guarantors_out) for step in story.steps]
    assert all(after[1] >= before[1] for before, after in pairwise(waited) if after[0])
    fei = 400_01
    assert story.paid.get("An", 0) == {SEVERAL: 2_600_00, JOINT: 2_600_00 + 177_78}.get(
        mode, 0 if mode is LiabilityMode.NONE else 2_600_00
    )
    assert story.paid["the reserve fund"] == {
        SEVERAL: 1_158_08 + fei,
        LiabilityMode.NONE: 10_158_08,
    }.get(mode, 1_158_08)


@pytest.mark.parametrize("mode", [SEVERAL, JOINT])
def test_who_stood_in_for_fei_may_claim_from_her_too(
    db_session: Session, mode: LiabilityMode
) -> None:
    claims: dict[tuple[str, str, ClaimGround], int] = {}

    def note(village: Circle) -> None:
        names = {member.id: name for name, member in village.people.items()}
        for claim in village.session.scalars(select(Claim).where(Claim.claimant_id.is_not(None))):
            key = (names[claim.claimant_id or 0], names[claim.debtor_id], claim.ground)
            claims.setdefault(key, 0)
            claims[key] = max(claims[key], claim.amount_minor)

    tell(db_session, mode, note)
    against_fei = {(who, ground): amount for (who, debtor, ground), amount in claims.items()
                   if debtor == "Fei"}  # fmt: skip
    expected = {("Wei", ClaimGround.COVERED_MEMBER): 499_99}
    if mode is JOINT:
        expected[("An", ClaimGround.CO_GUARANTOR)] = 177_78
        expected[("Bo", ClaimGround.CO_GUARANTOR)] = 222_23
    assert against_fei == expected
