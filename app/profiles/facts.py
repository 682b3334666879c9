"""What the permission table needs to know before a profile is opened, and what the caller is."""

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from app.communities.facts import membership_facts
from app.permissions import Facts, holds_office, is_auditor
from community.communities.models import Community
from community.groups.models import Group, GroupStatus
from community.members.models import Member
from community.profiles.profile import Ties, ties_between
from community.profiles.relations import Relation


@dataclass(frozen=True, slots=True)
class Viewed:
    """As whom the caller looks at a member."""

    facts: Facts
    ties: Ties

    @property
    def relations(self) -> frozenset[Relation]:
        """What the caller is to the member, by ties and by office."""
        holds = {
            Relation.SELF: caller().member_id in self.facts.owner_ids,
            Relation.OFFICER: holds_office(caller(), self.facts),
            Relation.AUDITOR: is_auditor(caller(), self.facts),
        }
        return self.ties.relations | {relation for relation, is_so in holds.items() if is_so}


def viewed(session: Session, community: Community, member: Member) -> Viewed:
    """What stands between the caller and a member in a community."""
    me = caller().member_id
    ties = ties_between(
        session, community_id=community.id, member_id=member.id, viewer_id=me, on=today()
    )
    return Viewed(
        replace(
            membership_facts(community, member),
            related_ids=frozenset({me}) if ties.is_voucher or ties.is_backed else frozenset(),
            leader_ids=frozenset({me}) if ties.group_ids else frozenset(),
        ),
        ties,
    )


def opens_profiles_of(group: Group, facts: Facts) -> frozenset[int]:
    """Whose profiles a group's page may lead the caller to: those in the group, by member id.

    Its leader sees them, so do those in office; the others while the group's promises stand
    between them and everybody in it.
    """
    if group.status is not GroupStatus.ACTIVE:
        return frozenset()
    me, on = caller().member_id, today()
    sees = holds_office(caller(), facts) or is_auditor(caller(), facts) or me in facts.leader_ids
    bound = me in facts.member_ids and on <= group.vouch_expires_on
    return facts.member_ids - {me} if sees or bound else frozenset()
