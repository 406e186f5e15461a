"""The way to a server, measured through Debian's nginx with one fault at a time."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.cli.screen import showing
from tests.support.nginx import Nginx
from tests.support.server import ThreadServer
from tests.support.tls import Authority, Certificate
from tests.support.world import identify
from yieldwire import Actions, Timing, Upload
from yieldwire.asgi import teststream
from yieldwire.cli import main
from yieldwire.cli.doctor import examine, is_application, stream
from yieldwire.cli.doctor.finding import Finding, Level
from yieldwire.cli.doctor.place import USUAL
from yieldwire.cli.doctor.probe import Probe
from yieldwire.cli.target import Address
from yieldwire.clock import SystemClock
from yieldwire.stores import Query

FRIEND = "https://app.example.com"
HOUR = 3600.0
FORWARDING = "proxy_http_version 1.1; proxy_set_header Host $http_host;"
UPGRADING = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
HELD_BACK = "proxy_ignore_headers X-Accel-Buffering;"
COMPRESSED = "gzip on; gzip_types text/event-stream;"


def declared(**settings: object) -> Actions:
    actions = Actions(**settings)  # type: ignore[arg-type] # the tests' own

    @actions.action
    async def count(to: int = 3) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    return actions


def mounted(actions: Actions) -> Starlette:
    return Starlette(routes=[Mount(USUAL, actions)], lifespan=actions.lifespan)


@pytest.fixture(autouse=True)
def a_brisk_test_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frames of a server in this process follow each other sooner than elsewhere."""
    for module in (teststream, stream):
        monkeypatch.setattr(module, "PAUSE", 0.05)


@pytest.fixture
def a_usual_test_stream(monkeypatch: pytest.MonkeyPatch, a_brisk_test_stream: None) -> None:
    """They take the time that they take elsewhere, which is what a test needs to see them late."""
    del a_brisk_test_stream
    for module in (teststream, stream):
        monkeypatch.setattr(module, "PAUSE", 0.2)


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadServer]:
    actions = declared(origins=[FRIEND])

    @actions.action
    async def load(file: Upload) -> int:
        return file.size or 0

    with ThreadServer(mounted(actions), actions=actions) as server:
        yield server


async def findings_at(
    url: str, *, origin: str | None = None, silence: float = 0.3, token: str | None = None
) -> Sequence[Finding]:
    # A probe reads the certificates that this machine trusts.
    probe = await asyncio.to_thread(Probe, Address(target=url, token=token))
    return await examine(probe, origin=origin, silence=silence)


def amiss(findings: Sequence[Finding]) -> dict[str, Level]:
    """Return the checks that found something, with its level."""
    return {each.check: each.level for each in findings if each.level is not Level.OK}


def found(findings: Sequence[Finding], check: str) -> Finding:
    (finding,) = [each for each in findings if each.check == check]
    return finding


def site(name: str, target: int, *more: str) -> str:
    """Return the server of `deploy/nginx.conf` with other lines in front of its locations."""
    text = Path("deploy/nginx.conf").read_text("utf-8").replace("web:8000", f"127.0.0.1:{target}")
    listen = f"listen 127.0.0.1:PORT {name};".replace(" ;", ";")
    return text.replace("listen 8080;", "\n".join([listen, *more]))


def certified(certificate: Certificate) -> str:
    return f"ssl_certificate {certificate.file}; ssl_certificate_key {certificate.key};"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))


@pytest.mark.usefixtures("trusted")
async def test_the_configuration_of_deploy_over_http_2_needs_no_change(
    server: ThreadServer, authority: Authority, tmp_path: Path
) -> None:
    certificate = certified(authority.signed("127.0.0.1", days=90))
    own = site("ssl http2", server.port, certificate)
    async with Nginx(0, tmp_path, site=own) as nginx:
        url = f"https://127.0.0.1:{nginx.port}{USUAL}"
        findings = await findings_at(url, origin=FRIEND)

    assert amiss(findings) == {}
    assert [each.check for each in findings] == [
        "mount",
        "tls",
        "http",
        "round trip",
        "clock",
        "buffering",
        "compression",
        "headers",
        "keepalive",
        "silence",
        "websocket",
        "origin",
        "bodies",
    ]
    assert found(findings, "http").figures == {"protocol": "h2"}
    assert found(findings, "bodies").figures["passesBytes"] == 1024**3


@pytest.mark.usefixtures("trusted")
async def test_tls_without_http_2_is_found_and_the_end_of_its_certificate(
    server: ThreadServer, authority: Authority, tmp_path: Path
) -> None:
    own = site("ssl", server.port, certified(authority.signed("127.0.0.1", days=5)))
    async with Nginx(0, tmp_path, site=own) as nginx:
        findings = await findings_at(f"https://127.0.0.1:{nginx.port}{USUAL}")

    assert amiss(findings) == {"http": Level.WARNING, "tls": Level.WARNING}
    assert "http2 on;" in found(findings, "http").advice
    assert "(4 days)" in found(findings, "tls").found


async def test_a_certificate_that_a_browser_refuses_is_found(
    server: ThreadServer,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = site("ssl", server.port, certified(authority.signed("127.0.0.2")))
    async with Nginx(0, tmp_path, site=own) as nginx:
        url = f"https://127.0.0.1:{nginx.port}{USUAL}"
        (unknown,) = await findings_at(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        (foreign,) = await findings_at(url)

    assert {finding.level for finding in (unknown, foreign)} == {Level.PROBLEM}
    assert "does not lead to an authority that is trusted here" in unknown.found
    assert "is for another address" in foreign.found


async def test_https_at_a_port_without_tls_is_found(server: ThreadServer) -> None:
    (finding,) = await findings_at(f"https://127.0.0.1:{server.port}{USUAL}")

    assert (finding.check, "listen 443 ssl;" in finding.advice) == ("tls", True)


@pytest.mark.usefixtures("a_usual_test_stream")
async def test_a_proxy_that_holds_events_back_is_found(tmp_path: Path) -> None:
    # Over HTTP/1.0, nginx's default, an answer is not chunked, at least by h11: then nginx fills
    # its buffers. Otherwise it passes each chunk on, unless it compresses.
    lines = "proxy_set_header Host $http_host;" + HELD_BACK
    actions = declared()
    with ThreadServer(actions, http="h11") as server:
        async with Nginx(server.port, tmp_path, lines) as nginx:
            findings = await findings_at(nginx.url)

    assert found(findings, "buffering").level is Level.PROBLEM
    assert "in 1 piece" in found(findings, "buffering").found
    assert "proxy_ignore_headers X-Accel-Buffering" in found(findings, "buffering").advice


@pytest.mark.usefixtures("a_usual_test_stream")
@pytest.mark.parametrize(
    ("line", "level"),
    [("", Level.PROBLEM), ("proxy_pass_header X-Accel-Buffering;", Level.OK)],
)
async def test_of_two_in_a_row_the_inner_one_must_pass_on_that_nothing_is_held_back(
    server: ThreadServer, tmp_path: Path, line: str, level: Level
) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.mkdir()
    outer.mkdir()
    async with (
        Nginx(server.port, inner, FORWARDING + line) as first,
        Nginx(first.port, outer, "proxy_set_header Host $http_host;") as second,
    ):
        findings = await findings_at(f"{second.url.rstrip('/')}{USUAL}")

    assert found(findings, "buffering").level is level


@pytest.mark.usefixtures("a_usual_test_stream")
@pytest.mark.parametrize(
    ("lines", "level"),
    [(COMPRESSED, Level.WARNING), (COMPRESSED + HELD_BACK, Level.PROBLEM)],
)
async def test_a_proxy_that_compresses_streams_is_found(
    server: ThreadServer, tmp_path: Path, lines: str, level: Level
) -> None:
    async with Nginx(server.port, tmp_path, FORWARDING + lines) as nginx:
        findings = await findings_at(f"{nginx.url.rstrip('/')}{USUAL}")

    assert found(findings, "compression").level is level
    assert found(findings, "compression").figures == {"coding": "gzip"}
    assert "gzip_types" in found(findings, "compression").advice


async def test_a_proxy_that_closes_a_stream_after_five_seconds_of_silence_is_found(
    server: ThreadServer, tmp_path: Path
) -> None:
    told = list[str]()
    lines = FORWARDING + UPGRADING + "proxy_read_timeout 5s;"
    async with Nginx(server.port, tmp_path, lines) as nginx:
        probe = await asyncio.to_thread(Probe, Address(target=f"{nginx.url.rstrip('/')}{USUAL}"))
        findings = await examine(probe, tell=told.append)

    finding = found(findings, "silence")
    assert finding.level is Level.PROBLEM
    assert finding.figures["cutAfterSeconds"] == pytest.approx(5.0, abs=0.5)
    assert "before the keepalive at 15 s" in finding.found
    assert "proxy_read_timeout 60s;" in finding.advice
    socket = found(findings, "websocket")
    assert socket.level is Level.WARNING
    assert socket.figures["cutAfterSeconds"] == pytest.approx(5.0, abs=0.5)
    assert {"Connecting", "Measuring a silence: 3 of 8 s"} <= set(told)


async def test_what_a_plain_proxy_drops_and_refuses_is_found(
    server: ThreadServer, tmp_path: Path
) -> None:
    async with Nginx(server.port, tmp_path, FORWARDING) as nginx:
        findings = await findings_at(f"{nginx.url.rstrip('/')}{USUAL}")

    assert amiss(findings) == {"websocket": Level.WARNING, "bodies": Level.WARNING}
    assert "proxy_set_header Upgrade $http_upgrade;" in found(findings, "websocket").advice
    assert found(findings, "bodies").figures == {
        "passesBytes": 1024**2,
        "refusedBytes": 10 * 1024**2,
    }


async def test_a_proxy_that_drops_the_origins_headers_is_found(
    server: ThreadServer, tmp_path: Path
) -> None:
    drops = "proxy_hide_header Access-Control-Expose-Headers;"
    async with Nginx(server.port, tmp_path, FORWARDING + drops) as nginx:
        findings = await findings_at(f"{nginx.url.rstrip('/')}{USUAL}", origin=FRIEND)

    assert "not read etag, location" in found(findings, "origin").found


async def test_a_proxy_that_adds_an_origin_of_its_own_is_found(
    server: ThreadServer, tmp_path: Path
) -> None:
    adds = 'add_header Access-Control-Allow-Origin "*" always;'
    async with Nginx(server.port, tmp_path, FORWARDING + adds) as nginx:
        findings = await findings_at(f"{nginx.url.rstrip('/')}{USUAL}", origin=FRIEND)

    assert "has several Access-Control-Allow-Origin" in found(findings, "origin").found


async def test_a_proxy_that_replaces_the_cache_header_is_found(
    server: ThreadServer, tmp_path: Path
) -> None:
    adds = 'proxy_hide_header Cache-Control; add_header Cache-Control "max-age=60" always;'
    async with Nginx(server.port, tmp_path, FORWARDING + adds) as nginx:
        findings = await findings_at(f"{nginx.url.rstrip('/')}{USUAL}")

    assert found(findings, "headers").level is Level.WARNING


async def test_an_origin_that_is_not_allowed_is_found(server: ThreadServer) -> None:
    findings = await findings_at(f"{server.url}{USUAL}", origin="https://other.example.com")

    assert amiss(findings) == {"origin": Level.PROBLEM}
    assert "Actions(origins=['https://other.example.com'])" in found(findings, "origin").advice


async def test_a_proxy_without_its_server_is_told_from_an_application(tmp_path: Path) -> None:
    async with Nginx(9, tmp_path, FORWARDING) as nginx:
        (finding,) = await findings_at(f"{nginx.url.rstrip('/')}{USUAL}")

    assert (finding.check, finding.level) == ("mount", Level.PROBLEM)
    assert "a proxy whose server does not answer (HTTP 502 by nginx" in finding.found


async def test_the_name_of_a_host_that_is_not_served_is_found(
    server: ThreadServer, tmp_path: Path
) -> None:
    names = "proxy_set_header Host app.example.com;"
    async with Nginx(server.port, tmp_path, names) as nginx:
        findings = await findings_at(f"{nginx.url.rstrip('/')}{USUAL}")

    assert "Actions(hosts=[...])" in found(findings, "mount").advice


class HourLate(SystemClock):
    def now(self) -> float:
        return super().now() - HOUR


async def test_an_application_whose_clock_is_an_hour_late_is_found() -> None:
    actions = declared(clock=HourLate())
    with ThreadServer(actions) as server:
        findings = await findings_at(server.url)

    assert amiss(findings) == {"clock": Level.PROBLEM}
    assert found(findings, "clock").figures["offsetSeconds"] == pytest.approx(-HOUR, abs=3)


def dated(app: ASGIApp, date: str) -> ASGIApp:
    """Return the application on a machine with another date."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"date", date.encode())]
            await send(message)

        await app(scope, receive, send_dated)

    return answer


async def test_a_machine_with_another_date_is_found() -> None:
    actions = declared()
    app = dated(actions, "Sat, 29 Nov 2025 00:00:00 GMT")
    with ThreadServer(app, actions=actions, sends_date=False) as server:
        findings = await findings_at(server.url)

    assert found(findings, "clock").level is Level.PROBLEM
    assert "behind this machine's" in found(findings, "clock").found


async def test_a_server_without_a_library_for_websocket_is_found() -> None:
    actions = declared()
    with ThreadServer(actions, ws="none") as server:
        findings = await findings_at(server.url)

    assert amiss(findings) == {"websocket": Level.WARNING}
    assert "yieldwire[websocket]" in found(findings, "websocket").advice


async def test_a_socket_that_the_server_closes_itself_is_not_taken_for_a_cut() -> None:
    actions = declared(timing=Timing(socket_idle=0.2))
    with ThreadServer(actions) as server:
        findings = await findings_at(server.url, silence=1)

    assert found(findings, "websocket").level is Level.OK


async def test_a_caller_who_must_sign_in_is_told_so_and_measures_the_rest() -> None:
    actions = declared(identify=identify)
    with ThreadServer(actions) as server:
        refused = await findings_at(server.url, token="unknown")
        admitted = await findings_at(server.url, token="alice")

    assert amiss(refused) == {"mount": Level.WARNING, "stream": Level.WARNING}
    assert amiss(admitted) == {}


async def test_the_application_is_found_where_it_is_mounted(server: ThreadServer) -> None:
    for path in ("", "/api", f"{USUAL}/count", f"{USUAL}/runs/r1/events"):
        findings = await findings_at(server.url + path)

        assert not is_application(findings)
        assert findings[0].figures["base"] == f"{server.url}{USUAL}"


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def claim_gzip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")
    await writer.drain()
    writer.close()


async def speak_ssh(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("serve", [hang_up, speak_ssh, claim_gzip])
async def test_a_port_that_does_not_speak_http_is_found(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        (finding,) = await findings_at(f"http://127.0.0.1:{port}")

    assert (finding.check, "no HTTP answer" in finding.found) == ("reach", True)


async def test_a_redirect_to_the_application_is_followed_once_to_name_it(
    server: ThreadServer, tmp_path: Path
) -> None:
    moves = f"return 308 {server.url}$request_uri;"
    async with Nginx(server.port, tmp_path, moves) as nginx:
        (finding,) = await findings_at(f"{nginx.url.rstrip('/')}{USUAL}")

    assert f"a redirect to {server.url}{USUAL}/manifest.json" in finding.found
    assert finding.figures["base"] == f"{server.url}{USUAL}"


async def test_a_page_is_not_taken_for_an_application() -> None:
    async def page(_: object) -> PlainTextResponse:
        return PlainTextResponse("<title>Shop</title>", media_type="text/html")

    with ThreadServer(Starlette(routes=[Route("/{path:path}", page)])) as server:
        (finding,) = await findings_at(server.url)

    assert "a web page 'Shop'" in finding.found
    assert finding.figures["base"] is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9/", "nothing listens at port 9"),
        ("http://nowhere.invalid/", "the name nowhere.invalid cannot be resolved"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_the_only_finding(url: str, words: str) -> None:
    (finding,) = await findings_at(url)

    assert (finding.check, finding.level) == ("reach", Level.PROBLEM)
    assert words in finding.found


async def test_no_run_is_created_by_measuring() -> None:
    actions = declared(origins=[FRIEND])
    with ThreadServer(actions) as server:
        await findings_at(server.url, origin=FRIEND)
        runs = server.call(actions.app.find(Query(everyone=True)))

    assert runs == []


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run the command, and return its exit code and what it has written."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["yieldwire", "doctor", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        return int(ended.value.code or 0), written.out, written.err

    return run


def test_the_command_prints_lines_of_80_columns_and_exits_with_1(
    server: ThreadServer, command: Callable[..., tuple[int, str, str]]
) -> None:
    arguments = [f"{server.url}{USUAL}", "--silence", "0"]
    fine, fine_out, fine_err = command(*arguments)
    amiss, amiss_out, _ = command(*arguments, "--origin", "https://other.example.com")

    assert (fine, fine_err, fine_out.splitlines()[-1]) == (0, "", "Nothing to change.")
    assert (amiss, amiss_out.splitlines()[-1]) == (1, "1 problem.")
    assert max(map(len, amiss_out.splitlines())) <= 80
    assert re.search(r"^problem  origin +the preflight does not allow", amiss_out, re.MULTILINE)
    assert "\x1b" not in amiss_out


def test_the_command_prints_json_for_scripts(
    server: ThreadServer, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, _ = command(f"{server.url}{USUAL}", "--silence", "0", "--json")

    told = json.loads(out)
    assert (code, told["url"]) == (0, f"{server.url}{USUAL}")
    assert {each["level"] for each in told["findings"]} == {"ok"}
    assert told["findings"][0] == {
        "check": "mount",
        "level": "ok",
        "found": "a Yieldwire application with 2 actions",
        "advice": None,
        "figures": {"actions": 2},
    }


def test_the_command_shows_its_progress_in_a_terminal(server: ThreadServer, folder: Path) -> None:
    arguments = ("doctor", f"{server.url}{USUAL}", "--silence", "2")
    with showing(*arguments, cwd=folder, columns=80) as shown:
        shown.wait_for("Measuring a silence: 1 of 2 s")
        code, lines = shown.finish()

    assert (code, lines[0].split()[:2], lines[-1]) == (0, ["ok", "mount"], "Nothing to change.")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["http://127.0.0.1:9"], 4, "nothing listens at port 9"),
        (["app.py"], 2, "'app.py' is not a URL"),
        (["http://x:99999"], 2, "is not a valid URL: Port out of range"),
        (["http://[::1"], 2, "is not a valid URL: Invalid IPv6 URL."),
        (["http://"], 2, "has no host"),
        (["http://x", "--origin", "app.example.com"], 2, "https://app.example.com"),
    ],
)
def test_the_command_exits_as_the_others_do(
    command: Callable[..., tuple[int, str, str]], arguments: list[str], code: int, words: str
) -> None:
    ended, *written = command(*arguments)

    assert ended == code
    assert words in " ".join("".join(written).split())
