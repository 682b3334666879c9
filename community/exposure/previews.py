"""What would I owe if I signed this? Figures and warnings before a promise is made.

Nothing is written or locked: the same checks decide again, under locks, when the promise is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities.charter import GuaranteeBase
from community.exposure.register import CAP_RULES, RuleSource, register_of, rule_sources
from community.groups import amendments
from community.groups.models import Group, GroupAmendment
from community.groups.queries import living_members
from community.groups.wording import LANGUAGES
from community.members.queries import Named, names_of
from community.money import Money, say_amount
from community.trust.group_vouches import group_changes
from community.trust.guarantee_caps import CapCheck, CapNote
from community.trust.models import Vouch, VouchKind, VouchStatus
from community.trust.promise_checks import (
    Change,
    check_promises,
    circle_notes,
    most_on,
    require_caps,
    still_stands,
)
from community.trust.service import check_offer, vouch_change
from community.vouching.records import figures_of


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """What could be asked of me for one person on this paper, before and after."""

    borrower: Named
    currency: str
    before_minor: int
    after_minor: int
    expires_on: date


@dataclass(frozen=True, slots=True)
class Preview:
    """What a member could owe for others before and after a step, and what speaks against it."""

    member: Named
    currency: str
    on: date
    before_minor: int
    after_minor: int
    # What would fall on them today if everyone they stand behind failed: the step adds nothing to
    # it before a loan rests on the new promise.
    if_all_fail_minor: int
    count_before: int
    count_after: int
    count_max: int
    base_kind: GuaranteeBase
    base_minor: int
    ratio_before_bps: int | None
    ratio_after_bps: int | None
    allowed_minor: int | None
    refused: bool
    charter_version: int
    rules: tuple[RuleSource, ...]
    lines: tuple[PreviewLine, ...]
    notes: tuple[CapNote, ...]
    text: Mapping[str, str]


def preview_vouch(
    session: Session,
    *,
    community_id: int,
    voucher_id: int,
    borrower_id: int,
    limit_minor: int,
    expires_on: date,
    on: date,
) -> Preview:
    """What a promise to somebody would add; one that is live between the two is replaced."""
    change = _vouch_change(
        session, community_id, voucher_id, borrower_id, limit_minor, expires_on, on
    )
    return _preview(session, community_id, voucher_id, [change], on)


def preview_offer(
    session: Session,
    *,
    community_id: int,
    voucher_id: int,
    borrower_id: int,
    limit: Money,
    expires_on: date,
    on: date,
) -> Preview:
    """`preview_vouch` of a promise that is only thought of, on the terms of an offer.

    Raises NotAMember, VouchForOneself, CurrencyMismatch, VouchTooLarge, ExpiryOutOfRange.
    """
    check_offer(
        session,
        community_id=community_id,
        voucher_id=voucher_id,
        borrower_id=borrower_id,
        limit=limit,
        expires_on=expires_on,
        on=on,
    )
    return preview_vouch(
        session,
        community_id=community_id,
        voucher_id=voucher_id,
        borrower_id=borrower_id,
        limit_minor=limit.amount_minor,
        expires_on=expires_on,
        on=on,
    )


def preview_agreement(session: Session, group: Group, *, member_id: int, on: date) -> Preview:
    """What a member could owe once the group's agreement binds, as it stands now."""
    ids = [place.member_id for place in living_members(session, group.id)]
    return _of_group(
        session, group, ids, group.pair_cap_minor, group.vouch_expires_on, member_id, on
    )


def preview_amendment(
    session: Session, group: Group, amendment: GroupAmendment, *, member_id: int, on: date
) -> Preview:
    """What a member could owe once an amendment is in force."""
    ids = amendments.signer_ids(session, amendment)
    return _of_group(
        session,
        group,
        ids,
        amendment.pair_cap_minor,
        amendment.vouch_expires_on,
        member_id,
        on,
    )


def notes_on_vouch(
    session: Session,
    *,
    community_id: int,
    voucher_id: int,
    borrower_id: int,
    limit_minor: int,
    expires_on: date,
    on: date,
) -> tuple[CapNote, ...]:
    """What to think of before a promise to somebody: the caps that it nears, the circles."""
    change = _vouch_change(
        session, community_id, voucher_id, borrower_id, limit_minor, expires_on, on
    )
    return _notes(session, community_id, voucher_id, [change], on)[1]


def ready_to_sign(
    session: Session,
    group: Group,
    amendment: GroupAmendment | None,
    *,
    member_id: int,
    on: date,
) -> tuple[CapNote, ...]:
    """Go on with a signature only if it could come to bind; what to think of before it.

    What is decided here is decided again, under locks, when the paper begins to bind. Raises
    GuaranteeCapReached.
    """
    if amendment is None:
        ids: Sequence[int] = [place.member_id for place in living_members(session, group.id)]
        cap, until = group.pair_cap_minor, group.vouch_expires_on
    else:
        ids = amendments.signer_ids(session, amendment)
        cap, until = amendment.pair_cap_minor, amendment.vouch_expires_on
    changes = own_group_changes(session, group, ids, cap, until, member_id)
    check, notes = _notes(session, group.community_id, member_id, changes, on)
    require_caps({member_id: check}, told_id=member_id)
    return notes


def _of_group(
    session: Session,
    group: Group,
    ids: Sequence[int],
    cap_minor: int,
    expires_on: date,
    member_id: int,
    on: date,
) -> Preview:
    changes = own_group_changes(session, group, ids, cap_minor, expires_on, member_id)
    return _preview(session, group.community_id, member_id, changes, on)


def own_group_changes(
    session: Session,
    group: Group,
    ids: Sequence[int],
    cap_minor: int,
    expires_on: date,
    member_id: int,
) -> list[Change]:
    """What one member's promises become by a group's paper."""
    there = session.scalars(
        select(Vouch).where(Vouch.group_id == group.id, Vouch.voucher_id == member_id)
    ).all()
    return [
        change
        for change in group_changes(group.id, ids, there, cap_minor, expires_on)
        if change.voucher_id == member_id
    ]


def _vouch_change(
    session: Session,
    community_id: int,
    voucher_id: int,
    borrower_id: int,
    limit_minor: int,
    expires_on: date,
    on: date,
) -> Change:
    live = session.scalar(
        select(Vouch).where(
            Vouch.community_id == community_id,
            Vouch.voucher_id == voucher_id,
            Vouch.borrower_id == borrower_id,
            Vouch.kind == VouchKind.PERSONAL,
            Vouch.status == VouchStatus.LIVE,
        )
    )
    return vouch_change(live, voucher_id, borrower_id, limit_minor, expires_on, on)


def _notes(
    session: Session, community_id: int, member_id: int, changes: Sequence[Change], on: date
) -> tuple[CapCheck, tuple[CapNote, ...]]:
    check = check_promises(
        session, community_id=community_id, changes=changes, on=on, records_of=figures_of
    )[member_id]
    circles = circle_notes(
        session, community_id=community_id, changes=changes, member_id=member_id, on=on
    )
    return check, (*check.notes(), *circles)


def _preview(
    session: Session, community_id: int, member_id: int, changes: Sequence[Change], on: date
) -> Preview:
    check, notes = _notes(session, community_id, member_id, changes, on)
    before = {
        vouch_id: int(most)
        for vouch_id, most in session.execute(
            select(Vouch.id, most_on(on)).where(
                Vouch.id.in_([c.vouch_id for c in changes if c.vouch_id is not None]),
                still_stands(),
            )
        )
    }
    people = names_of(session, [member_id, *(change.borrower_id for change in changes)])
    now = register_of(session, community_id=community_id, member_id=member_id, on=on)
    return Preview(
        member=people[member_id],
        currency=check.currency,
        on=on,
        before_minor=check.before.most_minor,
        after_minor=check.after.most_minor,
        if_all_fail_minor=now.if_all_fail_minor,
        count_before=check.before.count,
        count_after=check.after.count,
        count_max=check.rules.guarantees_count_max,
        base_kind=check.rules.guarantee_base,
        base_minor=check.base_minor,
        ratio_before_bps=check.ratio_bps(check.before),
        ratio_after_bps=check.ratio_bps(check.after),
        allowed_minor=check.allowed_minor,
        refused=check.refused,
        charter_version=check.charter_version,
        rules=rule_sources(
            session,
            check.charter_id,
            (*CAP_RULES, "mutual_pair_warnings", "circle_warning_members"),
        ),
        lines=tuple(
            PreviewLine(
                people[change.borrower_id],
                check.currency,
                before.get(change.vouch_id or 0, 0),
                change.most_minor,
                change.expires_on,
            )
            for change in changes
        ),
        notes=notes,
        text=_text(check, [(people[c.borrower_id].name, c.most_minor) for c in changes]),
    )


def _text(check: CapCheck, promised: Sequence[tuple[str, int]]) -> dict[str, str]:
    def told(minor: int) -> dict[str, str]:
        return {at: say_amount(minor, check.currency, at) for at in LANGUAGES}

    chinese = "、".join(f"{name}（最多 {told(minor)['zh-CN']}）" for name, minor in promised)
    english = ", ".join(f"{name} (up to {told(minor)['en']})" for name, minor in promised)
    before, after = told(check.before.most_minor), told(check.after.most_minor)
    return {
        "zh-CN": f"签字后您为这些人担保：{chinese}。如果您担保的人都还不上，您最多要付的"
        f"从 {before['zh-CN']} 变为 {after['zh-CN']}。",
        "en": f"If you sign, you stand behind {english}. If everyone you stand behind fails, the "
        f"most you could owe goes from {before['en']} to {after['en']}.",
    }
