"""Counting voices: how much each weighs, what is a burst, when a mean may be shown. Pure.

- Each member counts once. A voice grows with the days of membership on the day of the first word,
  up to a full one after the charter's `feedback_weight_days`.
- Of those who are tied to each other (one household, or promises in both directions), the
  weightiest counts in full and each further one by `feedback_tied_bps`.
- A burst: within `feedback_burst_days`, at least `feedback_burst_min` first words of members who
  are not full voices yet or are tied to another one of them. It is flagged, not refused.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import networkx as nx

from community.communities.charter import CharterRules

FULL_BPS = 10_000


@dataclass(frozen=True, slots=True)
class Voice:
    """A member's first word on something, and for how long they were a member then."""

    member_id: int
    on: date
    days: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """How many said it, what they weigh in hundredths of a voice, whether they came at once."""

    raw: int
    hundredths: int
    is_burst: bool


def voice_bps(days: int, rules: CharterRules) -> int:
    """What a voice weighs after so many days of membership."""
    full = rules.feedback_weight_days
    return FULL_BPS if days >= full else FULL_BPS * max(days, 0) // full


def weigh(
    voices: Collection[Voice], ties: Iterable[tuple[int, int]], rules: CharterRules
) -> Weighed:
    """Count voices, one a member, with the ties among them."""
    network: nx.Graph[int] = nx.Graph()
    network.add_nodes_from(voice.member_id for voice in voices)
    network.add_edges_from((a, b) for a, b in ties if a != b and a in network and b in network)
    weights = {voice.member_id: voice_bps(voice.days, rules) for voice in voices}
    total = 0
    for circle in nx.connected_components(network):
        first, *further = sorted((weights[member] for member in circle), reverse=True)
        total += first + sum(weight * rules.feedback_tied_bps // FULL_BPS for weight in further)
    doubtful = sorted(
        voice.on
        for voice in voices
        if weights[voice.member_id] < FULL_BPS or network.degree[voice.member_id]
    )
    least, span = rules.feedback_burst_min, rules.feedback_burst_days
    is_burst = any(
        (last - first).days < span
        for first, last in zip(doubtful, doubtful[least - 1 :], strict=False)
    )
    return Weighed(len(voices), total // 100, is_burst)


def may_be_shown(shown: Mapping[int, int], now: Mapping[int, int], least: int) -> bool:
    """Whether the mean of the stars `now` may be published after that of the stars `shown`.

    So many members as the charter asks have to have come or changed their mind since, so that the
    difference of two means is never one member's. And neither among all nor among those may all but
    one agree: whoever knows their own rating would know everybody's.
    """
    added = {member: stars for member, stars in now.items() if shown.get(member) != stars}
    return len(added) >= least and all(
        max(Counter(stars.values()).values()) <= len(stars) - 2 for stars in (added, now)
    )


def half_stars(stars: Collection[int]) -> int:
    """The mean in half stars, rounded; never quite the best or worst, which tell of everybody."""
    count = len(stars)
    return min(max((4 * sum(stars) + count) // (2 * count), 3), 9)
