"""Seeded random webs of debts, and slow obvious answers to compare with."""

from __future__ import annotations

import random
from fractions import Fraction

Matrix = list[list[int]]
# Without costs of default twice as often as with any one pair of them.
COSTS = [(1, 1), (1, 1), (Fraction(1, 2), Fraction(3, 4)), (0, 1), (1, Fraction(1, 2)), (0, 0)]


def debts_and_assets(seed: int, most: int = 8) -> tuple[Matrix, list[int]]:
    """A matrix of debts with rings, zeros and members who owe nothing, and assets."""
    rng = random.Random(seed)
    n = rng.randint(1, most)
    density = rng.choice([0.2, 0.5, 0.9])
    matrix = [
        [rng.randint(1, 20) if i != j and rng.random() < density else 0 for j in range(n)]
        for i in range(n)
    ]
    return matrix, [rng.choice([0, 0, rng.randint(1, 25)]) for _ in range(n)]


def costs_of(seed: int) -> tuple[Fraction | int, Fraction | int]:
    return COSTS[seed % len(COSTS)]


def mapped(
    matrix: Matrix,
    assets: list[int],
    pay: list[Fraction],
    alpha: Fraction | int,
    beta: Fraction | int,
) -> list[Fraction]:
    """What the map of Rogers and Veraart makes of a vector, by its definition."""
    n = len(matrix)
    owed = [sum(row) for row in matrix]
    after = []
    for i in range(n):
        gets = sum(
            (Fraction(matrix[j][i]) * pay[j] / owed[j] for j in range(n) if owed[j]), Fraction(0)
        )
        full = owed[i] <= assets[i] + gets
        after.append(Fraction(owed[i]) if full else alpha * assets[i] + beta * gets)
    return after
