"""Runs found by the first characters of their id."""

from __future__ import annotations

import pytest

import duvo
from tests.servers.fake_api import FakeAPI


def test_a_run_is_found_by_the_first_characters_of_its_id(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id, _ = fake_api.start(), fake_api.start()
    assert client.runs.find(run_id[:8]).id == run_id
    assert client.runs.find(run_id[:8].upper()).refresh().id == run_id


def test_an_id_in_capitals_is_the_same_run(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    capitals = client.runs.run(run_id.upper())
    assert {capitals, client.runs.find(run_id.upper()), client.runs.get(run_id)} == {capitals}
    assert capitals.refresh().id == run_id
    assert run_id in repr(capitals)


def test_a_whole_id_is_not_looked_up(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = "33333333-3333-4333-8333-333333333333"
    assert client.runs.find(run_id).id == run_id
    assert fake_api.requests == []


def test_a_prefix_of_several_runs_lists_their_ids(fake_api: FakeAPI, client: duvo.Client) -> None:
    ids = [f"aaaa{number:04}-3333-4333-8333-333333333333" for number in range(3)]
    for run_id in ids:
        fake_api.start(run_id=run_id)
    with pytest.raises(duvo.AmbiguousRun, match=f"3 runs begin with 'aaaa0'.*{ids[0]}") as caught:
        client.runs.find("aaaa0")
    assert sorted(caught.value.run_ids) == ids


def test_a_prefix_of_no_run_is_not_found(fake_api: FakeAPI, client: duvo.Client) -> None:
    fake_api.start()
    with pytest.raises(duvo.NotFound, match=r"none of the newest 300 runs .* 'zzzz'"):
        client.runs.find("zzzz")


def test_only_the_newest_300_runs_are_searched(fake_api: FakeAPI, client: duvo.Client) -> None:
    oldest = fake_api.start(run_id="aaaaaaaa-3333-4333-8333-333333333333")
    for _ in range(300):
        fake_api.start()
    with pytest.raises(duvo.NotFound):
        client.runs.find(oldest[:8])
    # Pages overlap by a run.
    assert fake_api.count("GET", "/runs") == 4


@pytest.mark.parametrize("prefix", ["", "..", "abc"])
def test_a_prefix_of_fewer_than_4_characters_is_refused(
    fake_api: FakeAPI, client: duvo.Client, prefix: str
) -> None:
    with pytest.raises(duvo.ConfigError, match=r"is empty|cannot be the id|too short"):
        client.runs.find(prefix)
    assert fake_api.requests == []
