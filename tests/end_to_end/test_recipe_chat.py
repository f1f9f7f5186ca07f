"""The recipe that answers human requests from a chat, with a chat on loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from duvo.local import Server
from tests.end_to_end.test_recipes import block
from tests.servers.engine_api import EngineAPI
from tests.support.command import wait_for

pytestmark = pytest.mark.long

PROGRAM = block("python")
TOKEN = "the chat's token"


class Chat:
    """A chat that records what is posted to its webhook.

    Attributes:
        posts: the texts posted so far.
        refusals: how many of the next posts to refuse.
    """

    def __init__(self) -> None:
        self.posts: list[str] = []
        self.refusals = 0
        chat = self

        class Webhook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if chat.refusals:
                    chat.refusals -= 1
                    self.send_error(503)
                    return
                chat.posts.append(json.loads(body)["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/secret-path"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def code_of(self, title: str) -> str:
        """Wait for a post about a request with this title; return the code in it."""
        found = wait_for(lambda: [post for post in self.posts if post.startswith(title)])
        code = re.search(r"`approve (\w+)`", found[-1])
        assert code is not None, found
        return code[1]


class Bot:
    """The program, running."""

    def __init__(self, environment: dict[str, str], pause: float):
        program, count = re.subn(r"^PAUSE = \d+", f"PAUSE = {pause}", PROGRAM, flags=re.MULTILINE)
        assert count == 1
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        address = re.search(r"http://\S+", line)
        assert address is not None, line
        self._address = address[0]

    def reply(self, text: str, token: str = TOKEN) -> requests.Response:
        """Send a reply as the chat does, as a form."""
        fields = {"token": token, "text": text, "user_name": "ada"}
        return requests.post(self._address, data=fields, timeout=30)

    def end(self) -> str:
        """Interrupt the program; return what it has logged."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, errors
        assert "Traceback" not in errors
        return errors


@pytest.fixture
def engine() -> Iterator[Server]:
    """An engine with the example agents."""
    with Server(port=0) as server:
        yield server


@pytest.fixture
def chat() -> Iterator[Chat]:
    """A chat on loopback."""
    chat = Chat()
    yield chat
    chat.close()


@pytest.fixture
def bot(engine: Server, chat: Chat) -> Iterator[Bot]:
    """The program, with the settings of the engine and the chat."""
    settings = {
        "DUVO_API_KEY": engine.api_key,
        "DUVO_API_BASE_URL": engine.base_url,
        "CHAT_WEBHOOK": chat.url,
        "CHAT_TOKEN": TOKEN,
        "PORT": "0",
    }
    bot = Bot(os.environ | settings, pause=0.1)
    yield bot
    bot.process.kill()
    bot.process.communicate()


def test_replies_in_the_chat_approve_and_deny_the_requests_posted_there(
    bot: Bot, chat: Chat, api: EngineAPI
) -> None:
    approved = api.start("Invoice approver", "Process INV-1042")
    code = chat.code_of("Post INV-1042?\nThe total is 2847.99 EUR.")
    denied = api.start("Invoice approver", "Process INV-1043")
    another = chat.code_of("Post INV-1043?")
    assert len(chat.posts) == 2, "each request is posted once"
    # Phones begin a sentence with a capital.
    shown = bot.reply(f"Approve {code}").json()["text"]
    assert shown == f"{code} is approved."
    bot.reply(f"deny {another}")
    for run_id in (approved, denied):
        api.wait_for_end(run_id)
    assert api.texts(approved)[-1] == "INV-1042 is posted."
    assert api.texts(denied)[-1] == "INV-1043 is left alone."
    assert f"ada: {code} is approved." in bot.end()


def test_a_reply_with_another_token_is_refused(bot: Bot, chat: Chat, api: EngineAPI) -> None:
    run_id = api.start("Invoice approver", "Process INV-1042")
    code = chat.code_of("Post INV-1042?")
    for token in ("", "another"):
        assert bot.reply(f"approve {code}", token).status_code == 403
    assert api.status(run_id) == "waiting"


def test_a_reply_to_a_request_that_was_answered_elsewhere_sends_nothing(
    bot: Bot, chat: Chat, api: EngineAPI
) -> None:
    run_id = api.start("Invoice approver", "Process INV-1042 and INV-1043")
    code = chat.code_of("Post INV-1042?")
    api.respond(run_id, api.wait_for_request(run_id)["id"], approved=True)
    chat.code_of("Post INV-1043?")
    assert bot.reply(f"approve {code}").json()["text"] == f"{code} is no longer pending."
    assert api.status(run_id) == "waiting", "the second request is still open"


@pytest.mark.parametrize("text", ["approve", "approve 00000000", "yes", ""])
def test_a_reply_that_names_no_request_is_explained(bot: Bot, text: str) -> None:
    assert bot.reply(text).json()["text"].startswith("Reply with approve or deny")


def test_a_post_that_the_chat_refuses_is_repeated_without_logging_its_address(
    bot: Bot, chat: Chat, api: EngineAPI
) -> None:
    chat.refusals = 2
    api.start("Invoice approver", "Process INV-1042")
    chat.code_of("Post INV-1042?")
    logged = bot.end()
    assert logged.count("the chat did not accept a post: HTTPError") == 2
    assert "secret-path" not in logged


def test_questions_are_not_posted_to_the_chat(bot: Bot, chat: Chat, api: EngineAPI) -> None:
    question = api.start("Invoice approver", "hello")
    api.wait_for_request(question)
    api.start("Invoice approver", "Process INV-1042")
    chat.code_of("Post INV-1042?")
    assert len(chat.posts) == 1
    assert api.status(question) == "waiting"
