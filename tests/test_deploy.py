"""The files in ``deploy`` are valid, and what they start exists."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer.main
import yaml
from httpx2 import AsyncClient
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.calls import get, send
from tests.support.measured import count, measure
from tests.support.nginx import PROGRAM
from yieldwire import Actions
from yieldwire.cli.command import cli
from yieldwire.cli.health import health_app
from yieldwire.integrations.prometheus import metrics
from yieldwire.testing import StreamingTransport

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
GRACE = 20.0
"""As in ``deploy/app.py``."""


def test_the_application_has_the_grace_that_the_files_expect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORE", "memory")
    names: dict[str, Any] = {}
    exec((DEPLOY / "app.py").read_text("utf-8"), names)  # noqa: S102 - our own
    actions = names["actions"]

    assert isinstance(actions, Actions)
    assert actions.app.timing.grace == GRACE


def commands() -> Iterator[tuple[str, list[str]]]:
    """Give every command line that starts our program, with where it is."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    for name, service in compose["services"].items():
        if str(service.get("command", "")).startswith("yieldwire"):
            yield f"compose {name}", shlex.split(service["command"])
    for document in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")):
        if document["kind"] == "Deployment":
            (container,) = document["spec"]["template"]["spec"]["containers"]
            yield f"kubernetes {container['name']}", container["command"]
    for unit in sorted((DEPLOY / "systemd").iterdir()):
        yield f"systemd {unit.name}", shlex.split(parsed(unit)["Service"]["ExecStart"])
    (docker,) = re.findall(
        r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    yield "docker", yaml.safe_load(docker)


def parsed(unit: Path) -> RawConfigParser:
    parser = RawConfigParser(strict=False, comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit.read_text("utf-8"))
    return parser


@pytest.mark.parametrize("words", [pytest.param(words, id=place) for place, words in commands()])
def test_every_command_is_one_of_ours_with_its_options(words: list[str]) -> None:
    program, name, *arguments = words
    group = typer.main.get_group(cli)
    command = group.commands[name]

    context = command.make_context(name, [*arguments])

    assert Path(program).name == "yieldwire"
    assert context.params["app"] == "app.py"


def test_every_process_has_more_time_to_stop_than_its_actions() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    kubernetes = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))
    pods = [each["spec"]["template"]["spec"] for each in kubernetes if each["kind"] == "Deployment"]
    units = [parsed(unit)["Service"] for unit in (DEPLOY / "systemd").iterdir()]

    times = [
        *(int(compose[name]["stop_grace_period"].rstrip("s")) for name in ("web", "worker")),
        *(pod["terminationGracePeriodSeconds"] for pod in pods),
        *(int(unit["TimeoutStopSec"]) for unit in units),
    ]

    assert len(times) == 6
    assert min(times) > GRACE + 1


async def test_the_autoscaler_reads_what_a_worker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE", "memory")
    names: dict[str, Any] = {}
    exec((DEPLOY / "app.py").read_text("utf-8"), names)  # noqa: S102 - our own
    kinds = [*yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))]
    (scaler,) = [each for each in kinds if each["kind"] == "ScaledObject"]
    target = scaler["spec"]["scaleTargetRef"]["name"]
    (worker, service) = [each for each in kinds if each["metadata"]["name"] == target][:2]
    (trigger,) = scaler["spec"]["triggers"]
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    url, options = urlsplit(trigger["metadata"]["url"]), container["command"]
    queue, value = trigger["metadata"]["valueLocation"].split(".")

    transport = StreamingTransport(health_app([names["actions"]]))
    async with AsyncClient(transport=transport, base_url="http://localhost") as client:
        answered = (await client.get(url.path)).json()

    assert answered[queue][value] == 0
    assert (worker["kind"], service["kind"]) == ("Deployment", "Service")
    assert service["spec"]["selector"] == worker["spec"]["selector"]["matchLabels"]
    assert url.hostname == f"{target}.default.svc.cluster.local"
    assert [{"port": url.port}] == service["spec"]["ports"]
    assert options[options.index("--health-port") + 1] == str(url.port)
    assert options[options.index("--concurrency") + 1] == trigger["metadata"]["targetValue"]
    assert "replicas" not in worker["spec"]


async def test_every_probe_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE", "memory")
    names: dict[str, Any] = {}
    exec((DEPLOY / "app.py").read_text("utf-8"), names)  # noqa: S102 - our own
    actions = names["actions"]
    kinds = [*yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))]
    pods = [each["spec"]["template"]["spec"] for each in kinds if each["kind"] == "Deployment"]
    probes = [
        container[name]["httpGet"]["path"]
        for pod in pods
        for container in pod["containers"]
        for name in ("livenessProbe", "readinessProbe")
    ]
    probes += re.findall(r"health_uri (\S+)", (DEPLOY / "Caddyfile").read_text("utf-8"))

    server = Starlette(routes=[Mount("/api/_actions", actions)])
    answers: list[int] = []
    async with actions.lifespan():
        for path in probes:
            app = server if path.startswith("/api/") else health_app([actions])
            answers.append((await send(app, get(path, host="10.0.0.7"))).status)

    assert answers == [200] * 5


def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    site = (DEPLOY / "nginx.conf").read_text("utf-8").replace("web:8000", "127.0.0.1:8000")
    file = tmp_path / "nginx.conf"
    file.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{site}}}\n")

    checked = subprocess.run(
        [PROGRAM, "-t", "-q", "-c", file, "-e", tmp_path / "log"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (checked.returncode, checked.stderr) == (0, "")


async def test_the_dashboard_shows_every_metric_by_its_name_and_labels(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    await measure(metrics(registry), tmp_path)
    reports = Actions()
    reports.action(queue="reports")(count)
    transport = StreamingTransport(health_app([reports]))
    async with AsyncClient(transport=transport, base_url="http://localhost") as client:
        gauges = text_string_to_metric_families((await client.get("/metrics")).text)
    families = [*registry.collect(), *(each for each in gauges if "yieldwire_queue" in each.name)]
    labels = {sample.name: {*sample.labels} for each in families for sample in each.samples}

    dashboard = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    queries += [
        each["definition"] for each in dashboard["templating"]["list"] if "definition" in each
    ]
    shown = set[str]()
    for query in queries:
        names = re.findall(r"yieldwire_\w+", query)
        assert names, query
        assert labels.keys() >= {*names}
        used = re.findall(r'(\w+)=~?"', query)
        used += [name for by in re.findall(r"by \(([^)]*)\)", query) for name in by.split(", ")]
        used += re.findall(r"label_values\(\w+, (\w+)\)", query)
        assert all(labels[name] >= {*used} for name in names), query
        shown |= {*names}

    assert [each.name for each in families if not any(each.name in name for name in shown)] == []
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
