"""How alike two texts are: cosine of character n-grams, exact in whole numbers. Pure.

Chinese is read by single characters and pairs, everything else by three letters of a word with its
ends marked. A short word of both texts that the language uses everywhere weighs little, as it has
few n-grams.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from math import isqrt

_PART = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+|[^\W_\u3400-\u9fff\uf900-\ufaff]+")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")

Grams = Counter[str]


def plain(text: str) -> list[str]:
    """Words and runs of Chinese characters, without case, width, spaces and punctuation."""
    return _PART.findall(unicodedata.normalize("NFKC", text).casefold())


def fingerprint(text: str) -> str:
    """The same for texts that differ in case, width, spaces or punctuation only."""
    told = " ".join(plain(text)) or unicodedata.normalize("NFKC", text).strip()
    return hashlib.sha256(told.encode()).hexdigest()


def grams(text: str) -> Grams:
    """How often each n-gram stands in a text."""
    found: Grams = Counter()
    for part in plain(text):
        if _HAN.match(part):
            found.update(part)
            found.update(part[at : at + 2] for at in range(len(part) - 1))
        else:
            word = f" {part} "
            found.update(word[at : at + 3] for at in range(len(word) - 2))
    return found


def alike_bps(one: Grams, other: Grams) -> int:
    """The cosine in ten-thousandths, rounded down; 0 if one of them says nothing."""
    if len(other) < len(one):
        one, other = other, one
    dot = sum(count * other[gram] for gram, count in one.items() if gram in other)
    norms = sum(n * n for n in one.values()) * sum(n * n for n in other.values())
    return isqrt(dot * dot * 10**8 // norms) if norms else 0


def most_alike(
    text: str, others: Iterable[tuple[int, str]], *, least_bps: int, most: int
) -> Sequence[tuple[int, int]]:
    """Keys of the texts that are alike enough, with how alike, most alike first, then by key."""
    wanted = grams(text)
    scored = ((key, alike_bps(wanted, grams(other))) for key, other in others)
    found = sorted((-score, key) for key, score in scored if score >= least_bps)
    return [(key, -score) for score, key in found[:most]]
