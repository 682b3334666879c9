"""The life of a vouch: offered by one side, accepted by the other, lowered, revoked, expired.

Stakes and assessments are in `trust.standings`; this module hands them on, so that callers find
everything that changes the trust graph here.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import permutations

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules
from community.errors import CurrencyMismatch, Invalid
from community.groups import service as groups
from community.groups.models import Group
from community.groups.queries import living_members
from community.ledger.events import record_event
from community.locks import lock
from community.members import queries as members
from community.money import Money, format_minor, say_amount
from community.trust.errors import (
    ExpiryOutOfRange,
    GroupVouchIsFixed,
    NotYourSide,
    OfferExists,
    OverdueGivesNoVouch,
    VouchForOneself,
    VouchInUse,
    VouchNotFound,
    VouchNotOpen,
    VouchOnlyLowers,
    VouchTooLarge,
)
from community.trust.group_vouches import group_changes, new_group_vouch
from community.trust.models import Vouch, VouchKind, VouchSide, VouchStatus
from community.trust.promise_checks import (
    Change,
    check_promises,
    hold_promisers,
    require_and_keep,
    require_caps,
)
from community.trust.queries import overdue_members
from community.trust.record_bounds import RecordsOf
from community.trust.standings import (
    end_assessment,
    ensure_standing,
    expire_assessments,
    grant_assessment,
    lock_stake,
    release_stake,
)

__all__ = [
    "accept_vouch",
    "activate_group",
    "decline_vouch",
    "end_assessment",
    "ensure_standing",
    "expire_assessments",
    "expire_vouches",
    "grant_assessment",
    "lock_stake",
    "lower_vouch",
    "offer_vouch",
    "release_stake",
    "revoke_vouch",
    "withdraw_vouch",
]

_BATCH = 500


def offer_vouch(
    session: Session,
    *,
    community_id: int,
    voucher_id: int,
    borrower_id: int,
    side: VouchSide,
    limit: Money,
    expires_on: date,
    on: date,
    now: datetime,
    actor_id: int | None,
    records_of: RecordsOf | None = None,
) -> Vouch:
    """One side offers that `voucher` stands behind `borrower`, up to a limit and a day.

    If the other side has an open offer already, this accepts it, at the smaller amount and the
    earlier end. A voucher whom the charter's caps leave no room for it is told so at once; whoever
    asks for a promise learns nothing of that. Raises NotAMember, VouchForOneself, VouchTooLarge,
    ExpiryOutOfRange, OverdueGivesNoVouch, OfferExists, NotYourSide, CurrencyMismatch,
    GuaranteeCapReached, VoucherRecordBound.

    `records_of` says how those paid whom the voucher stood behind: needed where the charter lets
    that bound new promises (`trust.record_bounds`).
    """
    _check_side(actor_id, side, voucher_id, borrower_id)
    check_offer(
        session,
        community_id=community_id,
        voucher_id=voucher_id,
        borrower_id=borrower_id,
        limit=limit,
        expires_on=expires_on,
        on=on,
        hold=True,
    )
    if side is VouchSide.VOUCHER:
        _check_not_overdue(session, voucher_id)
    hold_promisers(session, community_id, [voucher_id])
    pair = _lock_pair(session, community_id, voucher_id, borrower_id)
    for offer in _current_offers(session, pair, on=on, now=now):
        if offer.offered_by is side:
            raise OfferExists(offer=offer.public_id)
        offer.limit_minor = min(offer.limit_minor, limit.amount_minor)
        offer.expires_on = min(offer.expires_on, expires_on)
        return _accept(
            session, offer, pair, on=on, now=now, actor_id=actor_id, records_of=records_of
        )
    if side is VouchSide.VOUCHER:
        change = vouch_change(
            _live_of(pair), voucher_id, borrower_id, limit.amount_minor, expires_on, on
        )
        checks = check_promises(
            session, community_id=community_id, changes=[change], on=on, records_of=records_of
        )
        require_caps(checks, told_id=actor_id)
    vouch = Vouch(
        community_id=community_id,
        kind=VouchKind.PERSONAL,
        voucher_id=voucher_id,
        borrower_id=borrower_id,
        offered_by=side,
        limit_minor=limit.amount_minor,
        reserved_minor=0,
        spent_minor=0,
        status=VouchStatus.OFFERED,
        offered_at=now,
        expires_on=expires_on,
        version=1,
    )
    session.add(vouch)
    session.flush()  # the same offer made at the same time meets the unique index here
    _note(session, vouch, "vouch.offered", now, actor_id, side=side.value)
    return vouch


def accept_vouch(
    session: Session,
    *,
    vouch_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    records_of: RecordsOf | None = None,
) -> Vouch:
    """The other side says yes: the promise is live from now on.

    Where a live promise of the same pair exists, it takes over the offered limit and end, and
    the offer is `replaced`; the answer is the live one. Raises NotYourSide, VouchNotOpen,
    NotAMember, OverdueGivesNoVouch, VouchTooLarge, VouchInUse, GuaranteeCapReached.
    """
    seen = session.get(Vouch, vouch_id)
    if seen is None:
        raise VouchNotFound()
    _check_side(actor_id, _other(seen.offered_by), seen.voucher_id, seen.borrower_id)
    hold_promisers(session, seen.community_id, [seen.voucher_id])
    pair = _lock_pair(session, seen.community_id, seen.voucher_id, seen.borrower_id)
    offer = next((vouch for vouch in pair if vouch.id == vouch_id), None)
    if offer is None or offer.status is not VouchStatus.OFFERED:
        session.refresh(seen)
        raise _not_open(seen)
    if offer.expires_on < on:
        raise VouchNotOpen("The offer has expired.", expires_on=offer.expires_on.isoformat())
    return _accept(session, offer, pair, on=on, now=now, actor_id=actor_id, records_of=records_of)


def decline_vouch(session: Session, *, vouch_id: int, now: datetime, actor_id: int | None) -> Vouch:
    """The other side says no to an offer."""
    vouch = _locked(session, vouch_id)
    _check_side(actor_id, _other(vouch.offered_by), vouch.voucher_id, vouch.borrower_id)
    return _end_offer(session, vouch, VouchStatus.DECLINED, now=now, actor_id=actor_id)


def withdraw_vouch(
    session: Session, *, vouch_id: int, now: datetime, actor_id: int | None
) -> Vouch:
    """Whoever made an offer takes it back before it is accepted."""
    vouch = _locked(session, vouch_id)
    _check_side(actor_id, vouch.offered_by, vouch.voucher_id, vouch.borrower_id)
    return _end_offer(session, vouch, VouchStatus.WITHDRAWN, now=now, actor_id=actor_id)


def lower_vouch(
    session: Session, *, vouch_id: int, limit: Money, now: datetime, actor_id: int | None
) -> Vouch:
    """The voucher promises less from now on, never less than what loans rest on.

    Raises NotYourSide, VouchNotOpen, GroupVouchIsFixed, VouchOnlyLowers, VouchInUse.
    """
    vouch = _locked(session, vouch_id)
    _check_side(actor_id, VouchSide.VOUCHER, vouch.voucher_id, vouch.borrower_id)
    _check_live_and_personal(vouch)
    currency = _currency(session, vouch.community_id)
    if limit.currency != currency:
        raise CurrencyMismatch(expected=currency, given=limit.currency)
    if not limit.is_positive:
        raise Invalid("To promise nothing any more, revoke the vouch.", field="limit")
    if limit.amount_minor >= vouch.limit_minor:
        raise VouchOnlyLowers(
            f"The promise is {format_minor(vouch.limit_minor, currency)} now; a larger one is a "
            "new offer.",
            field="limit",
        )
    _check_in_use(vouch, limit.amount_minor, currency)
    vouch.limit_minor = limit.amount_minor
    vouch.version += 1
    _note(session, vouch, "vouch.lowered", now, actor_id)
    return vouch


def revoke_vouch(session: Session, *, vouch_id: int, now: datetime, actor_id: int | None) -> Vouch:
    """The voucher backs nothing new any more; what is reserved on the promise runs on.

    Raises NotYourSide, VouchNotOpen, GroupVouchIsFixed.
    """
    vouch = _locked(session, vouch_id)
    _check_side(actor_id, VouchSide.VOUCHER, vouch.voucher_id, vouch.borrower_id)
    _check_live_and_personal(vouch)
    vouch.limit_minor = vouch.reserved_minor + vouch.spent_minor
    vouch.status = VouchStatus.REVOKED
    vouch.ended_at = now
    vouch.version += 1
    _note(session, vouch, "vouch.revoked", now, actor_id)
    return vouch


def expire_vouches(
    session: Session, *, on: date, now: datetime, community_id: int | None = None
) -> int:
    """Mark the promises and offers whose last day is over; returns how many there were.

    They back nothing new from that day whether or not this has run; what is reserved runs on.
    """
    statement = select(Vouch.id).where(
        Vouch.status.in_([VouchStatus.LIVE, VouchStatus.OFFERED]), Vouch.expires_on < on
    )
    if community_id is not None:
        statement = statement.where(Vouch.community_id == community_id)
    ids = sorted(session.scalars(statement))
    count = 0
    for start in range(0, len(ids), _BATCH):
        for vouch in lock(session, Vouch, ids[start : start + _BATCH]).values():
            if vouch.status in (VouchStatus.LIVE, VouchStatus.OFFERED) and vouch.expires_on < on:
                _expire(session, vouch, now=now)
                count += 1
    return count


def activate_group(
    session: Session,
    *,
    group_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    records_of: RecordsOf | None = None,
) -> Group:
    """A group whose cooling-off is over binds: every member stands behind every other.

    The mutual vouches carry the cap and the end that the signed agreement shows. Raises what
    `groups.service.mark_active` raises, also when a member has something overdue anywhere, and
    GuaranteeCapReached.
    """
    signed = [place.member_id for place in living_members(session, group_id)]
    group = groups.mark_active(
        session,
        group_id=group_id,
        overdue_ids=overdue_members(session, signed),
        on=on,
        now=now,
        actor_id=actor_id,
    )
    hold_promisers(session, group.community_id, signed)
    require_and_keep(
        session,
        community_id=group.community_id,
        changes=group_changes(group.id, signed, (), group.pair_cap_minor, group.vouch_expires_on),
        told_id=actor_id,
        group_id=group.id,
        on=on,
        now=now,
        records_of=records_of,
    )
    vouches = [
        new_group_vouch(group, voucher_id, borrower_id, now)
        for voucher_id, borrower_id in permutations(sorted(signed), 2)
    ]
    session.add_all(vouches)
    session.flush()  # the event names them
    record_event(
        session,
        community_id=group.community_id,
        kind="group.vouches_written",
        subject=group.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "pair_cap_minor": group.pair_cap_minor,
            "expires_on": group.vouch_expires_on.isoformat(),
            "vouches": [vouch.public_id for vouch in vouches],
        },
    )
    return group


def _current_offers(
    session: Session, pair: Iterable[Vouch], *, on: date, now: datetime
) -> list[Vouch]:
    """The open offers of a pair, this side's or the other's; one past its last day ends here."""
    current = []
    for vouch in pair:
        if vouch.status is VouchStatus.OFFERED:
            if vouch.expires_on < on:
                _expire(session, vouch, now=now)
            else:
                current.append(vouch)
    session.flush()  # an ended offer makes room for a new one of the same side
    return current


def _accept(
    session: Session,
    offer: Vouch,
    pair: Iterable[Vouch],
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
    records_of: RecordsOf | None,
) -> Vouch:
    for member_id in (offer.voucher_id, offer.borrower_id):
        communities.require_active(
            session, community_id=offer.community_id, member_id=member_id, hold=True
        )
    _check_not_overdue(session, offer.voucher_id)
    currency = _currency(session, offer.community_id)
    # The charter may have changed since the offer.
    _check_amount(_rules(session, offer.community_id, on), offer.limit_minor, currency)
    live = _live_of(pair)
    if live is not None and live.expires_on < on:
        _expire(session, live, now=now)
        session.flush()  # the pair has one live promise of a kind: the old one ends first
        live = None
    change = vouch_change(
        live, offer.voucher_id, offer.borrower_id, offer.limit_minor, offer.expires_on, on
    )
    require_and_keep(
        session,
        community_id=offer.community_id,
        changes=[change],
        told_id=actor_id,
        vouch_id=offer.id if live is None else live.id,
        on=on,
        now=now,
        records_of=records_of,
    )
    if live is None:
        offer.status = VouchStatus.LIVE
        offer.accepted_at = now
        offer.version += 1
        session.flush()  # another acceptance for the pair meets the unique index here
        _note(session, offer, "vouch.accepted", now, actor_id)
        return offer
    _check_in_use(live, offer.limit_minor, currency)
    live.limit_minor = offer.limit_minor
    live.expires_on = offer.expires_on
    live.version += 1
    offer.status = VouchStatus.REPLACED
    offer.accepted_at = now
    offer.ended_at = now
    offer.version += 1
    _note(session, live, "vouch.amended", now, actor_id, by_offer=offer.public_id)
    return live


def check_offer(
    session: Session,
    *,
    community_id: int,
    voucher_id: int,
    borrower_id: int,
    limit: Money,
    expires_on: date,
    on: date,
    hold: bool = False,
) -> None:
    """Go on only if a promise between these two, on these terms, can be offered at all.

    Raises VouchForOneself, CurrencyMismatch, VouchTooLarge, ExpiryOutOfRange, NotAMember.
    """
    if voucher_id == borrower_id:
        raise VouchForOneself()
    _check_terms(session, community_id, limit, expires_on, on)
    for member_id in (voucher_id, borrower_id):
        communities.require_active(
            session, community_id=community_id, member_id=member_id, hold=hold
        )


def vouch_change(
    live: Vouch | None,
    voucher_id: int,
    borrower_id: int,
    limit_minor: int,
    expires_on: date,
    on: date,
) -> Change:
    """What a promise between two comes to, given the one that is live between them."""
    if live is None or live.expires_on < on:
        return Change(voucher_id, borrower_id, limit_minor, expires_on)
    most = max(limit_minor - live.spent_minor, 0)
    return Change(voucher_id, borrower_id, most, expires_on, vouch_id=live.id)


def _live_of(pair: Iterable[Vouch]) -> Vouch | None:
    return next((vouch for vouch in pair if vouch.status is VouchStatus.LIVE), None)


def _end_offer(
    session: Session, vouch: Vouch, status: VouchStatus, *, now: datetime, actor_id: int | None
) -> Vouch:
    if vouch.status is not VouchStatus.OFFERED:
        raise _not_open(vouch)
    vouch.status = status
    vouch.ended_at = now
    vouch.version += 1
    _note(session, vouch, f"vouch.{status.value}", now, actor_id)
    return vouch


def _expire(session: Session, vouch: Vouch, *, now: datetime) -> None:
    vouch.status = VouchStatus.EXPIRED
    vouch.ended_at = now
    vouch.version += 1
    _note(session, vouch, "vouch.expired", now, None)


def _lock_pair(
    session: Session, community_id: int, voucher_id: int, borrower_id: int
) -> list[Vouch]:
    """The open offers and the live personal promise between two members, locked together."""
    ids = session.scalars(
        select(Vouch.id).where(
            Vouch.community_id == community_id,
            Vouch.voucher_id == voucher_id,
            Vouch.borrower_id == borrower_id,
            Vouch.kind == VouchKind.PERSONAL,
            Vouch.status.in_([VouchStatus.OFFERED, VouchStatus.LIVE]),
        )
    ).all()
    return list(lock(session, Vouch, ids).values())


def _locked(session: Session, vouch_id: int) -> Vouch:
    found = lock(session, Vouch, [vouch_id]).get(vouch_id)
    if found is None:
        raise VouchNotFound()
    return found


def _check_side(actor_id: int | None, side: VouchSide, voucher_id: int, borrower_id: int) -> None:
    """Nobody promises, accepts or lowers for another; None is the platform itself (an import)."""
    needed = voucher_id if side is VouchSide.VOUCHER else borrower_id
    if actor_id is not None and actor_id != needed:
        raise NotYourSide(f"This is for the {side.value} to do.", side=side.value)


def _check_terms(
    session: Session, community_id: int, limit: Money, expires_on: date, on: date
) -> None:
    currency = _currency(session, community_id)
    if limit.currency != currency:
        raise CurrencyMismatch(
            f"The community keeps its books in {currency}.",
            expected=currency,
            given=limit.currency,
        )
    rules = _rules(session, community_id, on)
    _check_amount(rules, limit.amount_minor, currency)
    latest = on + timedelta(days=rules.vouch_days_max)
    if not on < expires_on <= latest:
        raise ExpiryOutOfRange(
            f"A promise ends after today and not later than {latest.isoformat()}.",
            field="expires_on",
            latest=latest.isoformat(),
        )


def _check_amount(rules: CharterRules, limit_minor: int, currency: str) -> None:
    if limit_minor <= 0:
        raise Invalid("A promise is a positive amount.", field="limit")
    if limit_minor > rules.vouch_minor_max:
        most = format_minor(rules.vouch_minor_max, currency)
        raise VouchTooLarge(
            f"The charter admits promises up to {say_amount(rules.vouch_minor_max, currency)}.",
            field="limit",
            most=most,
        )


def _check_not_overdue(session: Session, voucher_id: int) -> None:
    if overdue_members(session, [voucher_id]):
        raise OverdueGivesNoVouch()


def _check_live_and_personal(vouch: Vouch) -> None:
    if vouch.status is not VouchStatus.LIVE:
        raise _not_open(vouch)
    if vouch.kind is VouchKind.GROUP:
        raise GroupVouchIsFixed()


def _check_in_use(vouch: Vouch, limit_minor: int, currency: str) -> None:
    least = vouch.reserved_minor + vouch.spent_minor
    if limit_minor < least:
        raise VouchInUse(
            f"{say_amount(least, currency)} of this promise is reserved or paid; "
            "it cannot be less.",
            least=format_minor(least, currency),
            currency=currency,
            field="limit",
        )


def _not_open(vouch: Vouch) -> VouchNotOpen:
    return VouchNotOpen(f"The vouch is {vouch.status.value}.", state=vouch.status.value)


def _other(side: VouchSide) -> VouchSide:
    return VouchSide.BORROWER if side is VouchSide.VOUCHER else VouchSide.VOUCHER


def _currency(session: Session, community_id: int) -> str:
    return communities.get_community_by_id(session, community_id).currency


def _rules(session: Session, community_id: int, on: date) -> CharterRules:
    return communities.charter_on(session, community_id, on).rules


def _note(
    session: Session,
    vouch: Vouch,
    kind: str,
    now: datetime,
    actor_id: int | None,
    **facts: str,
) -> None:
    names: Iterable[tuple[str, int]] = (
        ("voucher", vouch.voucher_id),
        ("borrower", vouch.borrower_id),
    )
    people = {side: members.get_member_by_id(session, i).public_id for side, i in names}
    record_event(
        session,
        community_id=vouch.community_id,
        kind=kind,
        subject=vouch.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            **people,
            "limit_minor": vouch.limit_minor,
            "expires_on": vouch.expires_on.isoformat(),
            **facts,
        },
    )
