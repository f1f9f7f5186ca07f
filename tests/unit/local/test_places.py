"""Where a database and its key stand."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from duvo.local import EngineError
from duvo.local._api.own_key import key_in
from duvo.local._database.location import locate


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "runs.sqlite.key"
    key = key_in(file)
    assert key.startswith("dv_local_")
    assert key_in(file) == key
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["runs.sqlite.key"]


def test_a_key_that_is_there_is_read_without_writing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    file = tmp_path / "key"
    key = key_in(file)
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "link", refuse)
    assert key_in(file) == key


def test_a_key_is_made_where_files_cannot_be_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    file = tmp_path / "key"
    key = key_in(file)
    assert key_in(file) == key
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_key_that_others_could_read_is_taken_away_from_them(tmp_path: Path) -> None:
    file = tmp_path / "key"
    key = key_in(file)
    file.chmod(0o644)
    assert key_in(file) == key
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "database",
    ["~nosuchuser/x.sqlite", "nul\0.sqlite", "x" * 300, "postgresql://host:port/name"],
)
def test_a_place_that_cannot_be_is_told_in_one_line(database: str) -> None:
    with pytest.raises(EngineError) as caught:
        locate(database)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "short", "two words that are long enough", "\xff" * 20])
def test_a_file_that_holds_no_key_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(EngineError) as caught:
        key_in(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be kept there"):
        key_in(tmp_path / "missing" / "key")


def test_the_key_of_a_postgresql_database_does_not_depend_on_its_password() -> None:
    one = locate("postgresql://me:one@db.example/runs")
    two = locate("postgresql+psycopg://me:two@db.example/runs")
    other = locate("postgresql://me:one@db.example/others")
    assert one.key_file == two.key_file != other.key_file
    assert "one" not in one.shown
    assert one.url.drivername == "postgresql+psycopg"


def test_a_relative_file_and_a_link_are_the_file_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real.sqlite").touch()
    (tmp_path / "link.sqlite").symlink_to("real.sqlite")
    for name in ("real.sqlite", "link.sqlite", "./link.sqlite"):
        assert locate(name).file == (tmp_path / "real.sqlite").resolve()


def test_no_password_of_a_url_is_shown() -> None:
    shown = locate("postgresql://u:secret@h/runs?password=secret&connect_timeout=1").shown
    assert shown == "postgresql://u:***@h/runs?connect_timeout=1"
