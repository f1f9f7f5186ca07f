"""Modules of agent files, which import their neighbours from their own folder."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import linecache
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, resolve_name, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from ..agents import Agent, collecting_decorated, ignoring_decorated, note_decorated
from . import published

_current: dict[Path, Folder] = {}
"""The newest modules of each folder."""

_lock = threading.RLock()

Version = tuple[int, int, int]
"""What changes when a file is written: its inode, size and time."""


def load(file: Path) -> tuple[ModuleType, list[Agent]]:
    """Return the module of a file, and the agents that it and its neighbours decorate.

    A file that was loaded before is reloaded, with its neighbours.
    """
    name, root = _name_and_root(file)
    with _lock:
        folder = _current.get(root)
        if folder is None or name in folder.files:
            folder = _current[root] = Folder(root, folder)
        importlib.invalidate_caches()
        return folder.load_file(file, name)


@contextlib.contextmanager
def restored_on_failure() -> Iterator[None]:
    """Put back the modules that are replaced inside the block, if it fails."""
    with _lock:
        before = {root: (folder, folder.copy()) for root, folder in _current.items()}
        try:
            with published.restored_on_failure():
                yield
        except BaseException:
            _current.clear()
            for root, (folder, content) in before.items():
                folder.put_back(content)
                _current[root] = folder
            raise


def files_read(files: Iterable[Path]) -> dict[Path, Version | None]:
    """Return what the newest modules of these files and beside them read, and the versions."""
    roots = {_name_and_root(file)[1] for file in files}
    folders = [folder for root in roots if (folder := _current.get(root))]
    return {file: version for folder in folders for file, version in folder.read.items()}


def version_of(file: Path) -> Version | None:
    """Return the file's version; None if it cannot be found."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class Folder:
    """The modules of one folder, each executed once.

    Their code has an `__import__` of its own: whatever other folders have modules
    of the same names, and whenever it is executed, it imports its neighbours from here.

    Attributes:
        files: the names of the modules that were loaded as files of agents.
        modules: all modules, by name.
        read: the source files that they were made from.
    """

    def __init__(self, root: Path, older: Folder | None = None):
        self.files: set[str] = set()
        self.modules: dict[str, ModuleType] = {}
        self.read: dict[Path, Version] = {}
        self._root = root
        self._path = [str(root)]
        self._agents: dict[str, list[Agent]] = {}
        self._lock = threading.RLock()
        self._builtins = {**vars(builtins), "__import__": self._import}
        # The program's own modules are never reloaded.
        self._kept: frozenset[str] = older._kept if older else frozenset(sys.modules)
        if older is not None:
            self._forget_imports_by_name()

    def load_file(self, file: Path, name: str) -> tuple[ModuleType, list[Agent]]:
        with self._lock:
            self._add_to_path(str(self._root), str(file.parent))
            with collecting_decorated() as agents:
                if package := name.rpartition(".")[0]:
                    self._load(package)
                # The package may have imported the file.
                if name not in self.modules:
                    loader = _Source(name, str(file), self.read)
                    spec = spec_from_file_location(name, file, loader=loader)
                    assert spec
                    self._execute(spec)
                self._note_agents(name)
            self.files.add(name)
            return self.modules[name], agents

    def copy(self) -> tuple[set[str], dict[str, ModuleType], dict[str, list[Agent]]]:
        return set(self.files), dict(self.modules), dict(self._agents)

    def put_back(
        self, content: tuple[set[str], dict[str, ModuleType], dict[str, list[Agent]]]
    ) -> None:
        self.files, self.modules, self._agents = content

    def _forget_imports_by_name(self) -> None:
        # `importlib.import_module` uses neither this class nor its modules.
        tops = dict(sys.modules)
        for name, module in tops.items():
            top = name.partition(".")[0]
            if top in self._kept or not isinstance(module, ModuleType) or module in published.roots:
                continue
            if _folder_of(tops.get(top, module)) == self._root:
                del sys.modules[name]
                # Its bytecode counts as fresh if the file was changed within a second.
                if cached := getattr(module, "__cached__", None):
                    with contextlib.suppress(OSError):
                        Path(cached).unlink()

    def _add_to_path(self, *folders: str) -> None:
        for folder in folders:
            if folder not in self._path:
                self._path.append(folder)
            # For processes that are spawned, and imports by name. Last, so that no neighbour
            # takes the place of a package that the engine imports.
            if folder not in sys.path:
                sys.path.append(folder)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        package = (globals or {}).get("__package__")
        absolute = resolve_name("." * level + name, package) if level and package else name
        top = absolute.partition(".")[0]
        if (level and not package) or not self._has(top):
            with ignoring_decorated():
                return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = self._load(absolute)
        self._note_agents(absolute)
        if not fromlist:
            return self.modules[top]
        if hasattr(module, "__path__"):
            wanted = getattr(module, "__all__", ()) if "*" in fromlist else fromlist
            for child in wanted:
                self._load_child(module, absolute, child)
        return module

    def _load_child(self, module: ModuleType, package: str, child: str) -> None:
        if hasattr(module, child):
            return
        name = f"{package}.{child}"
        # Otherwise the statement says that it cannot be imported.
        if name in self.modules or PathFinder.find_spec(name, module.__path__) is not None:
            self._load(name)
            self._note_agents(name)

    def _note_agents(self, name: str) -> None:
        while name:
            note_decorated(self._agents.get(name, ()))
            name = name.rpartition(".")[0]

    def _has(self, top: str) -> bool:
        if top in self.modules:
            return True
        # A second copy of this package would have another class `Agent`.
        if top == __name__.partition(".")[0] or top in sys.builtin_module_names:
            return False
        spec = PathFinder.find_spec(top, self._path)
        if spec is None:
            return False
        if spec.loader is None or spec.origin is None:
            # Any folder may be a package without `__init__.py`; a module found elsewhere counts
            # more, as it does for Python, and so does a package of several folders.
            return _locations(PathFinder.find_spec(top)) == _locations(spec)
        return True

    def _load(self, name: str) -> ModuleType:
        # Without the lock if it is complete: another thread may be importing for long.
        if name in self._agents:
            return self.modules[name]
        with self._lock:
            if name in self.modules:
                return self.modules[name]
            parent, _, child = name.rpartition(".")
            package = self._load(parent) if parent else None
            if name in self.modules:
                return self.modules[name]
            path = self._path if package is None else getattr(package, "__path__", None)
            spec = None if path is None else PathFinder.find_spec(name, path)
            if spec is None:
                reason = "" if path is not None else f"; {parent!r} is not a package"
                raise ModuleNotFoundError(f"No module named {name!r}{reason}", name=name)
            present = sys.modules.get(name)
            if not published.may_publish(name) and present and published.is_same(present, spec):
                # The program imported it by itself.
                self.modules[name], self._agents[name] = present, []
            else:
                self._execute(spec)
            if package is not None:
                setattr(package, child, self.modules[name])
            return self.modules[name]

    def _execute(self, spec: ModuleSpec) -> None:
        name, loader = spec.name, spec.loader
        if type(loader) is SourceFileLoader:
            spec.loader = loader = _Source(name, loader.path, self.read)
        module = module_from_spec(spec)
        vars(module)["__builtins__"] = self._builtins
        published.roots[module] = self._root
        self.modules[name] = module
        is_published = published.may_publish(name)
        if loader is None:
            self._agents[name] = []
            return
        try:
            with published.published(name, module), collecting_decorated() as agents:
                loader.exec_module(module)
                # A module may put something else into its own place.
                if is_published:
                    self.modules[name] = sys.modules.get(name, module)
        except BaseException:
            del self.modules[name]
            raise
        self._agents[name] = agents


class _Source(SourceFileLoader):
    """Compiles the file as it is now, and keeps its lines for tracebacks."""

    lines: list[str]

    def __init__(self, name: str, path: str, read: dict[Path, Version]):
        super().__init__(name, path)
        self._read = read

    def get_code(self, fullname: str) -> Any:
        # Warnings show lines as they were first read.
        linecache.checkcache(self.path)
        # Before it is read, so that a later change is noticed.
        if version := version_of(Path(self.path)):
            self._read[Path(self.path)] = version
        # A cached file may be stale: it is compared by seconds and size.
        data = self.get_data(self.path)
        self.lines = importlib.util.decode_source(data).splitlines()
        return self.source_to_code(data, self.path)


def _locations(spec: ModuleSpec | None) -> set[str] | None:
    """Return the folders of a package without `__init__.py`; None for anything else."""
    if spec is None or spec.origin is not None:
        return None
    return set(spec.submodule_search_locations or ())


def _folder_of(module: ModuleType) -> Path | None:
    """Return the folder that a module or package was found in."""
    if file := getattr(module, "__file__", None):
        folder = Path(file).parent
        return folder.parent if Path(file).stem == "__init__" else folder
    locations = list(getattr(module, "__path__", ()))
    return Path(locations[0]).parent if locations else None


def _name_and_root(file: Path) -> tuple[str, Path]:
    """Return the name that a file has as a module, and the folder above its packages."""
    is_package = file.stem == "__init__"
    parts = [] if is_package else [file.stem.replace(".", "_")]
    root = file.parent
    while (root / "__init__.py").is_file() and root.parent != root:
        parts.insert(0, root.name)
        root = root.parent
    return ".".join(parts), root
