"""The page for a browser that opens the address of the server."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

PATH = "/"

_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Duvo engine</title>
<h1>A local Duvo engine</h1>
<p>It runs agents on this machine and serves the Duvo API, for programs and for the command
<code>duvo</code>. There is nothing else to see here. In a terminal, type:</p>
<pre>duvo agents list
duvo runs start --agent "Invoice approver" --follow
duvo runs list
duvo --help</pre>
"""


async def _page(request: Request) -> Response:
    return HTMLResponse(_PAGE, headers={"content-security-policy": "default-src 'none'"})


route = Route(PATH, _page)
