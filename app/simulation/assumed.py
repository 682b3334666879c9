"""Every number that the simulated life is made of; docs/simulation.md says why each is as it is."""

from dataclasses import dataclass

YUAN = 100
CURRENCY = "CNY"


@dataclass(frozen=True, slots=True)
class Assumed:
    """How people live. Shares are probabilities, money is whole yuan, times are days."""

    # Villages.
    founders: int = 54
    home_of_one: float = 0.75  # the others are two of one household
    trades: tuple[str, ...] = ("paddy", "vegetables", "pigs", "shop", "transport")
    # What neighbours think a household could repay.
    worth_yuan: int = 4_000
    worth_sigma: float = 0.55
    # Savings.
    entrance_yuan: int = 100  # every newcomer's share: one amount for all
    saves_regularly: float = 0.3  # every second month
    harvest_saves: float = 0.7
    before_new_year_draws: float = 0.3
    locks_stake: float = 0.6
    # Promises.
    promises_each: float = 2.2
    returned: float = 0.55
    far_away: float = 0.2
    friends_min: int = 3  # friends of one trade who stand for each other and borrow together
    friends_max: int = 5
    friends_groups: int = 2
    later_promises_each: float = 0.5  # in two years, after the founding
    # Newcomers.
    newcomers: int = 6
    brings_another: float = 0.25
    family_of_three: float = 0.12
    tied_within: int = 30
    resettled_villages: float = 0.15
    resettled: tuple[int, int] = (6, 9)
    # Reviews of all households by neighbours.
    reviewers: int = 14
    review_on: tuple[int, ...] = (20, 375)
    review_noise: float = 0.18
    review_bias: float = 0.08
    knows: float = 0.93
    kin_lift: float = 1.25
    said_in_yuan: int = 500
    # Borrowing.
    loans_each_year: float = 0.45
    asks_of_worth: tuple[float, float] = (0.6, 1.8)
    instalments: tuple[int, ...] = (4, 6, 6, 9, 12)
    # Paying.
    late_a_little: float = 0.05  # of instalments: 1 to 10 days
    late_much: float = 0.012  # of instalments: 11 to 29 days
    pays_early: float = 0.15
    fails: float = 0.025  # of loans: stops paying for good reasons
    comes_back: float = 0.5
    answers_call: float = 0.5  # of guarantors who are asked, pay by hand within two weeks
    # What is planted.
    rings: int = 3
    ring_size: tuple[int, int] = (4, 7)
    ring_outside_ties: tuple[int, int] = (0, 2)
    ring_borrows_on: tuple[int, int] = (60, 420)
    ring_within: int = 30
    ring_borrowers: float = 0.75
    panel_size: tuple[int, int] = (3, 4)
    panel_lift: tuple[float, float] = (1.7, 2.4)
    panel_same: float = 0.8  # of the others' households, on which they say the same
    invented_size: tuple[int, int] = (4, 8)
    invented_on: tuple[int, int] = (120, 480)
    invented_ties: tuple[float, float] = (0.6, 1.0)
    flood_on: tuple[int, ...] = (185, 550)  # a day of the high water, in one of the two summers
    flood_hits: float = 0.65
    flood_dry: tuple[int, int] = (60, 150)
    pyramid_on: tuple[int, int] = (100, 450)
    pyramid_wide: tuple[int, int] = (3, 4)
    pyramid_within: int = 75
    pyramid_ticket_yuan: tuple[int, ...] = (1_000, 1_500, 2_000, 3_000)
    pyramid_same: float = 0.8
    pyramid_lasts: tuple[int, int] = (90, 170)
    pyramid_on_credit: float = 0.35


ASSUMED = Assumed()
