"""Ratings one after another, and what could be known before each: nothing here looks ahead.

`History` takes one event at a time. Its features for a next event read only what was added
before, so that changing a later event can change nothing.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.bench.real.tables import BadTable, numbers, read_table

NAN = float("nan")
DAY = 86_400.0
WINDOWS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.0}

Features = dict[str, float]


class Event(NamedTuple):
    """A rating in -1 ... 1 and its time in days."""

    rater: int
    ratee: int
    rating: float
    day: float


def read_ratings(data: Path) -> list[Event]:
    """The ratings, ordered by time, rater and ratee; rows that are not whole are left out."""
    table = read_table(data, "bitcoin_otc_ratings", ("rater", "ratee", "rating", "unix_time"))
    columns = [numbers(table, name) for name in ("unix_time", "rater", "ratee", "rating")]
    rows = np.column_stack(columns)
    rows = rows[~np.isnan(rows).any(axis=1) & (rows[:, 1] != rows[:, 2]) & (rows[:, 3] != 0)]
    if not len(rows):
        raise BadTable("bitcoin_otc_ratings has no whole rows")
    top = float(np.abs(rows[:, 3]).max())
    order = np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))
    return [Event(int(u), int(v), float(w / top), float(t / DAY)) for t, u, v, w in rows[order]]


def read_labels(data: Path) -> dict[int, bool]:
    """True for those labelled fraud."""
    table = read_table(data, "bitcoin_otc_labels", ("user", "label"))
    users = numbers(table, "user")
    return {
        int(user): label.strip().lower() == "fraud"
        for user, label in zip(users, table["label"], strict=True)
        if user == user and label.strip()
    }


class History:
    """All events so far.

    Beside lists and counts it keeps three running estimates: goodness of a ratee (mean of the
    ratings received, weighted by the raters' fairness) and fairness of a rater (1 - mean distance
    from the goodness there was), after Kumar et al. 2016 but each event only once; and the leaning
    of raters and ratees towards positive ratings, by online logistic regression.
    """

    def __init__(self) -> None:
        self.given: dict[int, list[Event]] = defaultdict(list)
        self.got: dict[int, list[Event]] = defaultdict(list)
        self.rated: dict[int, dict[int, float]] = defaultdict(dict)
        self.rated_by: dict[int, dict[int, float]] = defaultdict(dict)
        self.first_seen: dict[int, float] = {}
        self.good: dict[int, float] = defaultdict(float)
        self.fair: dict[int, float] = defaultdict(lambda: 1.0)
        self._missed: dict[int, float] = defaultdict(float)
        self._common_lean = 2.0
        self.rater_lean: dict[int, float] = defaultdict(float)
        self.ratee_lean: dict[int, float] = defaultdict(float)
        # First ratings that a rater gave to people whom nobody had rated: how many, how many bad.
        self.welcomed: dict[int, int] = defaultdict(int)
        self.rejected: dict[int, int] = defaultdict(int)

    def add(self, event: Event) -> None:
        """What has happened."""
        rater, ratee, rating, day = event
        if not self.got[ratee]:
            self.welcomed[rater] += 1
            self.rejected[rater] += rating < 0
        for user in (rater, ratee):
            self.first_seen.setdefault(user, day)
        self._learn_leaning(event)
        self.rated[rater][ratee] = self.rated_by[ratee][rater] = rating
        self.given[rater].append(event)
        self.got[ratee].append(event)
        self._missed[rater] += abs(rating - self.good[ratee]) / 2
        self.fair[rater] = 1 - self._missed[rater] / (len(self.given[rater]) + 1)
        raters = self.rated_by[ratee]
        self.good[ratee] = sum(self.fair[u] * w for u, w in raters.items()) / (len(raters) + 1)

    def before_rating(self, rater: int, ratee: int, day: float) -> Features:
        """What is known of the two just before one rates the other."""
        features = {
            **self._ledger("ratee_got", self.got.get(ratee, []), day),
            **self._ledger("ratee_gave", self.given.get(ratee, []), day),
            **self._ledger("rater_gave", self.given.get(rater, []), day),
            **self._ledger("rater_got", self.got.get(rater, []), day),
            "rater_age": self.age(rater, day),
            "ratee_age": self.age(ratee, day),
            "back": self.rated.get(ratee, {}).get(rater, NAN),
            "again": self.rated.get(rater, {}).get(ratee, NAN),
            "rater_fair": self.fair.get(rater, NAN),
            "ratee_fair": self.fair.get(ratee, NAN),
            "rater_good": self.good.get(rater, NAN),
            "ratee_good": self.good.get(ratee, NAN),
            "foretold": self.fair.get(rater, 1.0) * self.good.get(ratee, 0.0),
            "rater_lean": self.rater_lean.get(rater, 0.0),
            "ratee_lean": self.ratee_lean.get(ratee, 0.0),
            "rater_welcomed": self.welcomed.get(rater, 0),
            "rater_rejects": (self.rejected.get(rater, 0) + 0.15)
            / (self.welcomed.get(rater, 0) + 1),
        }
        features["lean"] = features["rater_lean"] + features["ratee_lean"]
        features.update(self._triads(rater, ratee))
        features.update(self._company(rater, ratee, day))
        return features

    def age(self, user: int, day: float) -> float:
        """Days since a user was first heard of."""
        return day - self.first_seen.get(user, NAN)

    def _learn_leaning(self, event: Event) -> None:
        rater, ratee, rating, _ = event
        odds = self._common_lean + self.rater_lean[rater] + self.ratee_lean[ratee]
        surprise = (rating > 0) - 1 / (1 + math.exp(-odds))
        self._common_lean += 0.01 * surprise
        self.rater_lean[rater] += 0.3 * surprise - 0.002 * self.rater_lean[rater]
        self.ratee_lean[ratee] += 0.5 * surprise - 0.002 * self.ratee_lean[ratee]

    def _ledger(self, name: str, events: list[Event], day: float) -> Features:
        """Counts, means, recency and bursts of one user's ratings, given or got."""
        n = len(events)
        ratings = [event.rating for event in events]
        bad = sum(rating < 0 for rating in ratings)
        last_bad = next((e.day for e in reversed(events) if e.rating < 0), NAN)
        features: Features = {
            "n": n,
            "bad": bad,
            "worst": sum(rating <= -0.9 for rating in ratings),
            "sum": sum(ratings),
            "mean": sum(ratings) / (n + 1),
            "bad_share": (bad + 0.1) / (n + 1),
            "lowest": min(ratings, default=NAN),
            "highest": max(ratings, default=NAN),
            "since": day - events[-1].day if n else NAN,
            "since_third": day - events[-3].day if n >= 3 else NAN,
            "span": day - events[0].day if n else NAN,
            "since_bad": day - last_bad,
            "streak": _streak(ratings),
        }
        for back in (1, 2, 3):
            features[f"last{back}"] = ratings[-back] if n >= back else NAN
        for last in (5, 15):
            features[f"mean{last}"] = sum(ratings[-last:]) / last
        counts = dict.fromkeys(WINDOWS, 0)
        bads = dict.fromkeys(WINDOWS, 0)
        for event in reversed(events):
            gone = day - event.day
            if gone > WINDOWS["month"]:
                break
            for window, days in WINDOWS.items():
                if gone <= days:
                    counts[window] += 1
                    bads[window] += event.rating < 0
        features.update({f"n_{window}": count for window, count in counts.items()})
        features.update({f"bad_{window}": count for window, count in bads.items()})
        return {f"{name}_{key}": value for key, value in features.items()}

    def _triads(self, rater: int, ratee: int) -> Features:
        """Signed triads over a third user in all four directions, and two-hop trust."""
        features: Features = {}
        nothing: dict[int, float] = {}
        near = {"to": self.rated.get(rater, nothing), "from": self.rated_by.get(rater, nothing)}
        far = {"to": self.rated_by.get(ratee, nothing), "from": self.rated.get(ratee, nothing)}
        trust, met = 0.0, 0
        for a, ours in near.items():
            for b, theirs in far.items():
                small, large = (ours, theirs) if len(ours) <= len(theirs) else (theirs, ours)
                counts = dict.fromkeys(((1, 1), (1, 0), (0, 1), (0, 0)), 0)
                for user in small:
                    if user in large:
                        x, y = ours[user], theirs[user]
                        counts[int(x > 0), int(y > 0)] += 1
                        if a == b == "to" and x > 0:
                            trust += math.copysign(min(x, abs(y)), y)
                            met += 1
                for (x, y), count in counts.items():
                    features[f"triad_{a}{'+' if x else '-'}_{b}{'+' if y else '-'}"] = count
        features["two_hop"], features["two_hop_met"] = trust, met
        return features

    def _company(self, rater: int, ratee: int, day: float) -> Features:
        """Standing of those who rated the ratee, whom the ratee rated, whom the rater rated."""
        raters = self.rated_by.get(ratee, {})
        fellows = self.rated.get(ratee, {})
        recent = [event.ratee for event in self.given.get(rater, [])[-40:]]
        return {
            "raters_good": _mean(self.good[u] for u in raters),
            "raters_worst": min((self.good[u] for u in raters), default=NAN),
            "raters_lean": _mean(w - self.rater_lean[u] for u, w in raters.items()),
            "raters_age": _mean(self.age(u, day) for u in raters),
            "critics_good": _mean(self.good[u] for u, w in raters.items() if w < 0),
            "fellows_good": _mean(self.good[u] for u in fellows),
            "fellows_gap": _mean(w - self.good[u] for u, w in fellows.items()),
            "fellows_back": _mean(float(u in raters) for u in fellows),
            "rated_good": _mean(self.good[u] for u in recent),
            "rated_gap": _mean(self.rated[rater][u] - self.good[u] for u in recent),
            "rated_good5": _mean(self.good[u] for u in recent[-5:]),
            "rated_age5": _mean(self.age(u, day) for u in recent[-5:]),
        }


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else NAN


def _streak(ratings: list[float]) -> int:
    """Length of the last run of one sign: above 0 if bad, below 0 if good."""
    length = 0
    for rating in reversed(ratings):
        if (rating < 0) != (ratings[-1] < 0):
            break
        length += 1
    return length if ratings and ratings[-1] < 0 else -length
