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
    return _compiled(loop)


def compiled_inside(loop: _Loop) -> _Loop:
    """As `compiled`, for a loop that only other loops call: without the way in from Python.

    Where many arrays are handed on together that way is most of what there is to compile.
    """
    return _compiled(loop, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _compiled(loop: _Loop, **options: bool) -> _Loop:
    made: Any
    # Its stubs do not know of the options that leave ways in out.
    njit: Any = numba.njit
    try:
        made = njit(cache=True, nogil=True, **options)(loop)
        # Numba looks only at the file of the loop itself, but what it keeps has the loops of other
        # files inside that it calls: it is as fresh as all of them.
        made._cache._cache_file._source_stamp = _SOURCES
    except RuntimeError:
        made = njit(nogil=True, **options)(loop)
    return cast(_Loop, made)
