"""The files and names on the page about several machines are correct."""

from __future__ import annotations

import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from duvo_cli import parser, registry
from tests.servers.serve_process import ServeProcess
from tests.support.command import DUVO

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "several-machines.md").read_text()
UNIT = (DOCS / "duvo.service").read_text()


@pytest.fixture
def services() -> dict[str, Any]:
    """The services of the Compose file."""
    made = yaml.safe_load((DOCS / "compose.yaml").read_text())
    for service in made["services"].values():
        assert set(service.get("secrets", [])) <= set(made["secrets"])
    assert all(f"./secrets/{name}" == item["file"] for name, item in made["secrets"].items())
    found = made["services"]
    assert isinstance(found, dict)
    return found


def accepted(words: list[str]) -> Any:
    """Parse the arguments of a `duvo serve` command."""
    command, _, arguments = registry.find(words[1:])
    assert command == "serve"
    return parser.parser_of("serve").parse(arguments)


def test_the_commands_of_the_compose_file_are_accepted(
    services: dict[str, Any],
) -> None:
    assert set(services) == {"server-1", "server-2", "balancer", "database"}
    for name in ("server-1", "server-2"):
        args = accepted(services[name]["command"])
        assert args.keys_file == "/run/secrets/keys"
        assert args.database == "postgresql://duvo@database/duvo"
        assert services[name]["volumes"][0].endswith(f":{args.files[0]}:ro")
        assert (args.host, args.insecure) == ("0.0.0.0", True)
    settings = (DOCS / "haproxy.cfg").read_text()
    assert re.findall(r"^ +server \w+ (\S+)$", settings, re.MULTILINE) == [
        "server-1:7411",
        "server-2:7411",
    ]


def test_the_systemd_unit_has_options_that_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in re.findall(r"^Environment=(.*)$", UNIT, re.MULTILINE):
        monkeypatch.setenv(*setting.split("=", 1))
    (command,) = re.findall(r"^ExecStart=/opt/duvo/bin/(.*)$", UNIT, re.MULTILINE)
    args = accepted(shlex.split(command))
    named = set(re.findall(r"DUVO_SERVE_\w+", UNIT))
    assert set(args.variables) == named
    assert (args.host, args.database) == ("10.0.0.11", "postgresql://duvo@db.internal/duvo")


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    unit = tmp_path / "duvo.service"
    unit.write_text(UNIT.replace("/opt/duvo/bin/duvo", DUVO))
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_secrets_that_the_page_creates_are_private(tmp_path: Path) -> None:
    (script,) = re.findall(r"^```sh\n(.*?)^cd ", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "docs").mkdir()
    made = trustme.CA().issue_cert("api.example.com")
    for name, blob in (("chain", made.cert_chain_pems[0]), ("key", made.private_key_pem)):
        script = script.replace(f"certificate-{name}.pem", str(tmp_path / f"{name}.pem"))
        blob.write_to_path(str(tmp_path / f"{name}.pem"))
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, check=True)
    files = {file.name: file for file in (tmp_path / "docs" / "secrets").iterdir()}
    assert set(files) == {"keys", "password", "pgpass", "certificate"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}
    password = files["password"].read_text().strip()
    assert files["pgpass"].read_text() == f"database:5432:duvo:duvo:{password}\n"


def test_haproxy_accepts_its_configuration(tmp_path: Path) -> None:
    program = shutil.which("haproxy")
    if program is None:
        pytest.skip("HAProxy is not installed")
    certificate = tmp_path / "certificate"
    trustme.CA().issue_cert("api.example.com").private_key_and_cert_chain_pem.write_to_path(
        str(certificate)
    )
    settings = tmp_path / "haproxy.cfg"
    text = (DOCS / "haproxy.cfg").read_text().replace("/run/secrets/certificate", str(certificate))
    settings.write_text(re.sub(r"server-\d", "127.0.0.1", text))
    done = subprocess.run([program, "-c", "-f", str(settings)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


@pytest.mark.long
def test_the_metrics_of_the_page_are_those_that_are_served(
    serve: Callable[..., ServeProcess],
) -> None:
    served = serve()
    served.health()
    names = {name[0] for name in served.metrics() if name[0].startswith("duvo_")}
    names = {re.sub("_(bucket|sum|count)$", "", name) for name in names if "_created" not in name}
    page = (DOCS / "metrics.md").read_text()
    assert set(re.findall(r"^\| `(duvo_\w+)` \|", page, re.MULTILINE)) == names
