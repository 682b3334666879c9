"""A village behind the API: an operator, an officer, members with tokens."""

from dataclasses import dataclass, field

from flask import Flask

from app.clock import now, today
from app.extensions import db
from app.transaction import run_unit
from community.communities import queries, service
from community.members.principal import Role
from tests.api.people import Person, register
from tests.village_life import found_village


@dataclass
class Village:
    """A community with its people. The operator is the platform's."""

    app: Flask
    public_id: str
    community_id: int
    officer: Person
    operator: Person
    auditor: Person
    people: list[Person] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/api/v1/communities/{self.public_id}"

    def place(self, person: Person) -> str:
        """The address of a person's place in this village."""
        return f"{self.path}/members/{person.public_id}"

    def settle(self, name: str = "Wang Fang") -> Person:
        """Somebody who is an active member, with a token."""
        person = register(self.app, name)
        self.take_in(person)
        return person

    def take_in(self, person: Person) -> None:
        """Make somebody an active member."""
        for step in (service.apply_for_membership, service.activate_membership):
            with self.app.app_context():
                run_unit(
                    db.session(),
                    step,
                    community_id=self.community_id,
                    member_id=person.member_id,
                    on=today(),
                    now=now(),
                    actor_id=None,
                )
        self.people.append(person)


def make_village(
    app: Flask, name: str = "Nanhu", *, inside: Village | None = None, **rules: object
) -> Village:
    """A village in force with an officer, an auditor and an operator."""
    with app.app_context():
        session = db.session()
        parent = inside and queries.get_community(session, inside.public_id)
        community = found_village(session, name, parent=parent or None, **rules)
        public_id, community_id = community.public_id, community.id
        session.rollback()
    return Village(
        app,
        public_id,
        community_id,
        officer=register(app, "Officer", roles=[(Role.OFFICER, community_id)]),
        operator=register(app, "Operator", roles=[(Role.OPERATOR, None)]),
        auditor=register(app, "Auditor", roles=[(Role.AUDITOR, community_id)]),
    )
