"""Pending human requests across runs: shown, answered one by one, answered all at once."""

from __future__ import annotations

import json
import uuid

import duvo
from tests.servers.fake_api import AGENT, Hosted, Seen
from tests.support.command import DUVO, Command, wait_for
from tests.support.pseudo_terminal import PseudoTerminal


def asking(hosted: Hosted, count: int = 1) -> list[str]:
    """Runs that each wait for an approval: `Post 0?`, `Post 1?`, …"""
    runs = [hosted.start() for _ in range(count)]
    for number, run_id in enumerate(runs):
        hosted.ask(run_id, title=f"Post {number}?", description="Total 12\x1b[31m")
    return runs


def answering(command: Command, *arguments: str) -> PseudoTerminal:
    return PseudoTerminal([DUVO, "runs", "inbox", "--answer", *arguments], command.environment)


def replies(hosted: Hosted) -> list[tuple[str, object]]:
    return [
        (seen.path.split("/")[3], seen.json)
        for seen in hosted.requests
        if seen.path.endswith("/respond")
    ]


def test_inbox_shows_age_agent_request_and_the_commands_that_answer(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    first, second = asking(hosted, 2)
    done = run_duvo_hosted("runs", "inbox")
    assert done.returncode == 0
    assert done.stdout.index(first) < done.stdout.index(second)
    head, title, description, approve = done.stdout.splitlines()[:4]
    assert head.startswith("waiting for ")
    assert head.endswith(f" · Invoice approver · run {first}")
    assert title == "  Post 0?"
    assert description == "  Total 12␛[31m"
    assert approve == f"  approve: duvo runs respond {first} --approve"


def test_inbox_as_json_is_one_document(hosted: Hosted, run_duvo_hosted: Command) -> None:
    assert json.loads(run_duvo_hosted("runs", "inbox", "--json").stdout) == {
        "data": [],
        "total": 0,
    }
    assert run_duvo_hosted("runs", "inbox").stdout == "no pending human requests\n"
    (run_id,) = asking(hosted)
    document = json.loads(run_duvo_hosted("runs", "inbox", "--json").stdout)
    run, request = hosted.runs[run_id], hosted.pending[run_id]
    assert document == {"data": [{"run": run, "pending_human_request": request}], "total": 1}


def test_inbox_can_be_limited_to_an_agent(run_duvo: Command, dev_client: duvo.Client) -> None:
    runs = [dev_client.runs.start(agent) for agent in ("Invoice approver", "Travel booker")]
    wait_for(lambda: all(run.refresh().pending_request for run in runs))
    out = run_duvo("runs", "inbox", "--agent", "Travel booker").stdout
    assert runs[1].id in out
    assert "[City] Where shall the trip go?" in out
    assert runs[0].id not in out


def test_answering_the_inbox_needs_a_terminal(hosted: Hosted, run_duvo_hosted: Command) -> None:
    asking(hosted)
    done = run_duvo_hosted("runs", "inbox", "--answer", input="y\n")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("duvo: --answer needs a terminal")
    assert len(done.stderr.splitlines()) == 1
    assert replies(hosted) == []


def test_requests_of_the_inbox_can_be_answered_or_skipped(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    runs = asking(hosted, 4)
    with answering(run_duvo_hosted) as tty:
        for number, keys in enumerate(("y\n", "s\n", "\n", "n\n")):
            tty.expect(f"run {runs[number]}")
            tty.expect(rf"Post {number}\?")
            tty.expect(r"Approve\? \[y/n\] ")
            tty.type(keys)
        tty.expect("2 answered, 2 left")
        assert tty.end() == 0
    assert replies(hosted) == [(runs[0], {"approved": True}), (runs[3], {"approved": False})]


def test_the_inbox_ends_on_q_and_on_the_end_of_input(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    asking(hosted, 2)
    for keys in ("q\n", "\x04"):
        with answering(run_duvo_hosted) as tty:
            tty.expect(r"Approve\? \[y/n\] ")
            tty.type(keys)
            tty.expect("0 answered")
            assert tty.end() == 0
            assert "Approve?" not in tty.seen
    assert replies(hosted) == []


def test_free_text_may_be_a_word_that_skips_other_prompts(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    run_id = hosted.start()
    questions = [{"question": "Which letter?"}, {"question": "And?", "options": [{"label": "q"}]}]
    hosted.ask(run_id, type="question", questions=questions)
    with answering(run_duvo_hosted) as tty:
        tty.expect("Answer: ")
        tty.type("s\n")
        tty.expect("Number: ")
        tty.type("q\n")
        tty.expect("1 answered, 0 left")
        assert tty.end() == 0
    assert replies(hosted) == [(run_id, {"answers": {"Which letter?": "s", "And?": "q"}})]


def test_the_inbox_reports_requests_that_were_answered_elsewhere(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    runs = asking(hosted, 3)
    with answering(run_duvo_hosted) as tty:
        tty.expect(r"Post 0\?")
        tty.expect(r"Approve\? \[y/n\] ")
        hosted.end(runs[0])
        hosted.end(runs[1])
        tty.type("y\n")
        tty.expect("the request was answered elsewhere")
        tty.expect(r"Post 2\?")
        tty.expect(r"Approve\? \[y/n\] ")
        hosted.end(runs[2])
        tty.expect("the request was answered elsewhere")
        tty.expect("0 answered, 0 left, 3 answered elsewhere")
        assert tty.end() == 0
    assert replies(hosted) == []


def test_the_inbox_shows_requests_of_unknown_types(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    hosted.ask(hosted.start(), type="login", title="Log in to the bank")
    with answering(run_duvo_hosted) as tty:
        tty.expect("Log in to the bank")
        tty.expect("in the web app")
        tty.expect("0 answered, 1 left")
        assert tty.end() == 0


def test_ctrl_c_ends_the_inbox_with_a_summary(hosted: Hosted, run_duvo_hosted: Command) -> None:
    first, _ = asking(hosted, 2)
    with answering(run_duvo_hosted) as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("y\n")
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("\x03")
        tty.expect("1 answered, 0 left")
        assert tty.end() == 130
        assert "Traceback" not in tty.seen
    assert replies(hosted) == [(first, {"approved": True})]


def test_all_pending_answers_only_the_approvals_of_the_agent(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    approvals = asking(hosted, 3)
    question, login, others = (
        hosted.start(),
        hosted.start(),
        hosted.start(agent_id=str(uuid.uuid4())),
    )
    hosted.ask(question, type="question", questions=[{"question": "Why?"}])
    hosted.ask(login, type="login")
    hosted.ask(others)
    done = run_duvo_hosted("runs", "respond", "--all-pending", "--agent", AGENT, "--approve")
    assert done.returncode == 0
    assert [line.split("?")[0] for line in done.stdout.splitlines()] == [
        f"approved: Post {number}" for number in range(3)
    ]
    assert done.stderr.startswith("duvo: 3 approved, 2 left (not approvals; `duvo runs inbox")
    assert replies(hosted) == [(run_id, {"approved": True}) for run_id in approvals]
    assert set(hosted.pending) == {question, login, others}


def test_all_pending_as_json_prints_answered_requests_and_left_runs(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    (approval,) = asking(hosted)
    question = hosted.start()
    hosted.ask(question, type="question", questions=[{"question": "Why?"}])
    arguments = ("--all-pending", "--agent", "Invoice approver", "--deny", "--json")
    document = json.loads(run_duvo_hosted("runs", "respond", *arguments).stdout)
    assert [request["run_id"] for request in document["answered"]] == [approval]
    assert [left["run"]["id"] for left in document["left"]] == [question]
    assert replies(hosted) == [(approval, {"approved": False})]


def test_all_pending_skips_a_request_that_was_answered_elsewhere(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    runs = asking(hosted, 3)

    def answer_the_second(seen: Seen) -> None:
        if seen.path.endswith("/respond"):
            hosted.pending.pop(runs[1], None)

    hosted.before = answer_the_second
    done = run_duvo_hosted("runs", "respond", "--all-pending", "--agent", AGENT, "--approve")
    assert done.returncode == 0, done.stderr
    assert [run_id for run_id, _ in replies(hosted)] == [runs[0], runs[2]]


def test_a_reply_that_comes_too_late_is_not_an_error(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    (run_id,) = asking(hosted)

    def answer_it(seen: Seen) -> None:
        if seen.path.endswith("/respond"):
            hosted.end(run_id)

    hosted.before = answer_it
    done = run_duvo_hosted("runs", "respond", "--all-pending", "--agent", AGENT, "--approve")
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 approved, 0 left, 1 answered elsewhere" in done.stderr


def test_approvals_before_a_failure_are_reported(hosted: Hosted, run_duvo_hosted: Command) -> None:
    runs = asking(hosted, 2)
    hosted.before = lambda seen: (
        (403, {"error": "forbidden"}) if f"{runs[1]}/human" in seen.path else None
    )
    done = run_duvo_hosted("runs", "respond", "--all-pending", "--agent", AGENT, "--approve")
    assert done.returncode == 1
    assert f"(run {runs[0]})" in done.stdout
    first, second = done.stderr.splitlines()
    assert first == "duvo: 1 approved, 0 left"
    assert "403" in second
