"""`duvo serve`, as the installed command."""

from __future__ import annotations

import os
import platform
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

import duvo
from tests.servers.postgresql import NOBODY
from tests.servers.serve_process import KEY, OTHER, ServeProcess
from tests.support.command import Command, wait_for

Start = Callable[..., ServeProcess]

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of these tests."""
    return trustme.CA()


@pytest.fixture
def pair(authority: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    """The files of a certificate of that authority and of its key."""
    return write_pair(authority, tmp_path)


def write_pair(authority: trustme.CA, folder: Path) -> tuple[str, str]:
    made = authority.issue_cert("127.0.0.1", "localhost", "::1")
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(str(files[1]))
    return str(files[0]), str(files[1])


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on stderr of a command that did not begin to serve."""
    assert (done.stdout, done.returncode) == ("", 1), done
    assert done.stderr.startswith("duvo: ")
    assert len(done.stderr.splitlines()) == 1
    for key in (KEY, OTHER):
        assert key not in done.stderr
    return done.stderr


def test_serve_offers_the_agents_of_the_files_to_every_key(serve: Start) -> None:
    served = serve()
    assert set(served.printed) == {"base_url", "team_id", "database", "agents"}
    assert [agent["name"] for agent in served.printed["agents"]] == ["Greeter", "Asker"]
    assert served.printed["database"].endswith("serve.sqlite")
    for key in (KEY, OTHER):
        with duvo.Client(key, served.base_url) as client:
            run = client.runs.start("Greeter", "world")
            assert run.wait(timeout=20).answer == "Hello, world"
    for wrong in (KEY[:-1], KEY + "x", "# of the batch", ""):
        assert served.api(wrong).send("GET", "/v2/teams").status_code == 401
    code, errors = served.end()
    assert code == 0
    assert re.fullmatch(rf"{TIME} stopping; unfinished runs stay as they are\n", errors)


def test_serve_prints_its_address_and_writes_neither_profile_nor_key(
    run_duvo_unconfigured: Command, agents_to_serve: str, keys_file: Path
) -> None:
    process = run_duvo_unconfigured.start(
        "serve", agents_to_serve, "--keys-file", str(keys_file), "--port", "0"
    )
    assert process.stdout is not None
    text = "".join(iter(process.stdout.readline, "Ctrl-C stops it; SIGHUP reloads the keys.\n"))
    process.terminate()
    out, errors = process.communicate(timeout=20)
    assert re.search(r"^Address   http://127\.0\.0\.1:\d+$", text, re.MULTILINE)
    assert re.search(rf"^Keys      {re.escape(str(keys_file))}$", text, re.MULTILINE)
    assert re.search(r"^Database  .*serve\.sqlite$", text, re.MULTILINE)
    assert re.search(r"^Greeter +greets$", text, re.MULTILINE)
    assert KEY not in text + out + errors
    assert not Path(os.environ["DUVO_CONFIG_DIR"]).exists()
    files = [file for file in Path(os.environ["DUVO_STATE_DIR"]).rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if file.suffix == ".key"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.long
@pytest.mark.parametrize(
    ("owner", "mode"),
    [(0, 0o644), (0, 0o444), (0, 0o604), (0, 0o620), (NOBODY, 0o640), (NOBODY, 0o604)],
)
def test_a_keys_file_that_others_can_access_is_refused(
    owner: int, mode: int, run_duvo_unconfigured: Command, agents_to_serve: str, keys_file: Path
) -> None:
    if os.getuid() == 0:
        os.chown(keys_file, owner, -1)
    keys_file.chmod(mode)
    done = run_duvo_unconfigured("serve", agents_to_serve, "--keys-file", str(keys_file))
    assert f"chmod 600 {keys_file}" in (line := refused(done))
    assert "defaultMode: 0440" in line


@pytest.mark.long
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to root")
@pytest.mark.parametrize("mode", [0o440, 0o640])
def test_keys_of_root_that_only_the_group_may_read_are_accepted(
    mode: int, serve: Start, keys_file: Path, tmp_path: Path
) -> None:
    # As Kubernetes mounts a secret: a link to a file of root, read by the pod's group.
    secret = keys_file.rename(tmp_path / "..data")
    keys_file.symlink_to(secret)
    os.chown(secret, 0, NOBODY)
    secret.chmod(mode)
    assert serve().api().send("GET", "/v2/teams").status_code == 200


@pytest.mark.long
def test_keys_may_come_through_a_pipe(
    run_duvo_unconfigured: Command, agents_to_serve: str, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    process = run_duvo_unconfigured.start(
        "serve", agents_to_serve, "--keys-file", str(pipe), "--port", "0", "--json"
    )
    try:
        with pipe.open("w") as writer:
            writer.write(f"{KEY}\n")
            writer.flush()
            writer.write(f"{OTHER}\n")
        served = ServeProcess(process)
        for key in (KEY, OTHER):
            assert served.api(key).send("GET", "/v2/teams").status_code == 200
        assert served.end()[0] == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.long
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "holds no key"),
        (b"# nothing\n\n", "holds no key"),
        (KEY.encode() + b"\nshort\n", "line 2: the key is too short; it must have 16"),
        (b"\n" + KEY.encode() + b" and more\n", "line 2: a key has letters"),
        (KEY.encode() + b"\n" + OTHER.encode() + b"\xff\n", "line 2: a key has letters"),
        (KEY.encode() + b"\0\n", "line 1: a key has letters"),
    ],
)
def test_a_bad_keys_file_is_one_line_without_the_key(
    content: bytes | None,
    says: str,
    run_duvo_unconfigured: Command,
    agents_to_serve: str,
    keys_file: Path,
) -> None:
    if content is None:
        keys_file.unlink()
    else:
        keys_file.write_bytes(content)
    line = refused(run_duvo_unconfigured("serve", agents_to_serve, "--keys-file", str(keys_file)))
    assert says in line
    assert str(keys_file) in line
    assert "short\n" not in line


@pytest.mark.long
def test_a_directory_or_a_device_is_not_a_keys_file(
    run_duvo_unconfigured: Command, agents_to_serve: str, tmp_path: Path
) -> None:
    for name, says in (("/dev/null", "not a file"), (str(tmp_path), "Is a directory")):
        done = run_duvo_unconfigured("serve", agents_to_serve, "--keys-file", name)
        assert says in refused(done)


@pytest.mark.long
def test_an_empty_or_a_public_pipe_is_refused(
    run_duvo_unconfigured: Command, agents_to_serve: str, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    for mode, says in ((0o600, "holds no key"), (0o622, "chmod 600")):
        os.mkfifo(pipe)
        pipe.chmod(mode)
        process = run_duvo_unconfigured.start(
            "serve", agents_to_serve, "--keys-file", str(pipe), "--port", "0"
        )
        pipe.open("w").close()
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 1
        assert says in errors
        assert len(errors.splitlines()) == 1
        pipe.unlink()


def test_sighup_reloads_the_keys_unless_they_are_bad(serve: Start, keys_file: Path) -> None:
    served = serve()
    old, new = served.api(KEY), served.api("dv_new_0123456789abcdef")
    assert old.send("GET", "/v2/teams").status_code == 200
    keys_file.write_text("dv_new_0123456789abcdef\n")
    assert new.send("GET", "/v2/teams").status_code == 401
    served.process.send_signal(signal.SIGHUP)
    assert "reloaded the keys" in served.next_error_line()
    assert new.send("GET", "/v2/teams").status_code == 200
    assert old.send("GET", "/v2/teams").status_code == 401
    for content, mode in (("", 0o600), ("dv_third_0123456789abcdef", 0o644)):
        keys_file.write_text(content)
        keys_file.chmod(mode)
        served.process.send_signal(signal.SIGHUP)
        line = served.next_error_line()
        assert str(keys_file) in line
        assert "keeping the keys as before" in line
        assert "third" not in line
        assert new.send("GET", "/v2/teams").status_code == 200
    assert served.end()[0] == 0


@pytest.mark.long
def test_plain_http_to_other_machines_needs_insecure(
    run_duvo_unconfigured: Command, agents_to_serve: str, keys_file: Path, serve: Start
) -> None:
    for host in ("0.0.0.0", "::"):
        done = run_duvo_unconfigured(
            "serve", agents_to_serve, "--keys-file", str(keys_file), "--host", host, "--port", "0"
        )
        line = refused(done)
        assert host in line
        assert "--tls-cert" in line
        assert "--insecure" in line
    served = serve("--host", "0.0.0.0", "--insecure")
    assert served.base_url.startswith("http://127.0.0.1:")
    headers = {"Host": "agents.example.com"}
    api = served.api()
    assert api.send("GET", "/v2/teams", headers=headers).status_code == 200
    assert api.send("GET", "/v2/teams", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 200
    for origin in ("https://evil.example", "null", "https://agents.example.com.evil.example"):
        answer = api.send("GET", "/v2/teams", headers={**headers, "Origin": origin})
        assert answer.status_code == 403
    own = {**headers, "Origin": "https://agents.example.com"}
    assert api.send("GET", "/v2/teams", headers=own).status_code == 200
    assert requests.get(f"{served.base_url}/health", headers=headers, timeout=5).status_code == 200
    assert requests.get(f"{served.base_url}/metrics", timeout=5).status_code == 401
    assert api.send("GET", "/metrics").status_code == 200


@pytest.mark.long
def test_requests_for_another_host_are_refused_on_loopback(serve: Start) -> None:
    served = serve()
    for path in ("/v2/teams", "/metrics"):
        answer = served.api().send("GET", path, headers={"Host": "evil.example"})
        assert answer.status_code == 403


@pytest.mark.long
def test_serve_uses_tls_and_reloads_the_certificate(
    serve: Start,
    pair: tuple[str, str],
    authority: trustme.CA,
    tmp_path: Path,
    run_duvo_unconfigured: Command,
) -> None:
    served = serve("--host", "0.0.0.0", "--tls-cert", pair[0], "--tls-key", pair[1])
    assert served.base_url.startswith("https://127.0.0.1:")
    ca_file = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(ca_file)
    settings = {"DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": served.base_url, "SSL_CERT_FILE": ca_file}
    done = run_duvo_unconfigured(
        "runs", "start", "--agent", "Greeter", "--message", "you", "--wait", **settings
    )
    assert done.stdout == "Hello, you\n", done.stderr
    assert run_duvo_unconfigured("whoami", **{**settings, "SSL_CERT_FILE": ""}).returncode == 1
    plain = f"http{served.base_url[5:]}/health"
    with pytest.raises(requests.ConnectionError):
        requests.get(plain, timeout=5)
    # New connections get the renewed certificate.
    newer = trustme.CA()
    write_pair(newer, tmp_path)
    served.process.send_signal(signal.SIGHUP)
    assert "reloaded the keys" in served.next_error_line()
    assert run_duvo_unconfigured("whoami", **settings).returncode == 1
    newer.cert_pem.write_to_path(ca_file)
    assert run_duvo_unconfigured("whoami", **settings).returncode == 0
    key = Path(pair[1]).read_bytes()
    write_pair(newer, tmp_path)
    Path(pair[1]).write_bytes(key)
    served.process.send_signal(signal.SIGHUP)
    assert "keeping the keys and the certificate as before" in served.next_error_line()
    assert run_duvo_unconfigured("whoami", **settings).returncode == 0


@pytest.mark.long
def test_a_bad_certificate_or_key_is_one_line(
    run_duvo_unconfigured: Command,
    agents_to_serve: str,
    keys_file: Path,
    pair: tuple[str, str],
    tmp_path: Path,
) -> None:
    def serving_with(cert: str, key: str) -> str:
        return refused(
            run_duvo_unconfigured(
                "serve",
                agents_to_serve,
                "--keys-file",
                str(keys_file),
                "--tls-cert",
                cert,
                "--tls-key",
                key,
            )
        )

    cert, key = pair
    other = tmp_path / "other.pem"
    trustme.CA().issue_cert("x.example").private_key_pem.write_to_path(str(other))
    secret = tmp_path / "secret.pem"
    subprocess.run(
        ["openssl", "rsa", "-aes256", "-passout", "pass:secret", "-out", str(secret)],
        input=trustme.CA(key_type=trustme.KeyType.RSA).private_key_pem.bytes(),
        check=True,
        capture_output=True,
    )
    assert "not a certificate and its key" in serving_with(cert, str(other))
    assert "not a certificate and its key" in serving_with(agents_to_serve, key)
    assert "nowhere.pem: cannot be read" in serving_with(cert, str(tmp_path / "nowhere.pem"))
    assert "passphrase" in serving_with(cert, str(secret))
    done = run_duvo_unconfigured(
        "serve", agents_to_serve, "--keys-file", str(keys_file), "--tls-cert", cert
    )
    assert "go together" in refused(done)


@pytest.mark.long
@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
        ("localhost", None),
        ("127.0.0.2", "127.0.0.2"),
        ("127.0.1.1", "127.0.1.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_hosts_can_be_names_and_any_loopback_addresses(
    host: str, address: str | None, serve: Start
) -> None:
    served = serve("--host", host)
    assert served.api().send("GET", "/v2/teams").status_code == 200
    if address:
        assert served.base_url.startswith(f"http://{address}:")
    port = served.base_url.rpartition(":")[2]
    for name, status in ((f"127.5.5.5:{port}", 200), ("127.0.0.1.evil.example", 403)):
        for headers in ({"Host": name}, {"Origin": f"http://{name}"}):
            assert served.api().send("GET", "/v2/teams", headers=headers).status_code == status


@pytest.mark.long
def test_an_unusable_address_is_one_line_that_names_it_and_the_flag(
    run_duvo_unconfigured: Command, agents_to_serve: str, keys_file: Path
) -> None:
    def error_of(*arguments: str) -> str:
        return refused(
            run_duvo_unconfigured(
                "serve", agents_to_serve, "--keys-file", str(keys_file), *arguments
            )
        )

    for host in ("192.0.2.1", "no-such-host.invalid", "", "a" * 300):
        line = error_of("--host", host, "--insecure", "--port", "0")
        assert "--host" in line
        assert host in line
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = error_of("--port", port)
    assert port in line
    assert "127.0.0.1" in line
    assert "--port" in line
    assert "--port: '70000' is above 65535" in error_of("--port", "70000")
    assert "--keys-file" in refused(run_duvo_unconfigured("serve", agents_to_serve))
    assert "FILE.py" in refused(run_duvo_unconfigured("serve", "--keys-file", str(keys_file)))


@pytest.mark.long
def test_metrics_count_runs_messages_and_requests(serve: Start) -> None:
    served = serve()
    api = served.api()
    done, waiting = api.start("Greeter", "you"), api.start("Asker")
    api.wait_for_end(done)
    api.wait_for_request(waiting)
    api.send("GET", "/v2/nowhere")
    api.send("BREW", "/v2/teams")
    path = f"/v2/runs/{waiting}/messages?offset=99&wait=20"
    held = threading.Thread(target=served.api().get, args=(path,))
    held.start()
    wait_for(lambda: served.metrics()["duvo_long_polls_held",] == 1)
    metrics = served.metrics()
    assert metrics["duvo_runs", "completed"] == metrics["duvo_runs", "waiting"] == 1
    assert metrics["duvo_runs", "failed"] == 0
    assert metrics["duvo_runs_started_total",] == 2
    assert metrics["duvo_runs_ended_total", "completed"] == 1
    assert metrics["duvo_runs_ended_total", "failed"] == 0
    messages = len(api.conversation(done)) + len(api.conversation(waiting))
    assert metrics["duvo_messages_appended_total",] == messages
    assert metrics["duvo_turns_running",] == 1
    assert metrics["duvo_database_up",] == 1
    assert metrics["duvo_build_info", platform.python_version(), duvo.__version__] == 1
    path = "/v2/teams/{team_id}/runs"
    assert metrics["duvo_http_requests_total", "POST", path, "201"] == 2
    assert metrics["duvo_http_requests_total", "GET", "other", "404"] == 1
    assert metrics["duvo_http_requests_total", "other", "/v2/teams", "405"] == 1
    assert metrics["duvo_http_request_duration_seconds_count", "POST", path] == 2
    assert not [name for name in metrics if waiting in str(name)]
    api.stop(waiting)
    held.join()
    wait_for(lambda: served.metrics()["duvo_long_polls_held",] == 0)


def end_while_a_poll_is_held(
    served: ServeProcess, number: signal.Signals
) -> tuple[str, list[tuple[int, str]]]:
    """Send a signal, check how the server ends, and return a waiting run and what /health said."""
    api = served.api()
    run_id = api.start("Asker")
    api.wait_for_request(run_id)
    total = len(api.conversation(run_id))
    answers: list[Any] = []

    def hold() -> None:
        path = f"/v2/runs/{run_id}/messages?offset={total}&wait=25"
        answers.append(served.api().get(path))

    holding = threading.Thread(target=hold)
    holding.start()
    wait_for(lambda: served.metrics()["duvo_long_polls_held",] == 1)
    began = time.monotonic()
    seen: list[tuple[int, str]] = []

    def look() -> bool:
        try:
            answer = requests.get(f"{served.base_url}/health", timeout=5)
        except requests.RequestException:
            return True
        seen.append((answer.status_code, answer.text))
        return False

    served.process.send_signal(number)
    wait_for(look)
    _, errors = served.process.communicate(timeout=20)
    # The held poll alone would take 25 s.
    assert time.monotonic() - began < 15
    assert served.process.returncode == 0
    assert "Traceback" not in errors
    holding.join()
    assert answers == [{"messages": [], "total": total, "limit": 20, "offset": total}]
    return run_id, seen


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_serve_after_held_polls_are_answered(
    number: signal.Signals, serve: Start
) -> None:
    leaving = (503, '{"status":"unavailable","reason":"the server is shutting down"}')
    for _ in range(5):  # a busy machine may look too late, when the port is closed
        run_id, seen = end_while_a_poll_is_held(serve(), number)
        if leaving in seen:
            break
    assert leaving in seen
    api = serve().api()
    assert api.status(run_id) == "waiting"
    api.respond(run_id, api.wait_for_request(run_id)["id"], approved=True)
    assert api.wait_for_end(run_id)["run"]["status"] == "completed"
    assert api.texts(run_id) == ["went on"]
