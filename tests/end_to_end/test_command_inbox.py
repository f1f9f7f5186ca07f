"""Pending human requests across runs: shown, answered one by one, answered all at once."""

from __future__ import annotations

import json
import threading
import uuid

import pytest

import duvo
from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest
from tests.support.command import DUVO, Command, wait_for
from tests.support.pseudo_terminal import PseudoTerminal


def asking(fake_api: FakeAPI, count: int = 1) -> list[str]:
    """Runs that each wait for an approval: `Post 0?`, `Post 1?`, …"""
    runs = [fake_api.start() for _ in range(count)]
    for number, run_id in enumerate(runs):
        fake_api.ask(run_id, title=f"Post {number}?", description="Total 12\x1b[31m")
    return runs


def answering(command: Command, *arguments: str) -> PseudoTerminal:
    return PseudoTerminal([DUVO, "runs", "inbox", "--answer", *arguments], command.environment)


def replies(fake_api: FakeAPI) -> list[tuple[str, object]]:
    return [
        (seen.path.split("/")[3], seen.json)
        for seen in fake_api.requests
        if seen.path.endswith("/respond")
    ]


def test_inbox_shows_age_agent_request_and_the_commands_that_answer(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    first, second = asking(fake_api, 2)
    done = run_duvo_with_fake_api("runs", "inbox")
    assert done.returncode == 0
    assert done.stdout.index(first) < done.stdout.index(second)
    head, title, description, approve = done.stdout.splitlines()[:4]
    assert head.startswith("waiting for ")
    assert head.endswith(f" · Invoice approver · run {first}")
    assert title == "  Post 0?"
    assert description == "  Total 12␛[31m"
    assert approve == f"  approve: duvo runs respond {first} --approve"


@pytest.mark.long
def test_inbox_as_json_is_one_document(fake_api: FakeAPI, run_duvo_with_fake_api: Command) -> None:
    assert json.loads(run_duvo_with_fake_api("runs", "inbox", "--json").stdout) == {
        "data": [],
        "total": 0,
    }
    none = run_duvo_with_fake_api("runs", "inbox")
    assert (none.stdout, none.stderr) == ("", "duvo: no pending human requests\n")
    (run_id,) = asking(fake_api)
    document = json.loads(run_duvo_with_fake_api("runs", "inbox", "--json").stdout)
    run, request = fake_api.runs[run_id], fake_api.pending[run_id]
    assert document == {"data": [{"run": run, "pending_human_request": request}], "total": 1}


def test_inbox_can_be_limited_to_an_agent(run_duvo: Command, dev_client: duvo.Client) -> None:
    runs = [dev_client.runs.start(agent) for agent in ("Invoice approver", "Travel booker")]
    wait_for(lambda: all(run.refresh().pending_request for run in runs))
    out = run_duvo("runs", "inbox", "--agent", "Travel booker").stdout
    assert runs[1].id in out
    assert "[City] Where shall the trip go?" in out
    assert runs[0].id not in out


def test_answering_the_inbox_needs_a_terminal(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    asking(fake_api)
    done = run_duvo_with_fake_api("runs", "inbox", "--answer", input="y\n")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("duvo: --answer needs a terminal")
    assert len(done.stderr.splitlines()) == 1
    assert replies(fake_api) == []


def test_requests_of_the_inbox_can_be_answered_or_skipped(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    runs = asking(fake_api, 4)
    with answering(run_duvo_with_fake_api) as tty:
        for number, keys in enumerate(("y\n", "s\n", "\n", "n\n")):
            tty.expect(f"run {runs[number]}")
            tty.expect(rf"Post {number}\?")
            tty.expect(r"Approve\? \[y/n\] ")
            tty.type(keys)
        tty.expect("2 answered, 2 left")
        assert tty.end() == 0
    assert replies(fake_api) == [(runs[0], {"approved": True}), (runs[3], {"approved": False})]


def test_the_inbox_ends_on_q_and_on_the_end_of_input(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    asking(fake_api, 3)
    for keys in ("q\n", "\x04"):
        with answering(run_duvo_with_fake_api) as tty:
            tty.expect(r"Approve\? \[y/n\] ")
            tty.type(keys)
            tty.expect("0 answered, 3 left")
            assert tty.end() == 0
            assert "Approve?" not in tty.seen
    assert replies(fake_api) == []


def test_the_inbox_as_json_has_all_that_q_leaves(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    runs = asking(fake_api, 4)
    with answering(run_duvo_with_fake_api, "--jq", "[.left[].run.id]") as tty:
        for keys in ("s\n", "y\n", "q\n"):
            tty.expect(r"Approve\? \[y/n\] ")
            tty.type(keys)
        tty.expect(json.dumps([runs[0], *runs[2:]]).replace("[", r"\["))
        tty.expect("1 answered, 3 left")
        assert tty.end() == 0


def test_the_inbox_ends_on_q_when_the_server_fails(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    # A run is read only once the request before it was answered or left.
    runs = [asking(fake_api)[0] for _ in range(3)]
    with answering(run_duvo_with_fake_api) as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        fake_api.before = lambda seen: (403, {}) if seen.path.endswith(runs[2]) else None
        tty.type("q\n")
        tty.expect("0 answered, the rest left")
        assert tty.end() == 0


def test_ctrl_c_while_what_is_left_is_read_ends_the_inbox(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    # A run is read only once the request before it was answered or left.
    runs = [asking(fake_api)[0] for _ in range(3)]
    is_reading, is_over = threading.Event(), threading.Event()

    def hold_the_last(seen: ReceivedRequest) -> None:
        if seen.path.endswith(runs[2]):
            is_reading.set()
            is_over.wait(30)

    with answering(run_duvo_with_fake_api) as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        fake_api.before = hold_the_last
        tty.type("q\n")
        assert is_reading.wait(30)
        tty.type("\x03")
        tty.expect("0 answered, the rest left")
        is_over.set()
        assert tty.end() == 130


def test_an_option_may_be_a_word_that_skips_and_free_text_may_be_one_in_quotation_marks(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    questions = [{"question": "Which letter?"}, {"question": "And?", "options": [{"label": "q"}]}]
    fake_api.ask(run_id, type="question", questions=questions)
    with answering(run_duvo_with_fake_api) as tty:
        tty.expect("Answer: ")
        tty.type('"s"\n')
        tty.expect("Number or text: ")
        tty.type("q\n")
        tty.expect("1 answered, 0 left")
        assert tty.end() == 0
    assert replies(fake_api) == [(run_id, {"answers": {"Which letter?": "s", "And?": "q"}})]


def test_s_and_q_leave_a_question_without_options(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    questions = [{"question": "Why?"}, {"question": "And?", "options": [{"label": "A"}]}]
    for _ in range(2):
        fake_api.ask(fake_api.start(), type="question", questions=questions)
    with answering(run_duvo_with_fake_api) as tty:
        for key in ("s\n", "q\n"):
            tty.expect("Answer: ")
            tty.type(key)
        tty.expect("0 answered, 2 left")
        assert tty.end() == 0
    assert replies(fake_api) == []


def test_an_empty_line_in_the_inbox_keeps_the_answers_to_earlier_questions(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    first, second = fake_api.start(), fake_api.start()
    questions = [
        {"question": "Which?", "options": [{"label": "A"}]},
        {"question": "Where?", "header": "Place", "options": [{"label": "B"}]},
    ]
    for run_id in (first, second):
        fake_api.ask(run_id, type="question", questions=questions)
    with answering(run_duvo_with_fake_api) as tty:
        tty.expect(r"\[1\] Number or text: ")
        tty.type("other\n")
        tty.expect(r"\[Place\] Number or text: ")
        tty.type("\n")
        tty.expect("type an answer")
        tty.expect(r"\[Place\] Number or text: ")
        tty.type("1\n")
        tty.expect(f"run {second}")
        tty.expect(r"\[1\] Number or text: ")
        tty.type("s\n")
        tty.expect("1 answered, 1 left")
        assert tty.end() == 0
    assert replies(fake_api) == [(first, {"answers": {"Which?": "other", "Where?": "B"}})]


@pytest.mark.long
def test_the_inbox_reports_requests_that_were_answered_elsewhere(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    runs = asking(fake_api, 3)
    with answering(run_duvo_with_fake_api) as tty:
        tty.expect(r"Post 0\?")
        tty.expect(r"Approve\? \[y/n\] ")
        fake_api.end(runs[0])
        fake_api.end(runs[1])
        tty.type("y\n")
        tty.expect("the request was answered elsewhere")
        tty.expect(r"Post 2\?")
        tty.expect(r"Approve\? \[y/n\] ")
        fake_api.end(runs[2])
        tty.expect("the request was answered elsewhere")
        tty.expect("0 answered, 0 left, 3 answered elsewhere")
        assert tty.end() == 0
    assert replies(fake_api) == []


def test_the_inbox_shows_requests_of_unknown_types(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    fake_api.ask(fake_api.start(), type="login", title="Log in to the bank")
    with answering(run_duvo_with_fake_api) as tty:
        tty.expect("Log in to the bank")
        tty.expect("in the web app")
        tty.expect("0 answered, 1 left")
        assert tty.end() == 0


def test_ctrl_c_ends_the_inbox_with_a_summary(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    first = asking(fake_api, 4)[0]
    with answering(run_duvo_with_fake_api) as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("y\n")
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("\x03")
        tty.expect("1 answered, 3 left")
        assert tty.end() == 130
        assert "Traceback" not in tty.seen
    assert replies(fake_api) == [(first, {"approved": True})]


def test_all_pending_answers_only_the_approvals_of_the_agent(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    approvals = asking(fake_api, 3)
    question, login, others = (
        fake_api.start(),
        fake_api.start(),
        fake_api.start(agent_id=str(uuid.uuid4())),
    )
    fake_api.ask(question, type="question", questions=[{"question": "Why?"}])
    fake_api.ask(login, type="login")
    fake_api.ask(others)
    done = run_duvo_with_fake_api("runs", "respond", "--all-pending", "--agent", AGENT, "--approve")
    assert done.returncode == 0
    assert [line.split("?")[0] for line in done.stdout.splitlines()] == [
        f"approved: Post {number}" for number in range(3)
    ]
    assert done.stderr.startswith("duvo: 3 approved, 2 left (not approvals; `duvo runs inbox")
    assert replies(fake_api) == [(run_id, {"approved": True}) for run_id in approvals]
    assert set(fake_api.pending) == {question, login, others}


def test_all_pending_as_json_prints_answered_requests_and_left_runs(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    (approval,) = asking(fake_api)
    question = fake_api.start()
    fake_api.ask(question, type="question", questions=[{"question": "Why?"}])
    arguments = ("--all-pending", "--agent", "Invoice approver", "--deny", "--json")
    document = json.loads(run_duvo_with_fake_api("runs", "respond", *arguments).stdout)
    assert [request["run_id"] for request in document["answered"]] == [approval]
    assert [left["run"]["id"] for left in document["left"]] == [question]
    assert replies(fake_api) == [(approval, {"approved": False})]


def test_all_pending_skips_a_request_that_was_answered_elsewhere(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    runs = asking(fake_api, 3)

    def answer_the_second(seen: ReceivedRequest) -> None:
        if seen.path.endswith("/respond"):
            fake_api.pending.pop(runs[1], None)

    fake_api.before = answer_the_second
    done = run_duvo_with_fake_api("runs", "respond", "--all-pending", "--agent", AGENT, "--approve")
    assert done.returncode == 0, done.stderr
    assert [run_id for run_id, _ in replies(fake_api)] == [runs[0], runs[2]]


def test_a_reply_that_comes_too_late_is_not_an_error(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    (run_id,) = asking(fake_api)

    def answer_it(seen: ReceivedRequest) -> None:
        if seen.path.endswith("/respond"):
            fake_api.end(run_id)

    fake_api.before = answer_it
    done = run_duvo_with_fake_api("runs", "respond", "--all-pending", "--agent", AGENT, "--approve")
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 approved, 0 left, 1 answered elsewhere" in done.stderr


def test_approvals_before_a_failure_are_reported(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    runs = asking(fake_api, 2)
    fake_api.before = lambda seen: (
        (403, {"error": "forbidden"}) if f"{runs[1]}/human" in seen.path else None
    )
    done = run_duvo_with_fake_api("runs", "respond", "--all-pending", "--agent", AGENT, "--approve")
    assert done.returncode == 1
    assert f"(run {runs[0]})" in done.stdout
    first, second = done.stderr.splitlines()
    assert first == "duvo: 1 approved, the rest left"
    assert "403" in second
