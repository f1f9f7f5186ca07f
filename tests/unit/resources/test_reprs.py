"""Objects describe themselves, as text and in a notebook, without sending anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import duvo
from duvo import _errors
from tests.servers.fake_api import AGENT, KEY, FakeAPI
from tests.unit.resources.test_show import completing

CLASSES = {
    name: value
    for name in duvo.__all__
    if isinstance(value := getattr(duvo, name), type) and not issubclass(value, Exception)
}
ERRORS = [value for value in vars(_errors).values() if isinstance(value, type)]

IN_NOTEBOOKS = {
    "AgentList",
    "Event",
    "HumanRequest",
    "Message",
    "Progress",
    "Result",
    "Results",
    "Run",
    "RunList",
}
"""Classes with HTML, beside their async counterparts."""

SCRIPT = "<script>alert('&')</script>"


def target(thing: Any) -> Any:
    """Return the object itself, or the async one behind a blocking facade."""
    return vars(thing).get("_target", thing) if hasattr(thing, "__dict__") else thing


def everything(client: duvo.Client, fake_api: FakeAPI) -> list[Any]:
    """An object of each public class, and each collection of a client, before and after use."""
    run_id = fake_api.start("running", title=SCRIPT)
    fake_api.say(run_id, SCRIPT)
    call = {"id": "c1", "name": SCRIPT, "arguments": {"a": SCRIPT}}
    fake_api.say(run_id, "", type="tool_call", tool_call=call)
    result = {"tool_call_id": "c1", "result": SCRIPT, "error": SCRIPT}
    fake_api.say(run_id, "", type="tool_result", tool_result=result)
    question = {"question": SCRIPT, "options": [{"label": SCRIPT}], "header": SCRIPT}
    fake_api.ask(run_id, type="question", title=SCRIPT, questions=[question])
    run = client.runs.run(run_id)
    objects: list[Any] = [client, client.runs, client.agents, client.teams, repr(run)]
    run.refresh()
    request = run.pending_request
    assert request is not None
    runs, inbox, agents = client.runs.list(), client.runs.inbox(), client.agents.list()
    objects += [repr(runs), *runs, runs, repr(agents), *agents, agents, *inbox, inbox]
    messages = run.messages()
    objects += [run, run.data, *messages, messages, request, *request.questions]
    objects += [option for question in request.questions for option in question.options]
    tools = [(message.tool_call, message.tool_result) for message in run.messages()]
    objects += [tool for pair in tools for tool in pair if tool is not None]
    objects.append(client.runs.as_completed([run_id]))
    watch = client.runs.watch([run_id], messages=True)
    objects += [next(watch) for _ in range(3)]
    objects += [watch, client.whoami(), client.whoami().profile, *client.teams.list()]
    objects += [client.request("GET", "/v2/teams"), client.settings]
    objects += [run.respond(answers={"1": SCRIPT}), run.send_message(SCRIPT)]
    fake_api.end(run_id)
    objects += [*client.runs.as_completed([run_id])]

    results = client.runs.map(AGENT, [{"text": SCRIPT}], key="text")
    objects += [repr(results), results.compare([])]
    fake_api.before = completing(fake_api, SCRIPT)
    objects += [next(results), results, results.progress]
    results.close()
    return objects


def is_of(name: str, *, is_async: bool) -> bool:
    """Whether a client of this kind returns objects of the class."""
    blocking = name.removeprefix("Async")
    has_both = f"Async{blocking}" in CLASSES
    return (name != blocking) == (is_async and has_both)


def test_each_public_object_has_a_repr_with_its_class_and_without_the_key(
    client: duvo.Client, fake_api: FakeAPI
) -> None:
    objects = [target(thing) for thing in everything(client, fake_api)]
    is_async = isinstance(target(client), duvo.AsyncClient)
    for name, kind in CLASSES.items():
        if is_of(name, is_async=is_async):
            assert any(isinstance(thing, kind) for thing in objects), name
    for thing in objects:
        text = thing if isinstance(thing, str) else repr(thing)
        assert " at 0x" not in text
        assert type(thing).__name__ in text or isinstance(thing, str)
        assert KEY not in text


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error.__name__))
def test_an_error_has_a_repr_with_its_text(error: type[Exception]) -> None:
    assert repr(error("why")) == f"{error.__name__}('why')"


@pytest.mark.parametrize("name", sorted(IN_NOTEBOOKS))
def test_an_object_in_a_notebook_is_shown_escaped(
    client: duvo.Client, fake_api: FakeAPI, name: str
) -> None:
    objects = [target(thing) for thing in everything(client, fake_api)]
    shown = [
        thing._repr_html_() for thing in objects if type(thing).__name__ in (name, f"Async{name}")
    ]
    assert shown
    for html in shown:
        assert html.startswith("<table>")
        assert "<script" not in html
        assert KEY not in html
        # Colours are the notebook's: it may be dark.
        assert "color" not in html
        assert "background" not in html
        tags = re.findall(r"</?(\w+)", html)
        assert set(tags) <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    if name not in ("Progress", "AgentList"):
        assert any("&lt;script&gt;" in html for html in shown)


SHOW: list[Callable[[Any], str]] = [repr, lambda thing: str(thing._repr_html_())]


@pytest.mark.parametrize("show", SHOW, ids=["text", "html"])
def test_showing_an_object_sends_nothing(
    client: duvo.Client, fake_api: FakeAPI, show: Callable[[Any], str]
) -> None:
    for _ in range(150):
        fake_api.start("waiting")
    unread = client.runs.run(next(iter(fake_api.runs)))
    runs, agents = client.runs.list(), client.agents.list()
    results = client.runs.map(AGENT, ["a"])
    next(runs)
    sent = len(fake_api.requests)
    for thing in (unread, runs, agents, results, results.progress, next(runs)):
        assert show(target(thing))
    assert len(fake_api.requests) == sent
    results.close()


def test_a_list_shows_the_items_that_were_read_so_far(
    client: duvo.Client, fake_api: FakeAPI
) -> None:
    ids = [fake_api.start("completed") for _ in range(250)]
    runs = client.runs.list()
    assert "0 runs read" in repr(runs)
    next(runs)
    html = target(runs)._repr_html_()
    assert "100 runs read of 250" in html
    assert len(re.findall(r"<tr>", html)) == 1 + 100
    assert len(list(runs)) == 249
    html = target(runs)._repr_html_()
    assert "250 runs read of 250; the first 100 are shown" in html
    assert len(re.findall(r"<tr>", html)) == 1 + 100
    assert ids[-1] in html


def test_a_run_shows_its_answer_once_it_was_read(client: duvo.Client, fake_api: FakeAPI) -> None:
    run_id = fake_api.start("completed")
    fake_api.say(run_id, "Paid & booked")
    run = client.runs.run(run_id)
    assert "not loaded" in target(run)._repr_html_()
    run.wait()
    html = target(run)._repr_html_()
    assert ">completed<" in html
    assert ">Paid &amp; booked<" in html
