"""The address of an engine, its keys and its monitoring."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import requests
import trustme

from duvo.local import EngineError, MissingExtra, Server
from tests.servers.serve_process import KEY, OTHER


def test_keys_of_a_file_are_accepted_and_no_key_is_created(tmp_path: Path, keys_file: Path) -> None:
    with Server(database=tmp_path / "runs.sqlite", port=0, keys_file=keys_file) as server:
        assert (server.api_key, server.key_file) == ("", keys_file)
        assert KEY not in repr(server)

        def status(key: str) -> int:
            headers = {"Authorization": f"Bearer {key}"}
            return requests.get(f"{server.base_url}/v2/teams", headers=headers).status_code

        assert [status(key) for key in (KEY, OTHER, f"{KEY} {OTHER}", "")] == [200, 200, 401, 401]
        keys_file.write_text(f"{OTHER}\n")
        server.read_again()
        assert [status(key) for key in (KEY, OTHER)] == [401, 200]
        keys_file.write_text("short")
        with pytest.raises(EngineError, match="line 1: the key is too short"):
            server.read_again()
        assert status(OTHER) == 200
        # Not served without `monitoring=True`.
        assert requests.get(f"{server.base_url}/health").status_code == 401
        assert requests.get(f"{server.base_url}/metrics").status_code == 401
    assert not (tmp_path / "runs.sqlite.key").exists()


def test_paths_of_keys_and_certificates_may_begin_with_a_tilde(
    keys_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    shutil.copy2(keys_file, tmp_path / "accepted")
    files = {"keys_file": "~/accepted", "tls_cert": "~/cert.pem", "tls_key": Path("~/key.pem")}
    with Server(port=0, **files) as server:  # type: ignore[arg-type]
        assert server.key_file == tmp_path / "accepted"
        assert server.base_url.startswith("https://")
        server.read_again()


def test_the_engine_listens_on_the_given_host() -> None:
    with Server(port=0, host="::1") as server:
        assert server.base_url == f"http://[::1]:{server.port}"
        headers = {"Authorization": f"Bearer {server.api_key}"}
        assert requests.get(f"{server.base_url}/v2/teams", headers=headers).status_code == 200
    with pytest.raises(EngineError, match="unencrypted"):
        Server(port=0, host="0.0.0.0").start()
    with pytest.raises(EngineError, match="go together"):
        Server(port=0, tls_cert="cert.pem").start()


def test_a_failed_start_leaves_the_port_free(keys_file: Path, tmp_path: Path) -> None:
    with Server(port=0) as server:
        port = server.port
    (tmp_path / "junk.sqlite").write_bytes(b"no database" * 100)
    for arguments in (
        {"host": "0.0.0.0"},
        {"keys_file": tmp_path / "nowhere"},
        {"database": tmp_path / "junk.sqlite", "keys_file": keys_file},
    ):
        with pytest.raises(EngineError):
            Server(port=port, **arguments).start()  # type: ignore[arg-type]
    with Server(port=port):
        pass


def test_only_monitoring_needs_prometheus_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with Server(port=0):
        pass
    with pytest.raises(MissingExtra, match=r"prometheus_client.*duvo\[local\]"):
        Server(monitoring=True)


@pytest.mark.long
def test_metrics_of_a_second_engine_start_at_zero(keys_file: Path) -> None:
    for _ in range(2):
        with Server(port=0, keys_file=keys_file, monitoring=True) as server:
            requests.get(f"{server.base_url}/v2/teams")
            text = requests.get(f"{server.base_url}/metrics").text
            assert 'duvo_http_requests_total{method="GET",route="other",status="401"} 1.0' in text
