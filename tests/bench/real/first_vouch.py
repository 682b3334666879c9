"""What could be known of a voucher, and of a first rating, at the moment when it was given."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.arrays import from_rows
from graph.propagation import eigentrust
from tests.bench.real.events import DAY, Event, Features, History

NAN = float("nan")


class FirstVouch(NamedTuple):
    """The first rating that somebody received, where it was positive."""

    ratee: int
    features: Features
    half_year: int
    """For judging only: never a feature."""


def first_vouches(events: list[Event], founder: int) -> Iterator[FirstVouch]:
    """Every first vouch with features from the events before it, in order of time."""
    history = History()
    standing = _Standing(events, founder)
    for event in events:
        new = not history.got.get(event.ratee)
        if new and event.rating > 0 and event.ratee != founder:
            features = _features(history, standing, event)
            yield FirstVouch(event.ratee, features, _half_year(event.day))
        history.add(event)
        standing.add(event, history)


def find_founder(events: list[Event], fraud: dict[int, bool]) -> int:
    """The honest user who vouched for most honest users; the earliest of equals.

    The labels were made by starting from the platform's founder, whom everybody there knew.
    """
    honest = {user for user, is_fraud in fraud.items() if not is_fraud}
    reach: dict[int, set[int]] = {}
    for event in events:
        if event.rating > 0 and event.rater in honest:
            reach.setdefault(event.rater, set()).add(event.ratee)
    if not reach:
        return events[0].rater
    return max(reach, key=lambda user: len(reach[user] & honest))


def _features(history: History, standing: "_Standing", event: Event) -> Features:
    voucher, day = event.rater, event.day
    given, got = history.given.get(voucher, []), history.got.get(voucher, [])
    ratings = [e.rating for e in given]
    welcomed = [e.ratee for e in given if e.rating > 0 and history.got[e.ratee][0] is e]
    turned = sum(any(e.rating < 0 for e in history.got[user]) for user in welcomed)
    return {
        # The rating itself, and beside what the voucher usually gives.
        "rating": event.rating,
        "rating_above_usual": event.rating - sum(ratings) / len(ratings) if ratings else NAN,
        # The voucher.
        "age": history.age(voucher, day),
        "got": len(got),
        "gave": len(given),
        "got_mean": sum(e.rating for e in got) / (len(got) + 1),
        "gave_mean": sum(ratings) / (len(ratings) + 1),
        "got_bad_share": (sum(e.rating < 0 for e in got) + 0.1) / (len(got) + 1),
        # How those turned out so far whom the voucher was the first to vouch for.
        "welcomed": len(welcomed),
        "welcomed_turned": (turned + 0.3) / (len(welcomed) + 1),
        "welcomed_good": sum(history.good[u] for u in welcomed) / len(welcomed)
        if welcomed
        else NAN,
        # The voucher's place among all members of that day: free of scale.
        **standing.of(voucher, day),
    }


class _Standing:
    """All members so far, to say what share of them stands below a given one."""

    def __init__(self, events: list[Event], founder: int) -> None:
        users = sorted({e.rater for e in events} | {e.ratee for e in events})
        self._founder = founder
        self._place = {user: place for place, user in enumerate(users)}
        # got, gave, goodness and first day, by place; NaN for those not heard of yet.
        self._now = np.full((4, len(users)), np.nan)
        self._vouches: list[tuple[int, int, int]] = []
        self._ranked = 0
        self._ranks: dict[str, NDArray[np.float64]] = {}

    def add(self, event: Event, history: History) -> None:
        for user in (event.rater, event.ratee):
            self._now[:, self._place[user]] = (
                len(history.got.get(user, ())),
                len(history.given.get(user, ())),
                history.good.get(user, 0.0),
                history.first_seen[user],
            )
        if event.rating > 0:
            self._vouches.append((event.rater, event.ratee, max(round(event.rating * 100), 1)))

    def of(self, user: int, day: float) -> Features:
        place = self._place[user]
        known = self._now[:, ~np.isnan(self._now[3])]
        own = self._now[:, place]
        got, gave, good, since = np.where(np.isnan(own), (0, 0, 0, day), own)
        features = {
            "got_rank": _share(known[0] < got),
            "gave_rank": _share(known[1] < gave),
            "good_rank": _share(known[2] < good),
            "age_rank": _share(known[3] > since),
        }
        self._refresh()
        for name, ranks in self._ranks.items():
            value = float(ranks[place]) if ranks.size else 0.0
            members = ranks[ranks > 0]
            features[name] = value * members.size
            features[f"{name}_rank"] = _share(members < value)
        return features

    def _refresh(self) -> None:
        """PageRank from the founder, and from everybody; anew after one vouch more in a hundred."""
        count = len(self._vouches)
        if self._ranks and count - self._ranked < max(count // 100, 1):
            return
        self._ranked = count
        self._ranks = {"from_founder": np.zeros(0), "from_all": np.zeros(0)}
        if not count:
            return
        tails, heads, rooms = zip(*self._vouches, strict=True)
        network = from_rows(tails, heads, rooms)
        members = network.ids_of(range(network.n))
        known = self._founder in set(members)
        for name, seeds in (
            ("from_founder", [self._founder] if known else members),
            ("from_all", members),
        ):
            values = np.zeros(len(self._place))
            found = eigentrust(network, seeds, tolerance=1e-6).values
            values[[self._place[user] for user in members]] = found
            self._ranks[name] = values


def _share(below: Any) -> float:
    return float(below.mean()) if below.size else 0.0


def _half_year(day: float) -> int:
    moment = datetime.fromtimestamp(day * DAY, UTC)
    return moment.year * 2 + (moment.month > 6)
