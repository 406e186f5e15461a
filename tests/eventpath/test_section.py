"""How a cost is compared with the recorded one."""

from tests.eventpath.section import REFERENCE, SECTIONS, Section, faults, ratios

SECTION = Section(name="an event", store="memory", action="hot", sizes=(100, 300), tolerance=0.05)


def test_the_cost_of_starting_is_not_part_of_the_cost() -> None:
    measured = {"an event:100": 5_000 + 100 * 7, "an event:300": 5_000 + 300 * 7}

    assert SECTION.cost(measured) == 7.0


def test_a_ratio_is_a_multiple_of_one_turn_of_the_reference() -> None:
    costs = {REFERENCE: 10, **dict.fromkeys(SECTIONS, 25)}
    measured = {
        section.mark(size): 1_000 + cost * size
        for section, cost in costs.items()
        for size in section.sizes
    }

    assert ratios(measured) == {section.name: 2.5 for section in SECTIONS}


def test_a_cost_within_the_tolerance_is_as_recorded() -> None:
    for found in (1.91, 2.0, 2.09):
        assert faults({"an event": found}, {"an event": 2.0}, [SECTION]) == []


def test_a_cost_above_the_tolerance_is_told_with_its_figures() -> None:
    wrong = faults({"an event": 2.11}, {"an event": 2.0}, [SECTION])

    assert wrong == [
        "an event costs 5.5% more than recorded: 2.110 turns of the reference instead of 2.000."
    ]


def test_a_better_cost_must_be_recorded() -> None:
    (wrong,) = faults({"an event": 1.5}, {"an event": 2.0}, [SECTION])

    assert wrong.startswith("an event costs 25.0% less")
    assert wrong.endswith("Record the better figure: `python -m tests.eventpath --record`.")


def test_a_section_without_a_record_says_how_to_make_one() -> None:
    wrong = faults({"an event": 1.5}, {}, [SECTION])

    assert wrong == [
        "an event: nothing is recorded; record it with `python -m tests.eventpath --record`."
    ]
