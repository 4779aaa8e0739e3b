"""Figures: what a national platform published of its year 2020, as whole numbers, and how a smaller year is scaled.

Rules upheld here:

- Arithmetic is in whole numbers: a figure times the scale is ``figure * gifts // GIFTS``, rounded down.
- Things that must exist (a classroom, a village, a pupil) stay at least 1, however small the year.
- What nobody published and the example needs all the same is in `ASSUMED`, apart from what was published.

>>> Year(1_000_000).consumers, Year(1_000_000).money, Year(1_000_000).classrooms
(48000, 22000000, 1)
"""

from __future__ import annotations

from dataclasses import dataclass

GIFTS = 10_000_000_000
PEAK_DAY_GIFTS = 300_000_000
MEAN_GIFT_FEN = 22
CONSUMERS = 480_000_000
MERCHANTS = 2_500_000
ORGANISATIONS = 3_000
STEPS = 1_800_000_000_000
RUNNING_TRACKS = 99
"""Published as nearly 100."""
HOURS = 600_000
MUSIC_CLASSROOMS = 147
MUSIC_PUPILS = 109_757
PLAYGROUNDS = 271
PLAYGROUND_PUPILS = 141_779
WATER_PEOPLE = 123_312
WATER_SCHOOLS = 236
MEALS = 450_000
INSURED = 3_022_000
TRAINED_VILLAGES = 496
RELIEF_UNITS = 200_000_000

LEAST_GIFTS = 10_000
"""The smallest year that still pays for one of each thing."""

ASSUMED = {
    "least organisations": 24,
    "steps of a walk": 8_000,
    "minutes of an entry of hours": 90,
    "people trained in a village": 12,
    "insurance of one person, fen": 3_000,
    "training of one person, fen": 1_000,
    "a meal, fen": 400,
    "a mask, fen": 20,
    "green points of a year of full size": 60_000_000_000,
    "green points of an act": 200,
    "a tree, fen": 250,
    "gifts named for a match": 40,
    "pledge for matches, fen": 1_000,
}


@dataclass(frozen=True, slots=True)
class Year:
    """A year of so many gifts of orders; every other figure follows."""

    gifts: int

    def __post_init__(self) -> None:
        if not LEAST_GIFTS <= self.gifts <= GIFTS:
            raise ValueError(f"a year has {LEAST_GIFTS:,} to {GIFTS:,} gifts, not {self.gifts:,}")

    def scaled(self, figure: int) -> int:
        """Return a published figure at this year's size, 1 at least."""
        return max(1, figure * self.gifts // GIFTS)

    @property
    def money(self) -> int:
        """All gifts of orders together, in fen: 0.22 yuan each on average, exactly."""
        return self.gifts * MEAN_GIFT_FEN

    @property
    def peak(self) -> int:
        return self.scaled(PEAK_DAY_GIFTS)

    @property
    def consumers(self) -> int:
        return self.scaled(CONSUMERS)

    @property
    def merchants(self) -> int:
        return self.scaled(MERCHANTS)

    @property
    def organisations(self) -> int:
        """Three for each programme at least, so that there is something to compare."""
        return max(ASSUMED["least organisations"], self.scaled(ORGANISATIONS))

    @property
    def steps(self) -> int:
        return self.scaled(STEPS)

    @property
    def tracks(self) -> int:
        return self.scaled(RUNNING_TRACKS)

    @property
    def minutes(self) -> int:
        return self.scaled(HOURS * 60)

    @property
    def points(self) -> int:
        """Assumed: how many green points were earned is not among what was published."""
        return self.scaled(ASSUMED["green points of a year of full size"])

    @property
    def classrooms(self) -> int:
        return self.scaled(MUSIC_CLASSROOMS)
