"""Where a database stands, and what stands beside it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import attrs
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import DatabaseDamaged, EngineError
from .state_folder import make_state_folder, state_folder


@attrs.frozen
class Location:
    """A database, and the file of its key.

    Attributes:
        url: as SQLAlchemy takes it.
        file: of a SQLite database, None for PostgreSQL.
        key_file: where the key of its API is kept.
        throw_away: the folder to remove when the engine is closed, or None.
    """

    url: URL
    file: Path | None
    key_file: Path
    throw_away: Path | None = None

    @property
    def shown(self) -> str:
        """The file or the URL, without a password."""
        if self.file:
            return str(self.file)
        # PostgreSQL takes passwords as parameters too.
        secret = [name for name in self.url.query if "password" in name]
        written = self.url.set(drivername=self.url.get_backend_name())
        return written.difference_update_query(secret).render_as_string(hide_password=True)


def locate(database: str | os.PathLike[str] | None) -> Location:
    """Make out what a user named as the database.

    Args:
        database: a file, a URL (`sqlite:///…`, `postgresql://…`), or None for
            one in a new folder that is to be thrown away.

    Raises:
        EngineError: the URL is none that the engine can use.
        DatabaseDamaged: there is no such folder.
    """
    if database is None:
        folder = Path(tempfile.mkdtemp(prefix="duvo-"))
        return attrs.evolve(_in_file(folder / "engine.sqlite"), throw_away=folder)
    text = os.fspath(database)
    if "://" not in text:
        return _in_file(Path(text))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise EngineError("the database's URL cannot be read; write postgresql://…") from None
    kind = url.get_backend_name()
    if kind == "sqlite" and url.database and url.database != ":memory:":
        return _in_file(Path(url.database))
    if kind in ("postgresql", "postgres"):
        return _on_server(url.set(drivername="postgresql+psycopg"))
    raise EngineError(
        f"{url.drivername}: not a database for the engine; "
        f"name a file, or a URL like postgresql://user@host/name"
    )


def _in_file(path: Path) -> Location:
    try:
        file = path.expanduser().absolute()
        if file.parent == state_folder().absolute():
            make_state_folder()
        file = file.resolve()
        has_folder = file.parent.is_dir()
        is_other = file.exists() and not file.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        # A user that is not known, a NUL, a loop of links, a name that is too long.
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise DatabaseDamaged(
            f"{str(path)!r}: no place for a database ({reason}); name another"
        ) from None
    if not has_folder:
        raise DatabaseDamaged(f"{path}: there is no folder {file.parent}; make it first")
    if is_other:
        raise DatabaseDamaged(f"{path}: not a file; name the file of the database")
    url = URL.create("sqlite", database=str(file))
    return Location(url, file, file.with_name(file.name + ".key"))


def _on_server(url: URL) -> Location:
    # Whoever has another password for the same database must find the same key.
    named = url.set(password=None).render_as_string()
    digest = hashlib.sha256(named.encode()).hexdigest()[:16]
    return Location(url, None, state_folder() / f"postgresql-{digest}.key")
