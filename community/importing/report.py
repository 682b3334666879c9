"""What an import found and did: counts, and every fault with its place, reason and remedy. Pure."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import IO, NamedTuple

from community.importing.errors import ImportRefused

SHOWN_CHARACTERS = 40


class Fault(NamedTuple):
    """One cell that is not right. `column` is '' where the whole line or file is meant."""

    line: int
    column: str
    value: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line else "file"
        if self.column:
            place += f", column {self.column}"
        value = f": {shown(self.value)}" if self.value else ""
        return f"{place}{value}: {self.reason} {self.remedy}".rstrip()


def shown(value: str) -> str:
    """A value as it can be printed anywhere: shortened, what does not print spelled out."""
    short = value if len(value) <= SHOWN_CHARACTERS else value[: SHOWN_CHARACTERS - 1] + "…"
    return "'" + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short) + "'"


@dataclass
class Report:
    """Counts of one file's rows, and its faults in the order of lines."""

    kind: str
    rows: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    # SHA-256 of the file as it is when unpacked.
    digest: str = ""
    faults: list[Fault] = field(default_factory=list)
    # References of rows with bad cells: what points at them is not wrong for that.
    left_out: set[str] = field(default_factory=set)
    # What came of it beyond the rows themselves, such as how many vouches are live.
    outcome: dict[str, int] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        """How many lines have at least one fault."""
        return len({fault.line for fault in self.faults})

    def copy(self) -> "Report":
        """The same findings, to go on counting from."""
        return replace(self, faults=self.faults.copy(), left_out=self.left_out.copy(), outcome={})

    def fault(self, line: int, column: str, value: str, reason: str, remedy: str = "") -> None:
        self.faults.append(Fault(line, column, value, reason, remedy))

    def refuse_if_faulty(self) -> None:
        """Raise ImportRefused with all faults, sorted by line, if there are any."""
        if self.faults:
            self.faults.sort(key=lambda fault: fault.line)
            self.new = self.updated = self.unchanged = 0
            self.outcome.clear()
            raise ImportRefused(self)

    def summary(self) -> str:
        """The closing line."""
        updated = f", {self.updated} updated" if self.updated else ""
        outcome = ", ".join(f"{count} {what}" for what, count in self.outcome.items())
        return (
            f"{self.kind}: {self.rows} rows, {self.new} new{updated}, {self.unchanged} unchanged, "
            f"{self.refused} refused" + (f" ({outcome})" if outcome else "")
        )

    def fault_lines(self, most: int) -> Iterator[str]:
        """The first faults as text, and how many more there are."""
        for fault in self.faults[:most]:
            yield str(fault)
        left = len(self.faults) - most
        if left > 0:
            yield f"… and {left} more"

    def write_faults(self, stream: IO[str]) -> None:
        """All faults as CSV."""
        writer = csv.writer(stream)
        writer.writerow(Fault._fields)
        for fault in self.faults:
            writer.writerow(fault._replace(value=shown(fault.value)[1:-1]))
