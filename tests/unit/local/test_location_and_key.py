"""Where a database and its key are."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import trustme
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from duvo.local import EngineError
from duvo.local._api.endpoint import Endpoint
from duvo.local._api.keys import read_or_create_key
from duvo.local._database.location import locate


def test_a_key_is_created_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "runs.sqlite.key"
    key = read_or_create_key(file)
    assert key.startswith("dv_local_")
    assert read_or_create_key(file) == key
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["runs.sqlite.key"]


def test_an_existing_key_is_read_without_writing_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    file = tmp_path / "key"
    key = read_or_create_key(file)
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "link", refuse)
    assert read_or_create_key(file) == key


def test_a_key_is_created_on_a_file_system_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    file = tmp_path / "key"
    key = read_or_create_key(file)
    assert read_or_create_key(file) == key
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_key_readable_by_others_is_made_private(tmp_path: Path) -> None:
    file = tmp_path / "key"
    key = read_or_create_key(file)
    file.chmod(0o644)
    assert read_or_create_key(file) == key
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("database", [" ~/runs.sqlite", "~/runs.sqlite\n"])
def test_a_database_may_begin_with_a_tilde_and_be_surrounded_by_white_space(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate(database).file == tmp_path / "runs.sqlite"
    assert locate(" postgresql://me@db.example/runs\n").url.database == "runs"


def test_the_files_of_an_endpoint_may_begin_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "keys").write_text("k" * 40 + "\n")
    (tmp_path / "keys").chmod(0o600)
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    endpoint = Endpoint("127.0.0.1", 0, "~/keys", "~/cert.pem", "~/key.pem", False)
    endpoint.close()
    assert endpoint.url.startswith("https://")


@pytest.mark.parametrize(
    "database",
    [
        "~nosuchuser/x.sqlite",
        "nul\0.sqlite",
        "x" * 300,
        "postgresql://host:port/name",
        "postgresql://me:secret@one:5432,two:port/name",
        "hots=db.example dbname=runs password=secret",
        "host=db.example password=two secret words",
        "host=db.example port=many",
        "postgresql:runs",
        "mysql://me:secret@db.example/runs",
        "mysql://me:secret@one:1,two:2/runs",
        ":memory:",
        "sqlite://",
        "sqlite:///:memory:",
        "file::memory:?cache=shared",
        "file:runs.sqlite?mode=ro",
    ],
)
def test_an_impossible_location_is_refused_in_one_line_without_the_password(database: str) -> None:
    with pytest.raises(EngineError) as caught:
        locate(database)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("database", "settings"),
    [
        (
            "host=db.example port=5433 dbname=runs user=me",
            {"host": "db.example", "port": 5433, "dbname": "runs", "user": "me"},
        ),
        ("dbname = runs", {"dbname": "runs"}),
        ("service=runs", {"service": "runs"}),
        (
            "password='two words' host=/run/postgresql",
            {"password": "two words", "host": "/run/postgresql"},
        ),
        (
            "postgresql://me:a%40b@one:5432,two:5433/runs?target_session_attrs=read-write",
            {
                "host": "one,two",
                "port": "5432,5433",
                "dbname": "runs",
                "user": "me",
                "password": "a@b",
                "target_session_attrs": "read-write",
            },
        ),
        ("postgres://one,two/runs", {"host": "one,two", "dbname": "runs"}),
    ],
)
def test_a_database_may_be_given_in_every_form_that_psql_accepts(
    database: str, settings: dict[str, str | int]
) -> None:
    location = locate(database)
    assert location.file is None
    _, arguments = PGDialect_psycopg().create_connect_args(location.url)
    assert arguments == settings
    assert str(settings.get("password", "***")) not in location.shown


def test_a_file_name_with_an_equals_sign_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate("run=1.sqlite").file == tmp_path.resolve() / "run=1.sqlite"


@pytest.mark.parametrize("text", ["", "short", "two words that are long enough", "\xff" * 20])
def test_a_file_without_a_key_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(EngineError) as caught:
        read_or_create_key(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_file_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be kept there"):
        read_or_create_key(tmp_path / "missing" / "key")


def test_the_key_file_of_a_postgresql_database_does_not_depend_on_the_password() -> None:
    one = locate("postgresql://me:one@db.example/runs")
    two = locate("postgresql+psycopg://me:two@db.example/runs")
    other = locate("postgresql://me:one@db.example/others")
    assert one.key_file == two.key_file != other.key_file
    three = locate("host=db.example user=me password=three dbname=runs")
    assert (three.key_file, three.url) == (one.key_file, one.url.set(password="three"))
    assert "one" not in one.shown
    assert one.url.drivername == "postgresql+psycopg"


def test_a_relative_path_and_a_link_locate_the_file_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real.sqlite").touch()
    (tmp_path / "link.sqlite").symlink_to("real.sqlite")
    for name in ("real.sqlite", "link.sqlite", "./link.sqlite"):
        assert locate(name).file == (tmp_path / "real.sqlite").resolve()


def test_a_shown_url_has_no_password() -> None:
    shown = locate("postgresql://u:secret@h/runs?password=secret&connect_timeout=1").shown
    assert shown == "postgresql://u:***@h/runs?connect_timeout=1"
