"""Every table of the platform, in one import: for migrations and for making a schema."""

from sqlalchemy import CheckConstraint

import community.businessday.models
import community.campaigns.models
import community.communities.models
import community.feedback.models
import community.groups.guards
import community.groups.models
import community.guarantees.guards
import community.guarantees.models
import community.idempotency
import community.ledger.guards
import community.ledger.models
import community.lines.models
import community.loans.guards
import community.loans.models
import community.members.models
import community.monitoring.models
import community.personal.models
import community.portfolio.guards
import community.portfolio.models
import community.products.models
import community.receiving.guards
import community.receiving.models
import community.records.models
import community.risk.models
import community.savings.models
import community.scoring.models
import community.seasons.models
import community.trust.models
import community.trust.watches
import community.webhooks.models
from community.database import Base, MinorUnits

metadata = Base.metadata


def _whole_numbers_only() -> None:
    # SQLite's integer columns accept 1.5; PostgreSQL's do not.
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, MinorUnits):
                test = f"typeof({column.name}) IN ('integer', 'null')"
                name = f"{column.name}_is_whole"
                table.append_constraint(CheckConstraint(test, name=name).ddl_if(dialect="sqlite"))


_whole_numbers_only()
