"""Limits worked out a second time, by another way: plain SQL rows and NetworkX.

Nothing here uses the code that answers members: the layered network is written out edge by edge,
its maximum flow is NetworkX's, and what is owed is summed by a statement of its own.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import networkx as nx
from sqlalchemy import Date, bindparam, text
from sqlalchemy.orm import Session

from community.communities import queries as communities

_VOUCHES = text(
    "SELECT v.voucher_id, v.borrower_id,"
    " sum(v.limit_minor - v.reserved_minor - v.spent_minor) AS room"
    " FROM vouches v"
    " LEFT JOIN standings s ON s.community_id = v.community_id AND s.member_id = v.voucher_id"
    " WHERE v.community_id = :community AND v.status = 'live' AND v.expires_on >= :day"
    " AND s.overdue_since_on IS NULL"
    " GROUP BY v.voucher_id, v.borrower_id"
).bindparams(bindparam("day", type_=Date))
_STANDINGS = text(
    "SELECT member_id, stake_minor - reserved_minor"
    " + CASE WHEN assessed_until_on IS NULL OR assessed_until_on >= :day"
    " THEN assessed_minor ELSE 0 END AS free"
    " FROM standings WHERE community_id = :community AND overdue_since_on IS NULL"
).bindparams(bindparam("day", type_=Date))
_OWED = text(
    "SELECT coalesce(sum(CASE WHEN status = 'approved' THEN principal_minor"
    " ELSE outstanding_minor END), 0) FROM loans"
    " WHERE community_id = :community AND borrower_id = :member"
    " AND status IN ('approved', 'current')"
)
_REPAID = text(
    "SELECT count(*) FROM loans WHERE community_id = :community AND borrower_id = :member"
    " AND status = 'closed' AND called_on IS NULL"
)


@dataclass(frozen=True, slots=True)
class Found:
    """What the other way comes to: the flow of two vouches at most, and the limit."""

    flow_minor: int
    limit_minor: int
    edges: int


def layered_network(
    borrower: int, standings: dict[int, int], vouches: dict[tuple[int, int], int]
) -> "nx.DiGraph[Any]":
    """The network of at most two vouches to `borrower`, every vouch in one layer.

    Each member's standing is one budget, out of which flow both what they stand for as a direct
    voucher and what they stand for behind another voucher. Vouches of one pair are given summed.
    """
    network: nx.DiGraph[Any] = nx.DiGraph()
    network.add_edge("pool", "borrower", capacity=standings.get(borrower, 0))
    direct = [u for (u, v), room in vouches.items() if v == borrower and u != borrower and room > 0]
    for u in direct:
        network.add_edge(("direct", u), "borrower", capacity=vouches[u, borrower])
        network.add_edge(("budget", u), ("direct", u))
        network.add_edge("pool", ("budget", u), capacity=standings.get(u, 0))
    for (w, u), room in vouches.items():
        if u in direct and w != borrower and room > 0:
            network.add_edge("pool", ("budget", w), capacity=standings.get(w, 0))
            network.add_edge(("budget", w), ("second", w))
            network.add_edge(("second", w), ("direct", u), capacity=room)
    return network


def work_out(session: Session, *, community_id: int, member_id: int, on: date) -> Found:
    """A member's limit without a product, for somebody who is not late and has no claims on them.

    limit = min(flow × leverage, most that may be owed - owed, step of the cycle - owed)
    """
    place = {"community": community_id, "day": on}
    vouches = {
        (voucher, borrower): int(room)
        for voucher, borrower, room in session.execute(_VOUCHES, place)
    }
    standings = {member: max(0, int(free)) for member, free in session.execute(_STANDINGS, place)}
    network = layered_network(member_id, standings, vouches)
    flow, _ = nx.maximum_flow(network, "pool", "borrower")
    who = {"community": community_id, "member": member_id}
    owed = int(session.scalar(_OWED, who) or 0)
    repaid = int(session.scalar(_REPAID, who) or 0)
    rules = communities.charter_on(session, community_id, on).rules
    steps = rules.loan_cycle_steps_minor
    limit = min(
        flow * rules.leverage_bps // 10_000,
        rules.owed_per_member_minor_max - owed,
        steps[min(repaid, len(steps) - 1)] - owed,
    )
    return Found(int(flow), max(0, int(limit)), network.number_of_edges())
