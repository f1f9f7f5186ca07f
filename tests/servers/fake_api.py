"""A server on loopback with the hosted API's shapes."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "dv_test_0123456789abcdef"
TEAM = "11111111-1111-4111-8111-111111111111"
AGENT = "22222222-2222-4222-8222-222222222222"


class ReceivedRequest:
    """One request that arrived."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes):
        parts = urlsplit(target)
        self.method = method
        self.target = target
        self.path = parts.path
        self.query = dict(parse_qsl(parts.query))
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class DropConnection(Exception):
    """Raised by a fault: close the connection without a response."""


class FakeAPI:
    """The server's data, the requests it received, and its faults.

    The faults `before` and `after` are called with each request. They return
    None to let it pass, or (status, body) or (status, body, headers) to
    respond, or raise DropConnection.
    """

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.runs: dict[str, dict[str, Any]] = {}
        self.conversations: dict[str, list[dict[str, Any]]] = {}
        self.pending: dict[str, dict[str, Any]] = {}
        self.agents = [{"id": AGENT, "name": "Invoice approver"}]
        self.teams = [{"id": TEAM, "name": "Finance", "organization_id": None}]
        self.before: Callable[[ReceivedRequest], Any] = lambda seen: None
        self.after: Callable[[ReceivedRequest], Any] = lambda seen: None
        self.headers: dict[str, str] = {}
        self.reports_updates = True
        """Whether a run's `updated_at` changes when the run does."""
        self.clock_is_real = False
        """Whether times are those of this machine, and not of the beginning of 2026."""
        self.lock = threading.RLock()
        self.base_url = ""
        self._time = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def now(self) -> str:
        self._time += timedelta(milliseconds=10)
        moment = datetime.now(timezone.utc) if self.clock_is_real else self._time
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def start(self, status: str = "running", *, run_id: str = "", **fields: Any) -> str:
        run_id = run_id or str(uuid.uuid4())
        now = self.now()
        self.runs[run_id] = {
            "id": run_id,
            "agent_id": AGENT,
            "build_id": str(uuid.uuid4()),
            "status": status,
            "source": "api",
            "sandbox_id": None,
            "started_at": now,
            "completed_at": None,
            "created_at": now,
            "updated_at": now,
            "human_in_the_loop_enabled": True,
            **fields,
        }
        self.conversations[run_id] = []
        return run_id

    def say(self, run_id: str, text: str, role: str = "assistant", **fields: Any) -> str:
        with self.lock:
            message = {
                "id": str(uuid.uuid4()),
                "type": "text",
                "role": role,
                "timestamp": self.now(),
                "text_content": text,
                **fields,
            }
            self.conversations[run_id].append(message)
            self.touch(run_id)
            return str(message["id"])

    def ask(self, run_id: str, **fields: Any) -> str:
        with self.lock:
            request_id = str(uuid.uuid4())
            self.pending[run_id] = {
                "id": request_id,
                "title": "Post INV-1042?",
                "description": None,
                "created_at": self.now(),
                "type": "approval",
                **fields,
            }
            self.runs[run_id]["status"] = "waiting"
            self.touch(run_id)
            return request_id

    def end(self, run_id: str, status: str = "completed") -> None:
        with self.lock:
            self.runs[run_id].update(status=status, completed_at=self.now())
            self.pending.pop(run_id, None)
            self.touch(run_id)

    def touch(self, run_id: str) -> None:
        if self.reports_updates:
            self.runs[run_id]["updated_at"] = self.now()

    def count(self, method: str, ending: str) -> int:
        return sum(1 for one in self.requests if one.method == method and one.path.endswith(ending))

    def answer(self, seen: ReceivedRequest) -> tuple[int, Any]:
        if seen.headers.get("authorization") != f"Bearer {KEY}":
            return 401, {"error": "unauthorized", "message": "bad key"}
        with self.lock:
            for method, pattern, name in _ROUTES:
                found = re.fullmatch(pattern, seen.path)
                if found and method == seen.method:
                    return getattr(self, name)(seen, *found.groups())  # type: ignore[no-any-return]
        return 404, {"error": "not_found"}

    def _teams(self, seen: ReceivedRequest) -> tuple[int, Any]:
        return 200, {"teams": self.teams}

    def _profile(self, seen: ReceivedRequest) -> tuple[int, Any]:
        person = {"id": str(uuid.uuid4()), "name": "Ada", "email": "ada@example.com"}
        return 200, {"profile": {**person, "teamId": TEAM}}

    def _agents(self, seen: ReceivedRequest) -> tuple[int, Any]:
        limit, offset = int(seen.query.get("limit", 20)), int(seen.query.get("offset", 0))
        page = [_agent(one) for one in self.agents[offset : offset + limit]]
        return 200, {"agents": page, "total": len(self.agents), "limit": limit, "offset": offset}

    def _agent(self, seen: ReceivedRequest, agent_id: str) -> tuple[int, Any]:
        for one in self.agents:
            if one["id"] == agent_id:
                return 200, {"agent": _agent(one), "user_context": {"pinned_at": None}}
        return 404, {"error": "not_found"}

    def _start(self, seen: ReceivedRequest) -> tuple[int, Any]:
        run_id = self.start("pending", agent_id=seen.json["agent_id"])
        if "message" in seen.json:
            self.say(run_id, seen.json["message"], role="user")
        return 201, {"run": self.runs[run_id]}

    def _list(self, seen: ReceivedRequest) -> tuple[int, Any]:
        limit, offset = int(seen.query.get("limit", 20)), int(seen.query.get("offset", 0))
        runs = list(self.runs.values())
        for name in ("status", "agent_id"):
            if name in seen.query:
                runs = [one for one in runs if one[name] == seen.query[name]]
        if "since" in seen.query:
            since = _time(seen.query["since"])
            runs = [one for one in runs if one["completed_at"] and _completed(one) >= since]
        if "until" in seen.query:
            until = _time(seen.query["until"])
            runs = [one for one in runs if one["completed_at"] and _completed(one) <= until]
        if "created_since" in seen.query and "duvo-created-since" in self.headers:
            runs = [one for one in runs if _moment(one) >= _time(seen.query["created_since"])]
        runs.sort(key=_moment, reverse=seen.query.get("sort_order") != "asc")
        return 200, {
            "data": [_item(one) for one in runs[offset : offset + limit]],
            "total": len(runs),
        }

    def _get(self, seen: ReceivedRequest, run_id: str) -> tuple[int, Any]:
        if not _UUID.fullmatch(run_id):
            return 400, {"error": "invalid run id"}
        if run_id not in self.runs:
            return 404, {"error": "not_found"}
        answer = {"run": self.runs[run_id]}
        if run_id in self.pending:
            answer["pending_human_request"] = self.pending[run_id]
        return 200, answer

    def _messages(self, seen: ReceivedRequest, run_id: str) -> tuple[int, Any]:
        if run_id not in self.runs:
            return 404, {"error": "not_found"}
        limit, offset = int(seen.query.get("limit", 20)), int(seen.query.get("offset", 0))
        if limit > 50:
            return 400, {"error": "limit is too large"}
        conversation = self.conversations[run_id]
        return 200, {
            "messages": conversation[offset : offset + limit],
            "total": len(conversation),
            "limit": limit,
            "offset": offset,
        }

    def _post(self, seen: ReceivedRequest, run_id: str) -> tuple[int, Any]:
        if self.runs[run_id]["status"] == "failed":
            return 409, {"error": "conflict", "message": "the run failed"}
        self.say(run_id, seen.json["message"], role="user")
        if self.runs[run_id]["status"] in ("completed", "interrupted"):
            self.runs[run_id].update(status="running", completed_at=None)
        return 201, {"message": self.conversations[run_id][-1]}

    def _respond(self, seen: ReceivedRequest, run_id: str, request_id: str) -> tuple[int, Any]:
        request = self.pending.get(run_id)
        if request is None or request["id"] != request_id:
            return 404, {"error": "not_found", "message": "no such pending request"}
        del self.pending[run_id]
        self.runs[run_id]["status"] = "running"
        self.touch(run_id)
        answer = {name: request[name] for name in ("id", "title", "description", "created_at")}
        return 200, {
            "human_request": {
                **answer,
                "run_id": run_id,
                "response": json.dumps(seen.json),
                "responded_at": self.now(),
            }
        }

    def _stop(self, seen: ReceivedRequest, run_id: str) -> tuple[int, Any]:
        if run_id not in self.runs:
            return 404, {"error": "not_found"}
        if self.runs[run_id]["status"] in ("completed", "failed", "interrupted"):
            return 200, {"success": False, "message": "not running"}
        self.end(run_id, "interrupted")
        return 200, {"success": True}


def small_pages(seen: ReceivedRequest, size: int = 20) -> None:
    """Return fewer messages per page than requested."""
    if "limit" in seen.query:
        seen.query["limit"] = str(min(size, int(seen.query["limit"])))


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_ROUTES = [
    ("GET", "/v2/teams", "_teams"),
    ("GET", "/v2/profile", "_profile"),
    ("GET", f"/v2/teams/{TEAM}/agents", "_agents"),
    ("GET", "/v2/agents/([^/]+)", "_agent"),
    ("POST", f"/v2/teams/{TEAM}/runs", "_start"),
    ("GET", f"/v2/teams/{TEAM}/runs", "_list"),
    ("GET", "/v2/runs/([^/]+)", "_get"),
    ("GET", "/v2/runs/([^/]+)/messages", "_messages"),
    ("POST", "/v2/runs/([^/]+)/messages", "_post"),
    ("POST", "/v2/runs/([^/]+)/human-requests/([^/]+)/respond", "_respond"),
    ("POST", "/v2/runs/([^/]+)/stop", "_stop"),
]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _moment(run: dict[str, Any]) -> datetime:
    return _time(run["created_at"])


def _completed(run: dict[str, Any]) -> datetime:
    return _time(run["completed_at"])


def _agent(one: dict[str, str]) -> dict[str, Any]:
    return {
        "slack_enabled": None,
        "microsoft_teams_enabled": None,
        "agentic_memory_enabled": None,
        "team_id": TEAM,
        "thread_id": None,
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
        **one,
    }


def _item(run: dict[str, Any]) -> dict[str, Any]:
    item = {
        name: value
        for name, value in run.items()
        if name not in ("sandbox_id", "human_in_the_loop_enabled")
    }
    return {
        "title": "Process today's queue",
        "agent_name": "Invoice approver",
        **item,
        "run_number": 1,
        "user_id": None,
        "case_queue_item_id": None,
        "case_queue_id": None,
        "case_queue_name": None,
        "case_title": None,
        "postponed_to": None,
        "submitted_prompt_count": 1,
    }


@contextmanager
def serving(fake_api: FakeAPI, context: ssl.SSLContext | None = None) -> Iterator[FakeAPI]:
    """Serve on a free port of loopback for the length of a block; with a context, over TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = ReceivedRequest(self.command, self.path, headers, self.rfile.read(length))
            fake_api.requests.append(seen)
            try:
                answer = fake_api.before(seen)
                if answer is None:
                    answer = fake_api.answer(seen)
                    answer = fake_api.after(seen) or answer
            except DropConnection:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send(*answer)

        def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            payload = body if isinstance(body, bytes) else json.dumps(body).encode()
            given = {
                "content-type": "application/json",
                "content-length": str(len(payload)),
                "x-request-id": f"req-{len(fake_api.requests)}",
                **fake_api.headers,
                **(headers or {}),
            }
            try:
                # `send_response` adds a date of its own.
                begin = self.send_response_only if "date" in given else self.send_response
                begin(status)
                for name, value in given.items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload)
                if int(given["content-length"] or 0) > len(payload):
                    self.close_connection = True
            except OSError:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def handle(self) -> None:
            # A client that does not trust the certificate closes the connection.
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                super().handle()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake_api.base_url = f"http://127.0.0.1:{server.server_port}"
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        fake_api.base_url = fake_api.base_url.replace("http", "https")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield fake_api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
