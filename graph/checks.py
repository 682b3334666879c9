"""What a number and an id have to be before any graph method works with them."""

from fractions import Fraction
from numbers import Integral, Real
from typing import Any

from graph.errors import BadAmount, BadCapacity, BadParameter


def whole(value: object, what: str) -> int:
    """Return `value` as a plain int >= 0, or refuse it.

    Parameters
    ----------
    value : object
        An int or a NumPy integer. A bool, a float (also 3.0) and a string are refused: money
        that arrives as one of these was mishandled before it came here.
    what : str
        What the number stands for, for the message.

    Returns
    -------
    int

    Raises
    ------
    BadCapacity
        Not a whole number, or below zero.

    Notes
    -----
    Constant cost.

    Examples
    --------
    >>> whole(12, "room")
    12
    >>> whole(-1, "room")
    Traceback (most recent call last):
        ...
    graph.errors.BadCapacity: room must be a whole number >= 0, got -1
    """
    if type(value) is int:
        number = value
    elif isinstance(value, bool) or not isinstance(value, Integral):
        raise BadCapacity(what, value)
    else:
        number = int(value)
    if number < 0:
        raise BadCapacity(what, value)
    return number


def count(value: object, what: str, least: int) -> int:
    """Return `value` if it is a whole number of at least `least`, or refuse it.

    Parameters
    ----------
    value : object
        An int; no bool, no float.
    what : str
        What is counted, for the message.
    least : int
        Smallest value allowed.

    Returns
    -------
    int

    Raises
    ------
    BadParameter
        Not a whole number, or below `least`.

    Notes
    -----
    Constant cost.

    Examples
    --------
    >>> count(2, "circle", 0)
    2
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadParameter(f"{what} must be a whole number >= {least}, got {value!r}")
    return value


def real(value: object, what: str) -> int | float:
    """Return `value` if it is a real number other than NaN, or refuse it.

    Parameters
    ----------
    value : object
        An int, float, Fraction or NumPy number.
    what : str
        What the number stands for, for the message.

    Returns
    -------
    int or float
        `value` itself.

    Raises
    ------
    BadParameter
        Not a number, or NaN, which has no place in any order.

    Notes
    -----
    Constant cost.

    Examples
    --------
    >>> real(2.5, "age_rank")
    2.5
    """
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:
        raise BadParameter(f"{what} must be a number, got {value!r}")
    return value  # type: ignore[return-value]


def amount(value: object, what: str) -> Fraction:
    """Return a finite number >= 0 as the fraction that it is, or refuse it.

    Parameters
    ----------
    value : object
        An int, float, Fraction or NumPy number; no bool, no string.
    what : str
        What the number stands for, for the message.

    Returns
    -------
    Fraction
        Exactly the number given: a float is the binary fraction that it holds.

    Raises
    ------
    BadAmount
        Not a number, NaN, infinite, or below zero.

    Notes
    -----
    Constant cost.

    Examples
    --------
    >>> amount(0.75, "share")
    Fraction(3, 4)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise BadAmount(what, value)
    number: int | float | Fraction
    if isinstance(value, Integral):
        number = int(value)
    else:
        number = value if isinstance(value, Fraction) else float(value)
    # The comparison is also false for NaN.
    if not 0 <= number < float("inf"):
        raise BadAmount(what, value)
    return Fraction(number)


def id_key(id_: object) -> tuple[Any, ...]:
    """Place any id in one total order, so that ties never depend on the order of input.

    Numbers come first by value, then strings by code point, then tuples element by element,
    then everything else by the name of its type and its ``repr`` (a UUID thus by its digits).

    Parameters
    ----------
    id_ : object
        Member, promise or line id. An object whose ``repr`` holds its address has no lasting
        order and should not be used as an id.

    Returns
    -------
    tuple
        A sort key.

    Notes
    -----
    Constant cost for numbers and strings.

    Examples
    --------
    >>> sorted(["b", 10, "a", 9, (1, "x")], key=id_key)
    [9, 10, 'a', 'b', (1, 'x')]
    """
    if type(id_) is int or type(id_) is float:
        return (0, id_)
    if type(id_) is str:
        return (1, id_)
    if isinstance(id_, Integral):
        return (0, int(id_))
    if isinstance(id_, tuple):
        return (2, tuple(id_key(part) for part in id_))
    return (3, type(id_).__name__, repr(id_))
