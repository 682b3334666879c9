"""The crops of a made-up township: when they are sown, harvested and sold. Pure."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class CropYear:
    """One crop of one year, as the township would enter it."""

    code: str
    crop: str
    sow_from: date
    sow_until: date
    harvest_from: date
    selling: tuple[tuple[date, int], ...]

    @property
    def document(self) -> list[dict[str, object]]:
        """The selling windows as the product room takes them."""
        return [{"due_on": day.isoformat(), "weight": weight} for day, weight in self.selling]


def crop_years(first: date, last: date) -> tuple[CropYear, ...]:
    """The seasons whose sowing begins between two days, in the order of sowing."""
    found = [
        season
        for year in range(first.year - 1, last.year + 2)
        for season in (_maize(year), _rice(year), _wheat(year))
        if first <= season.sow_from <= last
    ]
    return tuple(sorted(found, key=lambda season: season.sow_from))


def _maize(year: int) -> CropYear:
    return CropYear(
        f"maize-{year}",
        "春玉米",
        date(year, 4, 10),
        date(year, 5, 15),
        date(year, 9, 10),
        ((date(year, 10, 15), 60), (date(year, 12, 1), 40)),
    )


def _rice(year: int) -> CropYear:
    return CropYear(
        f"rice-{year}",
        "水稻",
        date(year, 4, 20),
        date(year, 6, 10),
        date(year, 9, 20),
        ((date(year, 10, 25), 50), (date(year, 12, 20), 50)),
    )


def _wheat(year: int) -> CropYear:
    """Winter wheat is sown in autumn and stands until the next summer."""
    return CropYear(
        f"wheat-{year}",
        "冬小麦",
        date(year, 9, 25),
        date(year, 11, 10),
        date(year + 1, 6, 1),
        ((date(year + 1, 6, 30), 70), (date(year + 1, 8, 15), 30)),
    )
