"""People as an officer writes them down: by number, or by a name that one member alone bears."""

import re
from typing import Any

import marshmallow as ma

from app.extensions import db
from community.communities import queries as communities
from community.communities.models import Community
from community.errors import Invalid
from community.members import queries as members

_BETWEEN = re.compile(r"\s*[,，、;；\t]\s*")
_NUMBER = re.compile(r"mem_[0-9a-z]{16}")
_NAME_MOST = 120
ONE_A_LINE = "Write one member a line, by name or number."
TWO_A_LINE = "Write two members a line, by name or number, with a comma between."


class NameUnknown(Invalid):
    """No active member of the community has this name; write it as entered, or the number."""

    code = "member-name-unknown"
    title = "Nobody here is called that"


class NameShared(Invalid):
    """Several members have this name; write the number of the one who is meant."""

    code = "member-name-shared"
    title = "Several members have this name"


class People(ma.fields.String):
    """Members line by line, each by name or number: a list of lists of texts."""

    def __init__(self, in_a_line: int, lines_most: int) -> None:
        super().__init__(load_default=list)
        self.in_a_line, self.lines_most = in_a_line, lines_most

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        lines = [_parts(line) for line in value.splitlines() if line.strip()]
        if len(lines) > self.lines_most or any(
            len(line) != self.in_a_line or not all(0 < len(one) <= _NAME_MOST for one in line)
            for line in lines
        ):
            raise ma.ValidationError(ONE_A_LINE if self.in_a_line == 1 else TWO_A_LINE)
        return lines


def _parts(line: str) -> list[str]:
    """What stands between commas; two numbers may have a space between."""
    parts = _BETWEEN.split(line.strip().strip(",，、;；").strip())
    if len(parts) == 1 and all(map(_NUMBER.fullmatch, words := parts[0].split())):
        return words
    return parts


def read_people(community: Community, field: str, lines: list[list[str]]) -> list[list[int]]:
    """The members that are meant, refused at the field. Raises NameUnknown, NameShared.

    Names are looked for among those who are active in the community; its officers know them.
    """
    session = db.session()
    written = {one for line in lines for one in line}
    numbers = {one for one in written if _NUMBER.fullmatch(one)}
    found = {one: who.id for one, who in members.find_members(session, numbers).items()}
    for one in sorted(numbers - found.keys()):
        raise Invalid(f"{one} is no member's number.", field=field, number=one)
    called = communities.members_called(session, community_id=community.id, names=written - numbers)
    for name in sorted(written - numbers):
        people = called.get(name, [])
        if not people:
            raise NameUnknown(f"Nobody here is called {name}.", field=field, name=name)
        if len(people) > 1:
            ids = ", ".join(who.public_id for who in people)
            raise NameShared(f"{name} may be {ids}.", field=field, name=name, members=ids)
        found[name] = people[0].member_id
    return [[found[one] for one in line] for line in lines]
