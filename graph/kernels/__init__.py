"""Compiled loops over the arrays of a network.

They are imported inside the functions that call them, never at the top of a module: whoever only
computes a limit on a few hundred promises must not wait for the compiler. What a kernel is given
was checked before; it checks nothing itself.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_Loop = TypeVar("_Loop", bound=Callable[..., object])

_SOURCES = hashlib.sha256(
    b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()


def compiled(loop: _Loop) -> _Loop:
    """Compile a loop when it is first called, and keep the machine code where that is possible.

    Parameters
    ----------
    loop : callable
        Plain Python over NumPy arrays and numbers, in the part of the language that Numba knows.

    Returns
    -------
    callable
        With the same arguments; it lets other threads run meanwhile.

    Notes
    -----
    Numba keeps machine code beside the source or in the user's cache folder (NUMBA_CACHE_DIR names
    another). Where none can be written, every process compiles for itself.
    """
    made: Any
    try:
        made = numba.njit(cache=True, nogil=True)(loop)
        # Numba looks only at the file of the loop itself, but what it keeps has the loops of other
        # files inside that it calls: it is as fresh as all of them.
        made._cache._cache_file._source_stamp = _SOURCES
    except RuntimeError:
        made = numba.njit(nogil=True)(loop)
    return cast(_Loop, made)
