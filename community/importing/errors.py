"""Refusals of the import."""

from typing import TYPE_CHECKING

from community.errors import Invalid

if TYPE_CHECKING:
    from community.importing.report import Report

FAULTS_TOLD = 100


class ImportRefused(Invalid):
    """Some lines of the file are not right; nothing of it was written. `faults` lists the first."""

    code = "import-refused"
    title = "The file was not imported"

    def __init__(self, report: "Report") -> None:
        super().__init__(
            report.summary(),
            refused=report.refused,
            # For whoever sent the file over the web; commands print them from the report.
            faults=[fault._asdict() for fault in report.faults[:FAULTS_TOLD]],
        )
        self.report = report
