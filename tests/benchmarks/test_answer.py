"""Scenes L and M: answers after sign-in, also from a model server."""

import http.client
import json
import re
import sys
import time
from dataclasses import replace
from urllib.parse import urlsplit

from benchmarks.check import failures
from benchmarks.environment import Environment
from benchmarks.machine import ROOT
from benchmarks.model import modelling
from benchmarks.peer import read_peers
from benchmarks.request import Request

MODEL = (sys.executable, "-m", "benchmarks.model_server")


def test_a_model_says_as_many_words_as_it_is_asked_for_and_when_each_of_them_leaves() -> None:
    body = json.dumps({"model": "local", "messages": [{"role": "user", "content": "3"}]})
    headers = {"content-type": "application/json"}

    with modelling(MODEL) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        began = time.monotonic_ns()
        connection.request("POST", "/v1/chat/completions", body, headers)
        said = connection.getresponse().read().decode()
        connection.close()

    words = [(int(i), int(ns)) for i, ns in re.findall(r"token (\d+) ns=(\d+) ", said)]
    assert [i for i, _ in words] == [0, 1, 2]
    assert began < words[0][1] < words[1][1] < words[2][1] < time.monotonic_ns()
    assert said.endswith("data: [DONE]\n\n")


def test_an_answer_is_whole_and_given_only_after_sign_in() -> None:
    peer = replace(read_peers()["ours-chat"], name="answer-test")
    command = (sys.executable, "-m", *peer.command)
    environment = Environment(command=command, directory=ROOT, versions=(), model=MODEL)

    assert list(failures(peer, environment)) == []


def test_a_request_has_its_own_headers() -> None:
    request = Request(method="GET", path="/feed", headers={"Cookie": "session=ada.1"})

    assert b"\r\nCookie: session=ada.1\r\n" in request.raw(80)
