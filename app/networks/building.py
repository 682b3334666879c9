"""Building network files: each step is a unit of work, so that readers never wait for a build."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.trust import networks


def build_networks(
    session: Session,
    *,
    communities: Sequence[int],
    on: date,
    now: datetime,
    folder: Path,
    from_rows_only: bool = False,
) -> dict[int, networks.Built]:
    """Write the files of these communities anew, one after the other; what was built by id."""
    if run_unit(session, networks.begin_building, communities=communities):
        run_unit(session, networks.wait_for_writers)
    built = {}
    for community_id in communities:
        built[community_id] = run_unit(
            session,
            networks.build_network,
            community_id=community_id,
            on=on,
            now=now,
            folder=folder,
            from_rows_only=from_rows_only,
        )
        run_unit(session, networks.tidy_networks, folder=folder, community_id=community_id)
    return built
