"""The table of watched runs."""

from __future__ import annotations

from typing import Any

import duvo
from duvo_cli.output.watch_table import WatchTable
from tests.servers.fake_api import FakeAPI


def plain(text: str, colour: str) -> str:
    return f"{colour}:{text}" if colour in ("yellow", "red") else text


def ids(lines: list[str]) -> list[str]:
    return [line.split()[-1] for line in lines]


def table_of(fake_api: FakeAPI, client: duvo.Client) -> WatchTable:
    return WatchTable(client.runs.list(sort_order="asc"), plain)


def event(client: duvo.Client, run_id: str, **fields: Any) -> duvo.Event:
    return duvo.Event(**{"type": "status", "run": client.runs.get(run_id), **fields})


def test_each_run_has_a_line_with_its_last_event(fake_api: FakeAPI, client: duvo.Client) -> None:
    first, second = fake_api.start(), fake_api.start()
    table = table_of(fake_api, client)
    fake_api.say(first, "Looking\nit up")
    (message,) = client.runs.run(first).messages()
    table.record(event(client, first, type="message", message=message))
    fake_api.ask(second)
    run = client.runs.get(second)
    table.record(duvo.Event(type="human_request", run=run, request=run.pending_request))
    head, one, other, counts = table.lines(200, 30)
    assert head.split() == ["STATUS", "AGENT", "TITLE", "AGE", "TOOK", "RUN"]
    assert one.lstrip("●* ").startswith("running  Invoice approver  Looking it up ")
    assert other.startswith("yellow:? waiting  Invoice approver  Post INV-1042?")
    assert ids([one, other]) == [first[:8], second[:8]]
    assert counts == "2 runs: 1 running, 1 waiting"


def test_the_age_of_an_ended_run_is_its_duration(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id, "failed")
    table = table_of(fake_api, client)
    assert "red:" in table.lines(200, 30)[1]
    assert " 10 ms " in table.lines(200, 30)[1]


def test_ended_runs_are_hidden_when_the_table_does_not_fit(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    runs = [fake_api.start() for _ in range(50)]
    for run_id in runs[:40]:
        fake_api.end(run_id)
    fake_api.ask(runs[45], title="Žádost " * 40)
    table = table_of(fake_api, client)
    lines = table.lines(80, 16)
    assert len(lines) == 15
    assert all(len(line.removeprefix("yellow:")) < 80 for line in lines)
    working = [run_id for run_id in runs[40:] if run_id != runs[45]]
    shown = [runs[45], *working, runs[39], runs[38]]
    assert ids(lines[1:-2]) == [run_id[:8] for run_id in shown]
    assert lines[-2:] == ["… and 38 more", "50 runs: 40 completed, 9 running, 1 waiting"]


def test_a_run_that_has_not_been_read_yet_shows_its_id(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    table = WatchTable([client.runs.run(run_id)], plain)
    assert [line.strip() for line in table.lines(80, 24)[1:]] == [run_id[:8], "1 run"]
    table.record(event(client, run_id))
    assert "running" in table.lines(80, 24)[1]
    assert table.lines(80, 24)[2] == "1 run: 1 running"
