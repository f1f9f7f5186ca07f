"""`duvo serve` as a service: options from the environment, and reports to systemd."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.serve_process import running_serve
from tests.support.command import Command, wait_for

PRINTER = """
import os, subprocess, sys
from duvo.local import agent

@agent("Printer")
async def printer(run):
    program = "import os; print(os.environ.get('NOTIFY_SOCKET'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    await run.say(done.stdout.strip())
"""


@pytest.fixture(params=["a file", "an abstract address"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """A socket that receives the reports to a service manager."""
    name = str(tmp_path / "notify") if request.param == "a file" else f"\0duvo-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name)
        receiver.settimeout(60)
        yield receiver


def address_of(manager: socket.socket) -> str:
    name = manager.getsockname()
    return name if isinstance(name, str) else "@" + name[1:].decode()


@pytest.fixture
def settings(keys_file: Path, tmp_path: Path) -> dict[str, str]:
    """Variables in place of options."""
    return {
        "DUVO_SERVE_KEYS_FILE": str(keys_file),
        "DUVO_SERVE_DATABASE": str(tmp_path / "named.sqlite"),
        "DUVO_SERVE_PORT": "0",
        "DUVO_SERVE_QUIET": "1",
    }


@pytest.fixture
def printer(tmp_path: Path) -> str:
    """A file with an agent that says what NOTIFY_SOCKET is in a program that it runs."""
    file = tmp_path / "printer.py"
    file.write_text(PRINTER)
    return str(file)


@pytest.mark.long
def test_ready_is_reported_once_the_api_answers_and_stopping_at_the_end(
    manager: socket.socket,
    settings: dict[str, str],
    printer: str,
    run_duvo_unconfigured: Command,
) -> None:
    settings["NOTIFY_SOCKET"] = address_of(manager)
    with running_serve(run_duvo_unconfigured, printer, **settings) as served:
        assert served.printed["database"].endswith("named.sqlite")
        assert manager.recv(100) == b"READY=1"
        wait_for(lambda: served.health()[0] == 200)
        run_id = served.api().start("Printer")
        served.api().wait_for_text(run_id, "None")
        # Reading the keys again is not a start or an end.
        served.process.send_signal(signal.SIGHUP)
        assert "reloaded" in served.next_error_line()
        served.process.send_signal(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"
        assert served.process.wait(20) == 0


@pytest.mark.long
@pytest.mark.parametrize("address", ["/nowhere/notify", "@nobody-listens", "vsock:2:1", "relative"])
def test_a_report_that_fails_is_one_line_and_the_server_serves(
    address: str, settings: dict[str, str], printer: str, run_duvo_unconfigured: Command
) -> None:
    settings["NOTIFY_SOCKET"] = address
    with running_serve(run_duvo_unconfigured, printer, **settings) as served:
        wait_for(lambda: served.health()[0] == 200)
        line = served.next_error_line()
        assert "cannot report READY=1" in line
        assert address in line
        code, errors = served.end()
        assert code == 0
        assert "cannot report STOPPING=1" in errors


@pytest.mark.long
def test_a_manager_that_does_not_read_does_not_keep_the_server_from_serving(
    settings: dict[str, str], printer: str, tmp_path: Path, run_duvo_unconfigured: Command
) -> None:
    name = str(tmp_path / "full")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    sender.sendto(b"x", name)
        settings["NOTIFY_SOCKET"] = name
        with running_serve(run_duvo_unconfigured, printer, **settings) as served:
            wait_for(lambda: served.health()[0] == 200)
            assert "timed out" in served.next_error_line()


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("PORT", "http", "DUVO_SERVE_PORT: 'http' is not a whole number"),
        ("HOST", "no-such-host.invalid", "'no-such-host.invalid' is not an address"),
        ("DATABASE", "mysql://localhost/x", "mysql"),
        ("KEYS_FILE", "/nowhere/keys", "/nowhere/keys: the keys cannot be read"),
        ("TLS_CERT", "cert.pem", "--tls-cert and --tls-key go together"),
        ("INSECURE", "perhaps", "DUVO_SERVE_INSECURE: 'perhaps' is neither 1 nor 0"),
    ],
)
def test_a_bad_variable_is_one_line_that_names_it(
    variable: str,
    value: str,
    says: str,
    settings: dict[str, str],
    printer: str,
    run_duvo_unconfigured: Command,
) -> None:
    name = f"DUVO_SERVE_{variable}"
    done = run_duvo_unconfigured("serve", printer, **{**settings, name: value})
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert says in line
    assert name in line


def test_no_variable_is_named_when_none_is_set(
    keys_file: Path, printer: str, run_duvo_unconfigured: Command
) -> None:
    arguments = ["serve", printer, "--keys-file", str(keys_file), "--host", "x.invalid"]
    done = run_duvo_unconfigured(*arguments)
    assert done.returncode == 1
    assert "environment" not in done.stderr
