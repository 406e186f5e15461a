"""What is at a URL: an application, something else, or the application elsewhere. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from yieldwire.cli.doctor.finding import Finding, ok, problem, warning
from yieldwire.cli.doctor.seen import OK, Seen

USUAL: Final = "/api/_actions"
"""Where most applications are mounted."""
MANIFEST: Final = "manifest.json"
_TITLE: Final = re.compile(rb"<title[^>]*>([^<]{1,200})", re.IGNORECASE)
_UNAUTHORIZED, _NOT_FOUND = 401, 404
_GATEWAY: Final = frozenset({502, 503, 504})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def is_mount(seen: Seen) -> bool:
    """Whether an answer to `MANIFEST` comes from an application that is mounted there."""
    if seen.error is not None:
        return seen.error["code"] in {"UNAUTHORIZED", "FORBIDDEN", "UNAVAILABLE"}
    return actions_in(seen) is not None


def actions_in(seen: Seen) -> Sequence[Mapping[str, Any]] | None:
    """Return the actions of a manifest; ``None`` if it is not one."""
    told = seen.json
    actions = told.get("actions") if isinstance(told, dict) else None
    if seen.status != OK or not isinstance(actions, list):
        return None
    is_ours = all(isinstance(each, dict) and "name" in each for each in actions)
    return actions if is_ours else None


def check_mount(seen: Seen) -> Finding:
    """Return what is found where an application is mounted."""
    actions = actions_in(seen)
    if actions is not None:
        number = f"{len(actions)} action{'' if len(actions) == 1 else 's'}"
        return ok("mount", f"a Yieldwire application with {number}", actions=len(actions))
    error = seen.error or {}
    said = f"{seen.status} {error.get('code')}: {error.get('message')}"
    if seen.status == _UNAUTHORIZED:
        return warning(
            "mount",
            f"a Yieldwire application, which refused this caller: {said}",
            "Sign in with --token TOKEN or -H 'Name: value', to measure its streams too.",
            status=seen.status,
        )
    advice = "Look into the server's log."
    if "host" in str(error.get("message")):
        advice = (
            "List the name in Actions(hosts=[...]), and let the proxy pass it on: "
            "`proxy_set_header Host $host;` in nginx."
        )
    return problem(
        "mount", f"a Yieldwire application, which answers {said}", advice, status=seen.status
    )


def check_stranger(seen: Seen, base: str | None) -> Finding:
    """Return what is found where no application is mounted; ``base`` is where one is."""
    advice = f"Name the application's URL: {base}" if base else _advice(seen)
    found = f"no Yieldwire application, but {described(seen)}"
    return problem("mount", found, advice, status=seen.status, base=base)


def described(seen: Seen) -> str:
    """Return what has probably answered."""
    server = f" by {seen.headers['server']}" if seen.headers.get("server") else ""
    status = f"HTTP {seen.status}{server}"
    if seen.error is not None:
        return f"a URL of one that has nothing there ({seen.status} {seen.error['code']})"
    if seen.status in _REDIRECTS:
        return f"a redirect to {seen.headers.get('location', 'nowhere')}"
    if seen.status in _GATEWAY:
        return f"a proxy whose server does not answer ({status})"
    return f"{_of_content(seen)} ({status})"


def _of_content(seen: Seen) -> str:
    kind = seen.headers.get("content-type", "").partition(";")[0]
    if kind == "text/html":
        title = _TITLE.search(seen.body)
        name = f" '{title[1].decode('utf-8', 'replace').strip()}'" if title else ""
        return f"a web page{name}"
    if seen.status == _NOT_FOUND and seen.json == {"detail": "Not Found"}:
        return "FastAPI's answer to a path that it does not have"
    if seen.status == _NOT_FOUND and seen.body == b"Not Found":
        return "an ASGI application that does not have this path"
    return f"an answer of the type {kind}" if kind else "an answer without a Content-Type"


def _advice(seen: Seen) -> str:
    if seen.status in _GATEWAY:
        return (
            "Start the application, and compare its address with the proxy's: proxy_pass in nginx, "
            "reverse_proxy in Caddy."
        )
    return (
        f"Name the URL where Actions() is mounted, usually one that ends in {USUAL}. If that is "
        "this one, let the proxy pass it on to the application."
    )


def guesses(url: str, seen: Seen) -> Sequence[str]:
    """Return where the application can be instead, the likeliest first."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    paths = [path + USUAL] if not path.endswith(USUAL) else []
    if USUAL in path:
        paths.insert(0, path[: path.index(USUAL) + len(USUAL)])
    while path:
        path = path.rpartition("/")[0]
        paths += [path or "/", path + USUAL]
    found = [urlunsplit((parts.scheme, parts.netloc, each, "", "")) for each in paths]
    if seen.status in _REDIRECTS and (location := seen.headers.get("location")):
        target = urljoin(f"{url}/{MANIFEST}", location)
        found.insert(0, target.removesuffix(MANIFEST).rstrip("/"))
    own = url.rstrip("/")
    return [each for each in dict.fromkeys(found) if each.rstrip("/") != own]


def takes_files(actions: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an action of a manifest takes a file."""
    return any(_has_file(action.get("input")) for action in actions)


def _has_file(schema: object) -> bool:
    if isinstance(schema, Mapping):
        is_file = schema.get("type") == "string" and schema.get("format") == "binary"
        return is_file or any(map(_has_file, schema.values()))
    return isinstance(schema, list) and any(map(_has_file, schema))
