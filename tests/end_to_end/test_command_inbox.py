"""What waits for a human across runs: shown, taken one after the other, answered all at once."""

from __future__ import annotations

import json
import uuid

import duvo
from tests.servers.fake_api import AGENT, Hosted, Seen
from tests.support.command import DUVO, Command, wait_for
from tests.support.pseudo_terminal import PseudoTerminal


def asking(hosted: Hosted, count: int = 1) -> list[str]:
    """Runs that wait for an approval each: `Post 0?`, `Post 1?`, …"""
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


def test_inbox_shows_what_is_asked_since_when_by_whom_and_how_to_answer(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    first, second = asking(hosted, 2)
    done = run_duvo_hosted("runs", "inbox")
    assert done.returncode == 0
    assert done.stdout.index(first) < done.stdout.index(second)
    head, title, description, approve = done.stdout.splitlines()[:4]
    assert head.startswith("waits for ")
    assert head.endswith(f" · Invoice approver · run {first}")
    assert title == "  Post 0?"
    assert description == "  Total 12␛[31m"
    assert approve == f"  approve: duvo runs respond {first} --approve"


def test_inbox_in_json_is_one_document(hosted: Hosted, run_duvo_hosted: Command) -> None:
    assert json.loads(run_duvo_hosted("runs", "inbox", "--json").stdout) == {
        "data": [],
        "total": 0,
    }
    assert run_duvo_hosted("runs", "inbox").stdout == "nothing waits for a human\n"
    (run_id,) = asking(hosted)
    told = json.loads(run_duvo_hosted("runs", "inbox", "--json").stdout)
    run, request = hosted.runs[run_id], hosted.pending[run_id]
    assert told == {"data": [{"run": run, "pending_human_request": request}], "total": 1}


def test_inbox_of_an_agent(run_duvo: Command, dev_client: duvo.Client) -> None:
    runs = [dev_client.runs.start(agent) for agent in ("Invoice approver", "Travel booker")]
    wait_for(lambda: all(run.refresh().pending_request for run in runs))
    told = run_duvo("runs", "inbox", "--agent", "Travel booker").stdout
    assert runs[1].id in told
    assert "[City] Where shall the trip go?" in told
    assert runs[0].id not in told


def test_answer_needs_a_terminal(hosted: Hosted, run_duvo_hosted: Command) -> None:
    asking(hosted)
    done = run_duvo_hosted("runs", "inbox", "--answer", input="y\n")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("duvo: --answer needs a terminal")
    assert len(done.stderr.splitlines()) == 1
    assert replies(hosted) == []


def test_answer_takes_one_after_the_other_and_skips(
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


def test_answer_quits_by_a_word_and_by_the_end_of_input(
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


def test_an_answer_in_text_may_be_a_word_that_skips_elsewhere(
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


def test_answer_tells_when_somebody_else_was_first(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    runs = asking(hosted, 3)
    with answering(run_duvo_hosted) as tty:
        tty.expect(r"Post 0\?")
        tty.expect(r"Approve\? \[y/n\] ")
        hosted.end(runs[0])
        hosted.end(runs[1])
        tty.type("y\n")
        tty.expect("somebody else has answered")
        tty.expect(r"Post 2\?")
        tty.expect(r"Approve\? \[y/n\] ")
        hosted.end(runs[2])
        tty.expect("somebody else has answered")
        tty.expect("0 answered, 0 left, 3 answered by somebody else meanwhile")
        assert tty.end() == 0
    assert replies(hosted) == []


def test_answer_shows_kinds_that_it_does_not_know(hosted: Hosted, run_duvo_hosted: Command) -> None:
    hosted.ask(hosted.start(), type="login", title="Log in to the bank")
    with answering(run_duvo_hosted) as tty:
        tty.expect("Log in to the bank")
        tty.expect("in the web app")
        tty.expect("0 answered, 1 left")
        assert tty.end() == 0


def test_ctrl_c_ends_the_inbox_and_tells_what_was_answered(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
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


def test_all_pending_answers_the_approvals_of_that_agent_alone(
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
    assert done.stderr.startswith("duvo: 3 approved, 2 left (no approvals; `duvo runs inbox")
    assert replies(hosted) == [(run_id, {"approved": True}) for run_id in approvals]
    assert set(hosted.pending) == {question, login, others}


def test_all_pending_in_json_is_what_was_answered_and_what_was_left(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    (approval,) = asking(hosted)
    question = hosted.start()
    hosted.ask(question, type="question", questions=[{"question": "Why?"}])
    arguments = ("--all-pending", "--agent", "Invoice approver", "--deny", "--json")
    told = json.loads(run_duvo_hosted("runs", "respond", *arguments).stdout)
    assert [one["run_id"] for one in told["answered"]] == [approval]
    assert [one["run"]["id"] for one in told["left"]] == [question]
    assert replies(hosted) == [(approval, {"approved": False})]


def test_one_that_was_answered_meanwhile_is_no_error(
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


def test_a_reply_that_comes_a_moment_too_late_is_no_error(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    (run_id,) = asking(hosted)

    def answer_it(seen: Seen) -> None:
        if seen.path.endswith("/respond"):
            hosted.end(run_id)

    hosted.before = answer_it
    done = run_duvo_hosted("runs", "respond", "--all-pending", "--agent", AGENT, "--approve")
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 approved, 0 left, 1 answered by somebody else meanwhile" in done.stderr


def test_what_was_approved_before_a_failure_is_told(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
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
