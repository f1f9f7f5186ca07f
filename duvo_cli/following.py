"""Following a run and waiting for its end: shared by `runs start`, `wait` and `messages`."""

from __future__ import annotations

import signal
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress

import duvo

from . import reader
from .detaching import at_engine_end, detached
from .errors import REQUEST_PENDING, TIMED_OUT, CommandFailed, worst
from .output import json, run_end
from .output.command_line import command_line
from .replying import options
from .time_limit import ends_at

TOTAL = "seconds for the whole command, which then exits with 124 and leaves runs running"
"""Help of `--timeout` where it limits the whole command."""


def deadline_after(seconds: float | None) -> float | None:
    """The time on `time.monotonic` after some seconds, or None for no limit."""
    return None if seconds is None else time.monotonic() + seconds


def left_until(deadline: float | None) -> float | None:
    """Seconds until a deadline, always above 0, or None for no limit."""
    return None if deadline is None else max(0.001, deadline - time.monotonic())


def find(
    client: duvo.Client, prefixes: list[str], args: Namespace, deadline: float | None
) -> list[duvo.Run]:
    """Return the runs that a command names, found until the deadline."""
    late = f"run {' '.join(prefixes)} was not found within {args.timeout or 0:g} s: try again"
    with ends_at(deadline, late):
        return list({run.id: run for run in map(client.runs.find, prefixes)}.values())


def follow(
    client: duvo.Client,
    run: duvo.Run,
    args: Namespace,
    deadline: float | None,
    *,
    after: str | None = None,
    offset: int = 0,
    last: int | None = None,
) -> int:
    """Show the run's messages until it ends and return the exit code."""
    begin = _options(after, offset, last)
    show = _printer(args)
    choice = options.on_request(client, args, deadline, shown=not args.json)
    with _detachable(run, args, begin):
        messages = run.messages(
            follow=True,
            after=after,
            offset=offset,
            last=last,
            timeout=left_until(deadline),
            on_request=choice,
            answers=args.answer,
        )
        try:
            with messages, reader.needed(messages):
                for message in messages:
                    with _interrupted_afterwards():
                        show(message)
                        # Once answered, a human request is not a message any more.
                        if not message.is_pending_request:
                            begin[:] = _options(message.id)
        except (duvo.WaitTimeout, duvo.HumanRequestPending) as error:
            raise _unfinished(run, error, args, begin, shown=not args.json) from None
    if args.json:
        json.print_line(run.to_dict())
    run_end.say_end(run)
    return run_end.exit_code(run) if args.exit_status else 0


def wait(client: duvo.Client, run: duvo.Run, args: Namespace, deadline: float | None) -> int:
    """Wait for the run's end, print its answer and return the exit code."""
    choice = options.on_request(client, args, deadline, shown=False)
    try:
        with _detachable(run, args):
            run.wait(timeout=left_until(deadline), on_request=choice, answers=args.answer)
    except (duvo.WaitTimeout, duvo.HumanRequestPending) as error:
        if args.json:
            run_end.print_document(run)
        raise _unfinished(run, error, args, shown=False) from None
    if args.json:
        run_end.print_document(run)
    elif run.status == "completed":
        run_end.print_answer(run)
    if run.status != "completed":
        run_end.say_end(run)
    return run_end.exit_code(run)


def wait_for_all(
    client: duvo.Client, runs: list[duvo.Run], args: Namespace, deadline: float | None
) -> int:
    """Wait for the end of several runs, print each when it ends, and return the exit code."""
    choice = options.on_request(client, args, deadline, shown=False)
    left = {run.id: run for run in runs}
    codes = []
    try:
        with _showing_status(lambda: f"{len(left)} of {len(runs)} runs are not finished"):
            for run in client.runs.as_completed(
                runs, timeout=left_until(deadline), on_request=choice, answers=args.answer
            ):
                codes.append(run_end.exit_code(run))
                if args.json:
                    # A list has other fields of a run than a wait for one run prints.
                    with suppress(duvo.DuvoError, CommandFailed), ends_at(deadline, ""):
                        run.refresh()
                    json.print_line(run_end.document(run))
                    del left[run.id]
                    continue
                del left[run.id]
                run_end.say_end(run)
                if run.status == "completed":
                    run_end.print_answer(run)
    except duvo.WaitTimeout as error:
        again = command_line(args, "runs", "wait", *left)
        if not error.was_read:
            raise CommandFailed(f"{error} with `{again}`", TIMED_OUT) from None
        late = f"{len(left)} of {len(runs)} runs did not end within {args.timeout:g} s"
        outcome = at_engine_end(args, many=True)
        if outcome is not None:
            raise CommandFailed(f"{late}; they {outcome}", TIMED_OUT) from None
        text = f"{late} and continue; wait again with:"
        raise CommandFailed(text, TIMED_OUT, commands=[again]) from None
    except duvo.HumanRequestPending as error:
        raise _unfinished(error.run, error, args, shown=False) from None
    except KeyboardInterrupt:
        again = command_line(args, "runs", "wait", *left)
        raise detached(args, "the runs", "wait again with:", [again], many=True) from None
    return worst(codes)


def _printer(args: Namespace) -> Callable[[duvo.Message], None]:
    if args.json:
        return lambda message: json.print_line(message.to_dict())
    from .output import conversation

    return conversation.printer(args)


def _unfinished(
    run: duvo.Run,
    error: duvo.WaitTimeout | duvo.HumanRequestPending,
    args: Namespace,
    begin: Sequence[str] = (),
    *,
    shown: bool,
) -> CommandFailed:
    if isinstance(error, duvo.WaitTimeout):
        if not error.was_read:
            again = command_line(args, "runs", "wait", run.id)
            return CommandFailed(f"{error} with `{again}`", TIMED_OUT)
        within = f"within {args.timeout:g} s"
        outcome = at_engine_end(args)
        if outcome is not None:
            return CommandFailed(f"run {run.id} did not end {within}; it {outcome}", TIMED_OUT)
        status = run_end.if_known(run, "status")
        if status == "waiting":
            text = f"run {run.id} waits for a human, and was not answered {within}; to continue:"
        elif status is None:
            text = f"run {run.id} was not seen to end {within}; to follow or stop it:"
        else:
            text = f"run {run.id} did not end {within} and continues; to follow or stop it:"
        return CommandFailed(text, TIMED_OUT, commands=_next_steps(run, args, begin))
    if error.request is not None and not shown:
        options.show(error.request, args)
    return CommandFailed(
        f"run {run.id} is waiting for a human, and nothing here can answer", REQUEST_PENDING
    )


def _options(after: str | None, offset: int = 0, last: int | None = None) -> list[str]:
    """The options of `runs messages` that begin there."""
    if after is not None:
        return ["--after", after]
    if last is not None:
        return ["--tail", str(last)]
    return ["--offset", str(offset)] if offset else []


def _next_steps(run: duvo.Run, args: Namespace, begin: Sequence[str]) -> list[str]:
    """The commands that follow the run and stop it."""
    return [
        command_line(args, "runs", "messages", run.id, "--follow", *begin),
        command_line(args, "runs", "stop", run.id),
    ]


def _showing_status(describe: Callable[[], str]) -> AbstractContextManager[object]:
    from .output.live import StatusLine

    return StatusLine(describe)


@contextmanager
def _interrupted_afterwards() -> Iterator[None]:
    """Let Ctrl-C wait for the end of a block; a second one does not.

    It may come when a message is on the screen, and that is not noted yet.
    """
    pressed = False

    def handle(number: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt


@contextmanager
def _detachable(run: duvo.Run, args: Namespace, begin: Sequence[str] = ()) -> Iterator[None]:
    """Show the run's status during a block, in which Ctrl-C leaves it running.

    `begin` are the options of `runs messages` that continue from there.
    """

    def describe() -> str:
        return f"run {run.id[:8]} {run_end.if_known(run, 'status') or ''}".rstrip()

    try:
        with _showing_status(describe):
            yield
    except KeyboardInterrupt:
        steps = _next_steps(run, args, begin)
        raise detached(args, f"run {run.id}", "to follow or stop it:", steps) from None
