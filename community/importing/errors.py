"""Refusals of the import."""

from typing import TYPE_CHECKING

from community.errors import Invalid

if TYPE_CHECKING:
    from community.importing.report import Report


class ImportRefused(Invalid):
    """Some lines of the file are not right; nothing of it was written."""

    code = "import-refused"
    title = "The file was not imported"

    def __init__(self, report: "Report") -> None:
        super().__init__(report.summary(), refused=report.refused)
        self.report = report
