import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire import Pages
from yieldwire.asgi.pages.color import CONTRAST, DARK, LIGHT, contrast, readable, rgb
from yieldwire.errors import UsageError


@given(color=st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}"))
def test_every_colour_can_be_read_on_light_and_on_dark(color: str) -> None:
    light, dark = readable(color)

    assert contrast(rgb(light), rgb(LIGHT)) >= CONTRAST
    assert contrast(rgb(dark), rgb(DARK)) >= CONTRAST


@pytest.mark.parametrize(
    ("color", "shown"),
    [
        ("#0f766e", ("#0f766e", "#3a8f88")),  # dark enough for light pages as it is
        ("#fff", ("#707070", "#ffffff")),
        ("#000", ("#000000", "#858585")),
    ],
)
def test_a_colour_is_changed_no_more_than_reading_needs(color: str, shown: tuple[str, str]) -> None:
    assert readable(color) == shown


def test_black_on_white_has_the_contrast_of_the_standard() -> None:
    assert contrast(rgb("#000"), rgb("#fff")) == pytest.approx(21)
    assert contrast(rgb("#777"), rgb("#fff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("value", ["teal", "#12345", "0f766e", "#0f766e;", "", 3])
def test_a_setting_that_is_not_a_colour_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="is not a colour such as '#0f766e'"):
        Pages(color=value)  # type: ignore[arg-type]
