"""Runs and results as rows for a data frame of pandas."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas
import pytest

import duvo
from tests.servers.fake_api import AGENT, FakeAPI
from tests.unit.resources.test_show import completing


def test_a_data_frame_of_runs_has_a_row_for_each(client: duvo.Client, fake_api: FakeAPI) -> None:
    ids = [fake_api.start("completed", title=f"run {number}") for number in range(3)]
    fake_api.say(ids[0], "Paid")
    first = client.runs.run(ids[0]).wait()
    sent = len(fake_api.requests)
    assert first.to_row()["answer"] == "Paid"
    assert len(fake_api.requests) == sent

    table = pandas.DataFrame(run.to_row() for run in client.runs.list())
    assert list(table["id"]) == ids[::-1]
    assert set(table["status"]) == {"completed"}
    assert set(table["title"]) == {"run 0", "run 1", "run 2"}
    assert str(table["created_at"].dtype).startswith("datetime64")
    assert table["answer"].isna().all()


def test_a_run_that_was_not_read_is_a_row_with_its_id(client: duvo.Client) -> None:
    row = client.runs.run("5b7f1d5e-0000-4000-8000-000000000000").to_row()
    assert {name for name, value in row.items() if value is not None} == {"id"}


def test_a_data_frame_of_results_has_the_columns_of_the_csv(
    client: duvo.Client, fake_api: FakeAPI, tmp_path: Path
) -> None:
    fake_api.before = completing(fake_api, "Paid")
    inputs = [{"invoice": "A", "status": "open"}, {"invoice": "B", "status": "late"}]
    results = client.runs.map(AGENT, inputs, journal=tmp_path / "journal")
    table = pandas.DataFrame(result.to_row() for result in results)
    file = tmp_path / "results.csv"
    results.to_csv(file, inputs)
    with file.open(newline="") as rows:
        expected = list(csv.DictReader(rows))
    records = table.sort_values("invoice").fillna("").to_dict("records")
    assert records == expected
    assert list(table.columns)[:3] == ["invoice", "status", "duvo_status"]


@pytest.mark.parametrize("value", ["text", 3, ["a", 1]])
def test_an_input_that_is_not_an_object_is_one_column(
    client: duvo.Client, fake_api: FakeAPI, value: object
) -> None:
    fake_api.before = completing(fake_api)
    (result,) = client.runs.map(AGENT, [value])
    assert result.to_row() == {
        "input": value,
        "status": "completed",
        "answer": "done",
        "failure": None,
        "run_id": result.run.id,
    }
