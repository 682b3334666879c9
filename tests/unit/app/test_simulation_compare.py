"""What was planted against what was found, by hand."""

from fractions import Fraction

from app.simulation.compare import Finding, Loss, Seen, is_about, member_months, score
from app.simulation.plan import Kind, Planted

RING = Planted(Kind.RING, "ring 1", 0, frozenset("abcd"), 10, frozenset("z"))
FLOOD = Planted(Kind.FLOOD, "flood", 1, frozenset("pqrst"), 50)


def found(rule: str, day: int, people: str, village: int = 0) -> Finding:
    return Finding(rule, day, village, frozenset(people))


def lost(day: int, borrower: str, minor: int = 100, village: int = 0) -> Loss:
    return Loss(day, village, borrower, minor)


def seen(findings: list[Finding], losses: list[Loss], truth: Planted = RING) -> Seen:
    [one] = score([truth], findings, losses, member_months=Fraction(1)).seen
    return one


def test_a_finding_is_about_a_truth_if_half_of_those_it_names_belong_to_it() -> None:
    assert is_about(found("x", 10, "ab"), RING)
    assert is_about(found("x", 10, "abmn"), RING)
    assert not is_about(found("x", 10, "amn"), RING)
    # Whoever helped counts, another village does not, nor a day before there was anything to see.
    assert is_about(found("x", 10, "zm"), RING)
    assert not is_about(found("x", 10, "ab", village=1), RING)
    assert not is_about(found("x", 9, "ab"), RING)
    assert not is_about(found("x", 10, ""), RING)


def test_a_truth_is_found_when_one_rule_has_named_half_of_it() -> None:
    alone = seen([found("x", 20, "a"), found("y", 21, "b")], [])
    assert alone.found_day is None
    assert not alone.in_time
    one_by_one = seen([found("x", 20, "a"), found("y", 21, "b"), found("x", 30, "c")], [])
    assert (one_by_one.found_day, one_by_one.rule) == (30, "x")
    at_once = seen([found("x", 20, "a"), found("y", 25, "abm"), found("x", 30, "c")], [])
    assert (at_once.found_day, at_once.rule) == (25, "y")
    assert at_once.rules == (("y", 25), ("x", 30))
    # Naming everybody finds nobody.
    assert seen([found("x", 20, "abcdefghi")], []).found_day is None


def test_the_time_to_the_first_loss_is_counted_from_the_first_finding() -> None:
    # Before the truth begins, in another village or on others' loans it is not its loss.
    losses = [
        lost(5, "a"),
        lost(70, "a", 300),
        lost(60, "b", 200),
        lost(30, "m"),
        lost(1, "b", 9, 1),
    ]
    early = seen([found("x", 20, "ab")], losses)
    assert (early.loss_day, early.lost_minor, early.lead_days) == (60, 500, 40)
    assert early.in_time
    late = seen([found("x", 65, "ab")], losses)
    assert late.lead_days == -5
    assert not late.in_time
    # On the day itself it is too late.
    assert not seen([found("x", 60, "ab")], losses).in_time
    harmless = seen([found("x", 65, "ab")], [])
    assert harmless.lead_days is None
    assert harmless.in_time


def test_a_late_payment_tells_of_a_flood_and_of_nothing_else() -> None:
    late = [found("late", 60, name, village=1) for name in "pq"]
    assert seen(late, [], FLOOD).found_day is None
    late.append(found("late", 64, "r", village=1))
    late.append(found("late", 62, "m", village=1))
    assert seen(late, [], FLOOD).found_day == 64
    assert seen([found("self_dealing", 60, "pqr", village=1)], [], FLOOD).found_day is None
    assert seen([found("late", 20, name) for name in "abcd"], []).found_day is None


def test_false_alarms_are_suspicions_of_others_and_never_reminders() -> None:
    findings = [
        found("ring", 20, "ab"),  # right
        found("ring", 20, "amno"),  # a quarter of it
        found("newcomer", 21, "m"),
        found("late", 22, "m"),
        found("late", 22, "n"),
        # Flood victims are honest people.
        found("ring", 60, "pqr", village=1),
    ]
    answer = score(
        [RING, FLOOD], findings, [lost(90, "n"), lost(20, "m")], member_months=Fraction(1500)
    )
    assert [(one.rule, one.day) for one in answer.false_alarms] == [
        ("ring", 20),
        ("newcomer", 21),
        ("ring", 60),
    ]
    assert answer.right == 1
    assert answer.by_rule == {"ring": 2, "newcomer": 1}
    # 3 in 1,500 member months: 2 per 1,000.
    assert answer.false_alarm_rate == 2
    assert answer.reminders == {"late": 2}
    assert answer.reminders_before_loss == {"late": 1}


def test_months_of_members_are_counted_from_joining() -> None:
    # 365 and 73 days: a year and a fifth of one.
    assert member_months([(0, 365), (292, 365), (400, 365)]) == Fraction(144, 10)
    assert score([], [found("x", 1, "a")], [], member_months=Fraction(0)).false_alarm_rate == 0
