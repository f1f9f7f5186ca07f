"""Replies: valid ones are sent in the API's form, others are refused and not sent."""

from __future__ import annotations

from typing import Any

import pytest

import duvo
from tests.servers.fake_api import FakeAPI

QUESTIONS: dict[str, Any] = {
    "type": "question",
    "title": "Two things",
    "questions": [
        {
            "question": "Which cost centre?",
            "header": "centre",
            "options": [{"label": "A"}, {"label": "B"}],
            "multi_select": True,
        },
        {"question": "Is a=b true?"},
    ],
}


def replied(fake_api: FakeAPI) -> list[Any]:
    return [one.json for one in fake_api.requests if one.path.endswith("/respond")]


@pytest.mark.parametrize("approve", [True, False])
def test_respond_sends_the_decision_on_an_approval(
    fake_api: FakeAPI, client: duvo.Client, approve: bool
) -> None:
    run_id = fake_api.start()
    request_id = fake_api.ask(run_id)
    reply = client.runs.run(run_id).respond(approve=approve, request_id=request_id.upper())
    assert reply.id == request_id
    assert replied(fake_api) == [{"approved": approve}]


class bool_:  # numpy's, which the tests do not install
    def __init__(self, value: bool):
        self._value = value

    def __bool__(self) -> bool:
        return self._value


bool_.__module__ = "numpy"


@pytest.mark.parametrize("value", [True, False])
def test_a_bool_of_numpy_decides_an_approval(
    fake_api: FakeAPI, client: duvo.Client, value: bool
) -> None:
    run = client.runs.run(fake_api.start())
    decision: Any = bool_(value)
    fake_api.ask(run.id)
    run.respond(approve=decision)
    fake_api.ask(run.id)
    fake_api.after = lambda seen: fake_api.end(run.id) if seen.method == "POST" else None
    run.wait(on_request=lambda request: decision)
    assert replied(fake_api) == [{"approved": value}] * 2


@pytest.mark.parametrize("approve", ["no", "false", "", [], 0, 1, 1.0, b"", {"a": 1}, object()])
def test_a_decision_that_is_not_a_bool_is_refused(
    fake_api: FakeAPI, client: duvo.Client, approve: Any
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    with pytest.raises(duvo.InvalidReply, match="approve must be True or False, not"):
        client.runs.run(run_id).respond(approve=approve)
    assert not replied(fake_api)


@pytest.mark.parametrize("decision", ["no", [], 0, 1, {}])
def test_on_request_must_return_a_bool_for_an_approval(
    fake_api: FakeAPI, client: duvo.Client, decision: Any
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    with pytest.raises(duvo.InvalidReply, match="it needs a decision"):
        client.runs.run(run_id).wait(on_request=lambda request: decision)
    assert not replied(fake_api)


@pytest.mark.parametrize(
    "answers",
    [
        {"centre": "A", "2": "yes"},
        {"Which cost centre?": "A", "Is a=b true?": "yes"},
        {"1": ["A"], "2": ["yes"]},
        ["centre=A", "Is a=b true?=yes"],
        ["1=A", "2=yes"],
    ],
)
def test_answers_may_use_any_name_of_a_question(
    fake_api: FakeAPI, client: duvo.Client, answers: Any
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTIONS)
    client.runs.run(run_id).respond(answers=answers)
    assert replied(fake_api) == [{"answers": {"Which cost centre?": "A", "Is a=b true?": "yes"}}]


def test_several_choices_are_joined_by_commas(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTIONS)
    client.runs.run(run_id).respond(answers={"centre": ["A", "B"], "2": "no"})
    assert replied(fake_api)[0]["answers"]["Which cost centre?"] == "A,B"


@pytest.mark.parametrize(
    ("answers", "joined"),
    [
        (["centre=A", "centre=B", "2=no"], "A,B"),
        (["centre=A", "1=B", "Which cost centre?=A", "2=no"], "A,B"),
        ({"centre": ["A", "B"], "1": "B", "2": "no"}, "A,B"),
        (["centre=A", "centre=A", "2=no", "Is a=b true?=no"], "A"),
    ],
)
def test_answers_to_one_question_are_joined_where_several_may_be_chosen(
    fake_api: FakeAPI, client: duvo.Client, answers: Any, joined: str
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTIONS)
    client.runs.run(run_id).respond(answers=answers)
    sent = {"Which cost centre?": joined, "Is a=b true?": "no"}
    assert replied(fake_api) == [{"answers": sent}]


@pytest.mark.parametrize(
    "answers",
    [
        ["centre=A", "2=yes", "2=no"],
        ["centre=A", "Is a=b true?=yes", "2=no"],
        {"centre": "A", "2": "yes", "Is a=b true?": "no"},
        {"centre": "A", "2": ["yes", "no"]},
    ],
)
def test_two_answers_to_a_question_that_takes_one_are_refused(
    fake_api: FakeAPI, client: duvo.Client, answers: Any
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTIONS)
    why = "the question '2' takes one answer, but 'yes' and 'no' are given"
    with pytest.raises(duvo.InvalidReply, match=why):
        client.runs.run(run_id).respond(answers=answers)
    with pytest.raises(duvo.InvalidReply, match=why):
        client.runs.run(run_id).wait(on_request=lambda request: answers)
    assert replied(fake_api) == []


@pytest.mark.parametrize(
    "answers",
    [
        {"centre": "A", "2": ""},
        {"centre": "A", "2": " \n"},
        {"centre": "A", "2": []},
        {"centre": "A", "2": [""]},
        ["centre=A", "2="],
    ],
)
def test_empty_answers_are_refused(fake_api: FakeAPI, client: duvo.Client, answers: Any) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTIONS)
    run = client.runs.run(run_id)
    with pytest.raises(duvo.InvalidReply, match="the answer to '2' is empty"):
        run.respond(answers=answers)
    with pytest.raises(duvo.InvalidReply, match="the answer to '2' is empty"):
        run.wait(on_request=lambda request: answers)
    with pytest.raises(duvo.InvalidReply, match="answer to '2' is empty"):
        run.wait(answers=answers, timeout=1)
    assert replied(fake_api) == []


@pytest.mark.parametrize("chosen", [[], ["A", ""], ""])
def test_an_empty_choice_where_several_may_be_chosen_is_refused(
    fake_api: FakeAPI, client: duvo.Client, chosen: Any
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTIONS)
    with pytest.raises(duvo.InvalidReply, match="the answer to 'centre' is empty"):
        client.runs.run(run_id).respond(answers={"centre": chosen, "2": "no"})
    assert replied(fake_api) == []


@pytest.mark.parametrize("answers", [{"1": ""}, {"1": []}, ["1="], "1= "])
def test_empty_standing_answers_are_refused_before_a_run_is_started(
    fake_api: FakeAPI, client: duvo.Client, answers: Any
) -> None:
    with pytest.raises(duvo.InvalidReply, match="the standing answer to '1' is empty"):
        client.runs.ask("Invoice approver", answers=answers, timeout=1)
    assert fake_api.requests == []


def test_the_id_of_a_question_is_its_key(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, type="question", questions=[{"id": "q-7", "question": "Why?"}])
    request = client.runs.get(run_id).pending_request
    assert request is not None
    assert request.questions[0].key == "q-7"
    client.runs.run(run_id).respond(answers={"q-7": "because"})
    assert replied(fake_api) == [{"answers": {"Why?": "because"}}]


@pytest.mark.parametrize(
    ("asked", "reply", "says"),
    [
        ({}, {"answers": {"x": "y"}}, "approve or deny"),
        ({}, {}, "approve or deny"),
        ({}, {"approve": True, "answers": {"x": "y"}}, "not both"),
        ({}, {"approve": True, "request_id": "another"}, "no pending request another"),
        (QUESTIONS, {"approve": True}, "answers to its questions, not a decision"),
        (QUESTIONS, {}, "answers to its questions;"),
        (QUESTIONS, {"answers": {}}, "answers to its questions;"),
        (QUESTIONS, {"answers": {"centre": "A", "colour": "red"}}, "no question 'colour'"),
        (QUESTIONS, {"answers": {"centre": "A"}}, "'2' has no answer"),
        (QUESTIONS, {"answers": ["centre"]}, "not KEY=ANSWER"),
        ({"type": "login"}, {"approve": True}, "in the web app only"),
    ],
)
def test_a_reply_that_does_not_fit_is_refused_and_not_sent(
    fake_api: FakeAPI, client: duvo.Client, asked: Any, reply: Any, says: str
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **asked)
    with pytest.raises(duvo.InvalidReply, match=says) as caught:
        client.runs.run(run_id).respond(**reply)
    assert caught.value.request is not None
    assert not replied(fake_api)


def test_a_reply_to_a_run_without_a_pending_request_is_refused(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    with pytest.raises(duvo.InvalidReply, match="no pending request"):
        client.runs.run(fake_api.start()).respond(approve=True)
    assert not replied(fake_api)


def test_an_error_about_a_request_carries_the_run_of_a_follow(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    # Only the iterator refers to the run.
    with pytest.raises(duvo.HumanRequestPending) as caught:
        list(client.runs.run(run_id).messages(follow=True, on_request="raise"))
    assert caught.value.run == client.runs.run(run_id)
