"""Seeded networks for the benches: villages, few ways between them, and some hubs."""

import numpy as np
from numpy.typing import NDArray

# How many vouches stay in the village, how many have a hub at one end; the rest go anywhere.
INSIDE, WITH_HUB = 0.85, 0.06
VILLAGE = 250
MEMBERS_PER_HUB = 1000
WITH_STANDING = 0.6

Ints = NDArray[np.int64]


def village_network(members: int, degree: int, seed: int) -> tuple[Ints, Ints, Ints, Ints]:
    """About `members` times `degree` vouches between members 0 … `members` - 1.

    Parameters
    ----------
    members : int
        At least 3.
    degree : int
        Vouches per member on average; a little less, since no pair comes twice.
    seed : int

    Returns
    -------
    tails, heads, rooms : array of int64, shape (m,)
        In no order; rooms in minor units, > 0.
    standings : array of int64, shape (members,)
        Minor units; 0 for about two members in five.
    """
    random = np.random.default_rng(seed)
    m = members * degree
    # Villages are runs of members, some three times as large as others.
    sizes = random.integers(VILLAGE // 2, VILLAGE * 3 // 2, 2 * members // VILLAGE + 1)
    ends = np.minimum(np.cumsum(sizes), members)
    begins = np.concatenate([[0], ends[:-1]])
    tails = random.integers(0, members, m)
    village = np.searchsorted(ends, tails, side="right")
    size = ends[village] - begins[village]
    heads = begins[village] + (random.random(m) * size).astype(np.int64)
    kind = random.random(m)
    anywhere = kind >= INSIDE
    heads[anywhere] = random.integers(0, members, int(anywhere.sum()))
    # Hubs are spread over the villages; the first of them has some thousands of 100,000 members.
    hubs = random.choice(members, max(1, members // MEMBERS_PER_HUB), replace=False)
    weight = np.arange(1, hubs.size + 1) ** -0.7
    at_hub = np.flatnonzero(kind >= 1 - WITH_HUB)
    hub = random.choice(hubs, at_hub.size, p=weight / weight.sum())
    vouches = random.random(at_hub.size) < 0.5
    tails[at_hub[vouches]] = hub[vouches]
    heads[at_hub[~vouches]] = hub[~vouches]
    pairs = np.unique((tails * members + heads)[tails != heads])
    pairs = random.permutation(pairs)
    rooms = 1 + random.lognormal(8, 1, pairs.size).astype(np.int64)
    standings = 1 + random.lognormal(9.5, 1, members).astype(np.int64)
    standings[random.random(members) >= WITH_STANDING] = 0
    return pairs // members, pairs % members, rooms, standings
