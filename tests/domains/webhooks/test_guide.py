"""The receiver that docs/webhooks.md shows, run against real deliveries."""

import ast
import os
import re
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from codyverse import jobs
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.events import publish
from codyverse.core.outbound import post
from codyverse.delivering import reach
from codyverse.gamification.events import LevelReached
from codyverse.webhooks import rules, services
from config import ROOT
from tests.domains.webhooks.hooks import deliveries, register
from tests.factories import make_user
from tests.ports import free_port

GUIDE = (ROOT / "docs" / "webhooks.md").read_text()


def wait_for(port: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the receiver has ended")


def test_the_receiver_of_the_guide(near: Flask, tmp_path: Path) -> None:
    [sample] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    file = tmp_path / "receiver.py"
    file.write_text(sample)
    ada, port = make_user(), free_port()
    url = f"http://127.0.0.1:{port}/hook"
    made = register(ada, url)
    env = {"PATH": os.environ["PATH"], "WEBHOOK_SECRET": made.secret, "PORT": str(port)}
    command = [sys.executable, str(file)]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            wait_for(port, process)
            _deliver_and_replay(ada, made.webhook_id)
            _forge(url, made.secret)
        finally:
            process.terminate()
        assert process.stdout is not None
        printed = process.stdout.read().splitlines()
    assert len(printed) == 1, "once, though it came twice, and nothing that was forged"
    kind, _, data = printed[0].partition(" ")
    assert kind == "level.reached"
    assert ast.literal_eval(data)["userId"] == ada


def _deliver_and_replay(ada: int, hook: int) -> None:
    with unit_of_work():
        publish(LevelReached(ada, 2, "Beginner", 2, now(), now().date()))
    assert jobs.run("webhooks") == "Webhooks: 1 delivered."
    with unit_of_work():
        services.replay(ada, hook, deliveries(ada, hook)[0].id)
    assert jobs.run("webhooks") == "Webhooks: 1 delivered."


def _forge(url: str, secret: str) -> None:
    body = b'{"type":"level.reached","data":{}}'
    fine = rules.signed(secret, "evt_new", now(), body)
    late = rules.signed(secret, "evt_old", now() - timedelta(minutes=6), body)
    other = rules.signed(rules.new_secret(), "evt_other", now(), body)
    for headers, sent in ((fine, body + b" "), (late, body), (other, body)):
        assert post(url, sent, headers, reach()) == 401


def test_the_guide_names_all_events_and_what_they_carry() -> None:
    assert set(re.findall(r"^\| `(\w+\.\w+)`", GUIDE, re.MULTILINE)) == set(rules.KINDS)
