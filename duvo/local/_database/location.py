"""Where a database is, and where the files that belong to it are."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import attrs
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from .._text import os_reason
from ..errors import DatabaseDamaged, EngineError
from .files import is_state_folder, make_state_folder, state_folder


@attrs.frozen
class Location:
    """A database and the file of its key."""

    url: URL
    file: Path | None  # None for PostgreSQL
    key_file: Path

    @property
    def shown(self) -> str:
        """The file or the URL, without a password."""
        if self.file:
            return str(self.file)
        # PostgreSQL accepts passwords as parameters too.
        secret = [name for name in self.url.query if "password" in name]
        written = self.url.set(drivername=self.url.get_backend_name())
        return written.difference_update_query(secret).render_as_string(hide_password=True)


def locate(database: str | os.PathLike[str]) -> Location:
    """Return the location of a file, a URL, or a connection string of PostgreSQL."""
    text = os.fspath(database).strip()
    if text == ":memory:":
        raise EngineError(
            "':memory:': the engine keeps its runs in a file; name one, or a PostgreSQL database"
        )
    if "://" in text:
        return _from_url(text)
    if _SCHEME.match(text):
        raise EngineError(f"{text.partition(':')[0]}: {_WHAT_TO_WRITE}")
    if _SETTING.search(text):
        return _postgresql(_from_connection_string(text))
    return _file(Path(text))


_SCHEME = re.compile(r"(postgres|postgresql|sqlite|file|jdbc)(\+\w+)?:", re.IGNORECASE)
_SETTING = re.compile(r"(^|\s)(host|hostaddr|port|dbname|user|password|service|sslmode)\s*=")
_WHAT_TO_WRITE = (
    "not a database for the engine; name a file, or a URL like postgresql://user@host/name"
)


def _from_url(text: str) -> Location:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # SQLAlchemy does not read the ports of several hosts.
        scheme, _, rest = text.partition("://")
        if not scheme.lower().startswith("postgres"):
            raise EngineError(f"the database's URL cannot be read: {_WHAT_TO_WRITE}") from None
        url = _from_connection_string(f"postgresql://{rest}")
    kind = url.get_backend_name()
    if kind == "sqlite" and url.database and url.database != ":memory:":
        return _file(Path(url.database))
    if kind in ("postgresql", "postgres"):
        return _postgresql(url)
    raise EngineError(f"{url.drivername}: {_WHAT_TO_WRITE}")


def _from_connection_string(text: str) -> URL:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        settings = {name: str(value) for name, value in conninfo_to_dict(text).items()}
        [int(port) for port in settings.get("port", "").split(",") if port]
    except (ProgrammingError, ValueError):
        # Its message may quote the password.
        raise EngineError(
            "the database's URL or connection string cannot be read; "
            "write postgresql://user@host/name, or host=… dbname=… user=…"
        ) from None
    url = URL.create(
        "postgresql",
        username=settings.pop("user", None),
        password=settings.pop("password", None),
        database=settings.pop("dbname", None),
    )
    host, port = settings.get("host", ""), settings.get("port", "")
    if host and not set("/@,") & set(host + port):
        # The same as the URL of that host, whose key it shares.
        url = url.set(host=settings.pop("host"), port=int(settings.pop("port", "") or 0) or None)
    return url.set(query=settings)


def _postgresql(url: URL) -> Location:
    url = url.set(drivername="postgresql+psycopg")
    # The key must not depend on the password, which may change.
    named = url.set(password=None).render_as_string()
    digest = hashlib.sha256(named.encode()).hexdigest()[:16]
    return Location(url, None, state_folder() / f"postgresql-{digest}.key")


def _file(path: Path) -> Location:
    try:
        file = path.expanduser().absolute()
        if is_state_folder(file.parent):
            make_state_folder()
        file = file.resolve()
        has_folder = file.parent.is_dir()
        is_other = file.exists() and not file.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        # An unknown user, a NUL, a loop of links, a name that is too long.
        raise DatabaseDamaged(
            f"{str(path)!r}: a database cannot be there ({os_reason(error)}); name another file"
        ) from None
    if not has_folder:
        raise DatabaseDamaged(f"{path}: there is no folder {file.parent}; create it first")
    if is_other:
        raise DatabaseDamaged(f"{path}: not a file; name the file of the database")
    url = URL.create("sqlite", database=str(file))
    return Location(url, file, file.with_name(file.name + ".key"))
