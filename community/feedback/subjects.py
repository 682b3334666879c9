"""What is rated and commented on, and whom it concerns."""

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.models import Community, Membership, MembershipStatus
from community.feedback.errors import NotDecidedYet, SubjectNotFound
from community.feedback.models import DECIDED, FeedbackSubject, SubjectKind, Theme
from community.groups import queries as groups
from community.guarantees import queries as guarantees
from community.loans import queries as loans
from community.loans.models import Loan, LoanStatus
from community.monitoring import meetings
from community.monitoring.models import (
    Attendance,
    AttendanceKind,
    Meeting,
    MeetingStatus,
    Motion,
    MotionStatus,
)
from community.products import queries as products
from community.products.models import Product, ProductVersion

Thing = ProductVersion | Meeting | Motion | Loan | Theme
_COLUMNS = {
    SubjectKind.PRODUCT: FeedbackSubject.product_version_id,
    SubjectKind.MEETING: FeedbackSubject.meeting_id,
    SubjectKind.MOTION: FeedbackSubject.motion_id,
    SubjectKind.LOAN: FeedbackSubject.loan_id,
    SubjectKind.THEME: FeedbackSubject.theme_id,
}
_UNDECIDED = (LoanStatus.DRAFT, LoanStatus.SUBMITTED, LoanStatus.ENDORSED, LoanStatus.WITHDRAWN)
_COULD_VOTE = (AttendanceKind.PRESENT, AttendanceKind.PROXY)


def find_thing(
    session: Session, kind: SubjectKind, public_id: str, *, on: date, version: int | None = None
) -> Thing:
    """The thing of this public id; of a product the version named, or that in force today.

    Raises SubjectNotFound and what the other rooms raise for what they do not know.
    """
    if kind is SubjectKind.PRODUCT:
        product = products.get_product(session, public_id)
        if version is None:
            return products.version_on(session, product.id, on)
        found = session.scalar(
            select(ProductVersion).where(
                ProductVersion.product_id == product.id, ProductVersion.version == version
            )
        )
        if found is None:
            raise SubjectNotFound()
        return found
    if kind is SubjectKind.MEETING:
        return meetings.get_meeting(session, public_id)
    if kind is SubjectKind.MOTION:
        return meetings.get_motion(session, public_id)
    if kind is SubjectKind.LOAN:
        return loans.get_loan(session, public_id)
    theme = session.scalar(select(Theme).where(Theme.public_id == public_id))
    if theme is None:
        raise SubjectNotFound()
    return theme


def community_of(session: Session, thing: Thing) -> Community:
    """Where a thing belongs."""
    if isinstance(thing, ProductVersion):
        place = session.get_one(Product, thing.product_id).community_id
    elif isinstance(thing, Motion):
        place = session.get_one(Meeting, thing.meeting_id).community_id
    else:
        place = thing.community_id
    return communities.get_community_by_id(session, place)


def concerns(session: Session, thing: Thing, member_id: int) -> bool:
    """Whether a thing is this member's to judge.

    A product: of active members of its community and what nests in it. A meeting: of those who were
    called to it. A motion: of those who could vote. A decision on a loan: of its borrower and those
    who stand behind it. A theme: of active members of its community.
    """
    if isinstance(thing, ProductVersion):
        place = session.get_one(Product, thing.product_id).community_id
        paths = session.scalars(
            select(Community.path)
            .join(Membership, Membership.community_id == Community.id)
            .where(Membership.member_id == member_id, Membership.status == MembershipStatus.ACTIVE)
        )
        return any(f"/{place}/" in path for path in paths)
    if isinstance(thing, Meeting):
        if _line(session, thing.id, member_id) is not None:
            return True
        living = groups.living_members(session, thing.group_id)
        is_open = thing.status is MeetingStatus.OPEN
        return is_open and member_id in {place.member_id for place in living}
    if isinstance(thing, Motion):
        line = _line(session, thing.meeting_id, member_id)
        return line is not None and line.kind in _COULD_VOTE
    if isinstance(thing, Loan):
        backing = guarantees.guarantor_ids(session, loan_id=thing.id)
        return member_id == thing.borrower_id or member_id in backing
    return not communities.inactive(
        session, community_id=thing.community_id, member_ids=[member_id]
    )


def check_decided(thing: Thing) -> None:
    """Go on only if there is something to judge. Raises NotDecidedYet."""
    if isinstance(thing, Motion):
        is_decided = thing.status is not MotionStatus.OPEN
    elif isinstance(thing, Loan):
        is_decided = thing.status not in _UNDECIDED
    elif isinstance(thing, Theme):
        is_decided = thing.status in DECIDED
    else:
        return
    if not is_decided:
        raise NotDecidedYet("Wait until it is decided.", status=thing.status.value)


def kind_of(thing: Thing) -> SubjectKind:
    """What kind of subject a thing is."""
    return {
        ProductVersion: SubjectKind.PRODUCT,
        Meeting: SubjectKind.MEETING,
        Motion: SubjectKind.MOTION,
        Loan: SubjectKind.LOAN,
        Theme: SubjectKind.THEME,
    }[type(thing)]


def find_subject(session: Session, thing: Thing) -> FeedbackSubject | None:
    """The row under which feedback on a thing is kept, if there is any yet."""
    column = _COLUMNS[kind_of(thing)]
    return session.scalar(select(FeedbackSubject).where(column == thing.id))


def subject_for(session: Session, thing: Thing) -> FeedbackSubject:
    """The same, made if need be; two who are first at once meet its key, and one tries again."""
    found = find_subject(session, thing)
    if found is None:
        kind = kind_of(thing)
        found = FeedbackSubject(community_id=community_of(session, thing).id, kind=kind)
        setattr(found, _COLUMNS[kind].key, thing.id)
        session.add(found)
        session.flush()
    return found


def check_concerned(session: Session, thing: Thing, member_id: int) -> None:
    """Raises SubjectNotFound where it does not concern the member, NotDecidedYet."""
    if not concerns(session, thing, member_id):
        raise SubjectNotFound()
    check_decided(thing)


def _line(session: Session, meeting_id: int, member_id: int) -> Attendance | None:
    return session.scalar(
        select(Attendance).where(
            Attendance.meeting_id == meeting_id, Attendance.member_id == member_id
        )
    )
