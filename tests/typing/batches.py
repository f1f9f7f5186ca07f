"""Inputs, statuses and arguments as type checkers see them. Checked, and never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from attrs import frozen
from typing_extensions import assert_type

import duvo


@frozen
class Invoice:
    number: str


def invoices() -> Iterator[Invoice]:
    yield Invoice("INV-1042")


async def rows() -> AsyncIterator[dict[str, str]]:
    yield {"invoice": "INV-1042"}


def message_of(invoice: Invoice) -> str:
    return f"Process {invoice.number}"


def number_of(invoice: Invoice) -> str:
    return invoice.number


def message_of_text(text: str) -> str:
    return text


def results_have_the_inputs(client: duvo.Client) -> None:
    results = client.runs.map(
        "Approver", invoices(), message=message_of, key=lambda one: one.number
    )
    assert_type(results, duvo.Results[Invoice])
    for result in results:
        assert_type(result, duvo.Result[Invoice])
        assert_type(result, duvo.Result[Invoice, duvo.Run])
        assert_type(result.input, Invoice)
        assert_type(result.run, duvo.Run)
        invoice, run = result
        assert_type(invoice, Invoice)
        assert_type(run, duvo.Run)
    assert_type(results.show(), list[duvo.Result[Invoice]])
    for text, _ in client.runs.map("Approver", ["a", "b"], message=lambda text: text.upper()):
        assert_type(text, str)
    for row, _ in client.runs.map("Approver", [{"n": 1}], key="n"):
        assert_type(row, dict[str, int])
    anything: list[Any] = []
    for value in client.runs.map("Approver", anything):
        assert_type(value.input, Any)
    client.runs.map("Approver", invoices(), message=message_of_text)  # type: ignore[arg-type]


async def async_results_have_the_inputs(client: duvo.AsyncClient) -> None:
    results = client.runs.map("Approver", rows(), message=lambda row: row["invoice"])
    assert_type(results, duvo.AsyncResults[dict[str, str]])
    async for result in results:
        assert_type(result, duvo.Result[dict[str, str], duvo.AsyncRun])
        assert_type(result.input, dict[str, str])
        assert_type(result.run, duvo.AsyncRun)
    async for result in client.runs.map("Approver", [{"invoice": "INV-1042"}]):
        assert_type(result.input, dict[str, str])
    client.runs.map("Approver", invoices(), message=message_of_text)  # type: ignore[arg-type]


def without_parameters(results: duvo.Results, result: duvo.Result) -> None:
    assert_type(results, duvo.Results[Any])
    assert_type(result, duvo.Result[Any, duvo.Run])


def statuses(run: duvo.Run, data: duvo.RunData) -> duvo.RunStatus:
    assert_type(run.status, duvo.RunStatus | str)
    assert_type(data.status, duvo.RunStatus | str)
    print(run.status == "a status of a newer server")
    wanted: duvo.RunStatus = "complted"  # type: ignore[assignment]
    return wanted


def decide(request: duvo.HumanRequest) -> duvo.Decision:
    return {"Which cost centre?": "4711"} if request.type == "question" else None


async def decide_later(request: duvo.HumanRequest) -> duvo.Decision:
    return request.title == "Post INV-1042?"


def handled(run: duvo.Run, on_request: duvo.OnRequest, answers: duvo.Answers) -> None:
    run.wait(on_request=on_request, answers=answers)
    run.wait(on_request=decide)
    run.wait(on_request=decide_later)  # type: ignore[arg-type]
    word: duvo.OnRequest = "aprove"  # type: ignore[assignment]
    print(word)


async def handled_later(run: duvo.AsyncRun, on_request: duvo.AsyncOnRequest) -> None:
    await run.wait(on_request=on_request)
    await run.wait(on_request=decide)
    await run.wait(on_request=decide_later)
