"""Linear equations solved in fractions."""

from collections.abc import Sequence
from fractions import Fraction


def solve_exactly(rows: Sequence[Sequence[Fraction]]) -> list[Fraction] | None:
    """Solve a square system of linear equations without any rounding.

    ``sum over c of rows[r][c] * x_c = rows[r][n]`` for every r, by Gauss and Jordan.

    Parameters
    ----------
    rows : sequence of n rows of n + 1 Fractions
        The right side last. Not changed.

    Returns
    -------
    list of Fraction, or None
        None where the system is singular.

    Notes
    -----
    O(n^3) operations on fractions that grow with n: for some hundred unknowns.

    Examples
    --------
    >>> half = Fraction(1, 2)
    >>> solve_exactly([[Fraction(1), -half, Fraction(3)], [Fraction(0), half, Fraction(1)]])
    [Fraction(4, 1), Fraction(2, 1)]
    """
    matrix = [list(row) for row in rows]
    size = len(matrix)
    for column in range(size):
        pivot = next((r for r in range(column, size) if matrix[r][column]), None)
        if pivot is None:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        top = matrix[column][column]
        lead = [x / top for x in matrix[column]]
        matrix[column] = lead
        for r in range(size):
            factor = matrix[r][column]
            if r != column and factor:
                matrix[r] = [
                    a - factor * b if b else a for a, b in zip(matrix[r], lead, strict=True)
                ]
    return [line[size] for line in matrix]
