"""The matrix in the documentation is made from these tests."""

from tests.vendor.conformance import PAGE, page


def test_the_matrix_is_that_of_the_tests() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.vendor.conformance"
