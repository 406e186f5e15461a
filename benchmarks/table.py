"""Which figures of a scene are shown, and how."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.measurement import Results, ratio
from benchmarks.peer import Peer


def number(value: float) -> str:
    """Return a figure with three digits that count."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:  # noqa: PLR2004 - where separators begin
        return f"{float(f'{value:.3g}'):,.0f}"
    text = f"{value:.3g}"
    return text if "e" not in text else f"{value:.4f}"


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{value * 100:.0f} %"


def times(value: float | None) -> str:
    """Return a ratio as ``12.3x``."""
    if value is None:
        return ""
    return f"{value:,.0f}x" if value >= 100 else f"{value:.3g}x"  # noqa: PLR2004 - three digits


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a scene, under its title."""

    title: str
    name: str
    show: Callable[[float], str] = number


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """How one scene is shown.

    Attributes:
        title: What happens in it.
        columns: Its figures.
        by: The figure that its rows are sorted by, and its ratio is made of.
        is_cost: Whether less of it is better.
        has_ratio: Whether a ratio is shown.
        reference: The server that ratios are held against.
    """

    title: str
    columns: Sequence[Column]
    by: str
    is_cost: bool = True
    has_ratio: bool = True
    reference: str = "ours"


_CPU: Final = Column("CPU µs an event", "cpu_us")
_RATE: Final = Column("events/s", "events_per_s")
_OURS_SHARES: Final = [
    Column("Yieldwire's of the server's", "ours_share", times),
    Column("least", "ours_share_min", times),
    Column("most", "ours_share_max", times),
]


def _in_turn(title: str, name: str) -> list[Column]:
    """Return the columns of a figure of two servers that had their turns."""
    return [
        Column(title, name),
        Column("Yieldwire's", f"ours_{name}"),
        Column("of the server's", f"ours_share_{name}", times),
    ]


_PACED: Final = [
    Column("streams", "streams"),
    _CPU,
    Column("of the core", "cpu_share", percent),
    Column("of the pace", "kept_up", percent),
    Column("age of an event ms, p50", "age_p50_ms"),
    Column("p99", "age_p99_ms"),
    Column("KB a stream", "kb_per_stream"),
]
_AT_THE_DATABASE: Final = [
    Column("of the pace", "kept_up", percent),
    Column("age of an event ms, p50", "age_p50_ms"),
    Column("p99", "age_p99_ms"),
    Column("the database's CPU µs", "database_cpu_us"),
    Column("its operations", "database_operations"),
    Column("its bytes", "database_bytes"),
]

_ANSWERS: Final = [
    Column("at a time", "streams"),
    Column("a second", "answers_per_s"),
    Column("CPU ms an answer", "cpu_ms"),
    Column("of the core", "cpu_share", percent),
    Column("of the pace", "kept_up", percent),
    Column("age of a token ms, p50", "age_p50_ms"),
    Column("p99", "age_p99_ms"),
    Column("first token ms, p50 / p99", "ttfe_p50_ms"),
    Column("KB an answer", "kb_per_stream"),
]

SHEETS: Final[Mapping[str, Sheet]] = {
    "A": Sheet(
        title="One stream, as fast as the handler yields",
        columns=[_CPU, _RATE],
        by="cpu_us",
    ),
    "B": Sheet(
        title="Short streams: POST, ten events, end",
        columns=[
            *(Column(f"requests/s at {n}", f"requests_per_s_{n}") for n in (1, 32, 256)),
            Column("CPU µs a request at 32", "cpu_us_32"),
            Column("first event ms, p50 / p99 at 1", "ttfe_p50_ms_1"),
            Column("at 32", "ttfe_p50_ms_32"),
            Column("at 256", "ttfe_p50_ms_256"),
        ],
        by="requests_per_s_32",
        is_cost=False,
    ),
    "C": Sheet(
        title="Paced streams, 20 events/s each",
        columns=[
            *_PACED,
            Column("with a tenth of the streams, CPU µs", "cpu_us_few"),
            Column("p50 ms", "age_p50_ms_few"),
            Column("p99 ms", "age_p99_ms_few"),
            Column("streams that keep the pace", "streams_most"),
            Column("with those, CPU µs", "cpu_us_most"),
            Column("p50 ms", "age_p50_ms_most"),
            Column("p99 ms", "age_p99_ms_most"),
        ],
        by="cpu_us",
    ),
    "D": Sheet(
        title="One producer and many readers, 20 events/s",
        columns=[
            Column("readers", "readers"),
            Column("CPU µs a delivery", "cpu_us"),
            Column("of the core", "cpu_share", percent),
            Column("of the pace", "kept_up", percent),
            Column("age of an event ms, p50", "age_p50_ms"),
            Column("p99", "age_p99_ms"),
            Column("KB a reader", "kb_per_stream"),
        ],
        by="cpu_us",
    ),
    "E": Sheet(
        title="Replay of 100,000 events",
        columns=[_CPU, _RATE],
        by="cpu_us",
    ),
    "F": Sheet(
        title="A reader stops reading while a million events are produced",
        columns=[
            Column("growth MB", "growth_mb"),
            Column("within s", "watched_s"),
            Column("short streams meanwhile", "beside_share", percent),
            Column("a second reader, events/s", "second_reader_events_per_s"),
            Column("cancelled within ms", "cancel_ms"),
        ],
        by="growth_mb",
        has_ratio=False,
    ),
    "G": Sheet(
        title="Short streams next to one handler that never awaits",
        columns=[
            Column("requests/s alone", "alone_per_s"),
            Column("next to it", "beside_per_s"),
            Column("share", "share", percent),
            Column("CPU after its reader has left", "after_share", percent),
            Column("cancelled within ms", "cancel_ms"),
        ],
        by="share",
        is_cost=False,
        has_ratio=False,
    ),
    "H": Sheet(
        title="From a handler's yield to the reader, on an idle server",
        columns=[
            Column("with the head, p50 ms", "first_p50_ms"),
            Column("p99 ms", "first_p99_ms"),
            Column("after the head, p50 ms", "later_p50_ms"),
            Column("p99 ms", "later_p99_ms"),
        ],
        by="first_p50_ms",
        has_ratio=False,
    ),
    "I": Sheet(
        title="Open streams in which nothing happens",
        columns=[
            Column("streams", "streams"),
            Column("KB a stream", "kb_per_stream"),
            Column("CPU ms a second", "cpu_ms_per_s"),
            Column("all open after s", "opened_s"),
        ],
        by="kb_per_stream",
        has_ratio=False,
    ),
    "J": Sheet(
        title="Paced streams whose events come from another process, 20 events/s each",
        columns=[
            Column("streams", "streams"),
            _CPU,
            *_AT_THE_DATABASE,
        ],
        by="cpu_us",
        has_ratio=False,
    ),
    "K": Sheet(
        title="One producer, and readers in two processes, 20 events/s",
        columns=[
            Column("readers", "readers"),
            Column("CPU µs a delivery", "cpu_us"),
            *_AT_THE_DATABASE,
        ],
        by="cpu_us",
        has_ratio=False,
    ),
    "L": Sheet(
        title="Answers of 40 tokens in 2 seconds, after sign-in, kept in SQLite",
        columns=_ANSWERS,
        by="cpu_ms",
        reference="ours-chat",
    ),
    "M": Sheet(
        title="The same, passed on from a model server by OpenAI's client",
        columns=_ANSWERS,
        by="cpu_ms",
        reference="ours-chat",
    ),
    "N": Sheet(
        title="50 streams of two seconds at a time and 150 short ones a second, for longer",
        columns=[
            Column("short streams", "requests"),
            Column("a second", "requests_per_s"),
            Column("of the core", "cpu_share", percent),
            Column("MB at the end", "memory_mb"),
            Column("growth MB a minute", "growth_mb_per_min"),
            Column("descriptors left open", "descriptors"),
            Column("age of an event ms, p99", "age_p99_ms"),
            Column("longest", "age_max_ms"),
            Column("garbage collections a second", "gc_per_s"),
            Column("ms a second", "gc_ms_per_s"),
            Column("longest ms", "gc_max_ms"),
        ],
        by="age_max_ms",
        has_ratio=False,
    ),
    "O": Sheet(
        title="Paced streams of a server and of Yieldwire at the same time, 10 events/s each",
        columns=[
            Column("streams of each", "streams"),
            _CPU,
            Column("Yieldwire's", "ours_cpu_us"),
            *_OURS_SHARES,
            Column("both, of the core", "cpu_share", percent),
            Column("of the pace", "kept_up", percent),
        ],
        by="cpu_us",
        has_ratio=False,
    ),
    "P": Sheet(
        title="Open streams of which half send an event a second, and the others nothing",
        columns=_PACED,
        by="cpu_us",
    ),
    "Q": Sheet(
        title="Short streams of a server and of Yieldwire in turn",
        columns=[
            *_in_turn("requests/s", "requests_per_s"),
            Column("lower quartile", "ours_share_requests_per_s_lower", times),
            Column("upper quartile", "ours_share_requests_per_s_upper", times),
            *_in_turn("CPU µs a request", "cpu_us"),
            *_in_turn("first event's p99 ms", "ttfe_p99_ms"),
        ],
        by="cpu_us",
        has_ratio=False,
    ),
}


def sheet_lines(letter: str, results: Results, peers: Mapping[str, Peer]) -> list[str]:
    """Return a scene's table, the best server first and those that failed last."""
    sheet = SHEETS[letter]
    heads = ["server", *(column.title for column in _columns(letter, results))]
    if sheet.has_ratio:
        heads.append("against Yieldwire")
    rows: list[tuple[float, list[str]]] = []
    failed: list[str] = []
    for name in results.peers_of(letter):
        title = shown_title(peers[name])
        if error := results.error(name, letter):
            failed.append(row([title, f"failed: {error}", *[""] * (len(heads) - 2)]))
            continue
        value = results.value(name, letter, sheet.by) or 0.0
        rows.append((value if sheet.is_cost else -value, [title, *_cells(letter, results, name)]))
    ordered = [row(cells) for _, cells in sorted(rows, key=lambda pair: pair[0])]
    return [row(heads), rule(len(heads)), *ordered, *failed]


def shown_title(peer: Peer) -> str:
    """Return a server's title, ours in bold and limits in italics."""
    marks = {"ours": "**", "limit": "*", "peer": ""}
    return f"{marks[peer.role]}{peer.title}{marks[peer.role]}"


def _columns(letter: str, results: Results) -> list[Column]:
    """Return the columns for which anything was measured."""
    names = results.peers_of(letter)
    return [
        column
        for column in SHEETS[letter].columns
        if any(results.value(name, letter, column.name) is not None for name in names)
    ]


def _cells(letter: str, results: Results, name: str) -> list[str]:
    sheet = SHEETS[letter]
    cells: list[str] = []
    for column in _columns(letter, results):
        value = results.value(name, letter, column.name)
        cells.append("" if value is None else column.show(value))
        if value is not None and column.name.startswith("ttfe_p50"):
            tail = results.value(name, letter, column.name.replace("p50", "p99"))
            cells[-1] += f" / {number(tail or 0.0)}"
    if sheet.has_ratio:
        cells.append(times(against(letter, results, name)))
    return cells


def against(letter: str, results: Results, name: str) -> float | None:
    """Return how many times better Yieldwire is than another server in a scene."""
    sheet = SHEETS[letter]
    theirs = results.value(name, letter, sheet.by)
    own = results.value(sheet.reference, letter, sheet.by)
    return ratio(theirs, own) if sheet.is_cost else ratio(own, theirs)


def row(cells: Sequence[str]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def rule(columns: int) -> str:
    """Return the line below a Markdown table's head: text first, then figures."""
    return "|" + "---|" + "---:|" * (columns - 1)
