"""What an HTML document has, for tests of its content."""

from html.parser import HTMLParser


class Elements(HTMLParser):
    """Every element of a document with its attributes, and all of its text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of a name."""
        return [dict(attributes) for name, attributes in self.elements if name == tag]
