"""Whole processes, side by side: `python -m tests.benchmarks.processes`.

The commands take turns, many times over. The median time of each is divided by
that of `python -c pass` in the same virtual environment, or of another command.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.figures import show, time_limit
from tests.servers.fake_api import KEY, TEAM, Hosted, serving

ROUNDS = 25

BARE = """
import requests, sys
response = requests.get(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]}, timeout=30)
response.raise_for_status()
print(response.text)
"""

TYPED = """
import duvo, sys
print(duvo.Client().runs.get(sys.argv[1]).data.status)
"""

NODE = """
import { Command } from "commander";
const program = new Command();
const runs = program.command("runs");
runs.command("get <id>").option("--json").action(async (id) => {
  const response = await fetch(process.env.DUVO_API_BASE_URL + "/v2/runs/" + id, {
    headers: { Authorization: "Bearer " + process.env.DUVO_API_KEY },
  });
  console.log(JSON.stringify(await response.json(), null, 2));
});
for (const name of ["list", "messages", "start", "stop", "respond", "send-message"]) {
  runs.command(name).option("--json").action(() => {});
}
await program.parseAsync();
"""


def node_stand_in(folder: Path) -> list[str] | None:
    """Return a command of the same shape in Node, or None where Node or npm is missing."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    (folder / "command.mjs").write_text(NODE)
    (folder / "package.json").write_text('{"type": "module"}')
    done = subprocess.run(
        ["npm", "install", "--silent", "commander"], cwd=folder, capture_output=True, timeout=120
    )
    return ["node", str(folder / "command.mjs")] if done.returncode == 0 else None


def timed(command: list[str], environment: dict[str, str]) -> float:
    """Return the seconds that a command takes."""
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{command} failed: {done.stderr.decode()}")
    return seconds


def main() -> None:
    """Run all commands, and print the ratios."""
    duvo = str(Path(sys.executable).with_name("duvo"))
    with time_limit(600), serving(Hosted()) as hosted, tempfile.TemporaryDirectory() as folder:
        run_id = hosted.start()
        environment = {
            **os.environ,
            "DUVO_API_KEY": KEY,
            "DUVO_API_BASE_URL": hosted.base_url,
            "DUVO_TEAM_ID": TEAM,
            "DUVO_CONFIG_DIR": folder,
        }
        url = f"{hosted.base_url}/v2/runs/{run_id}"
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "duvo --version": [duvo, "--version"],
            "duvo --help": [duvo, "--help"],
            "import duvo": [sys.executable, "-c", "import duvo"],
            "bare requests script": [sys.executable, "-c", BARE, url, KEY],
            "duvo runs get ID --json": [duvo, "runs", "get", run_id, "--json"],
            "typed client.runs.get": [sys.executable, "-c", TYPED, run_id],
        }
        node = node_stand_in(Path(folder))
        if node:
            commands["node, commander + fetch"] = [*node, "runs", "get", run_id, "--json"]
        times: dict[str, list[float]] = {name: [] for name in commands}
        for command in commands.values():
            timed(command, environment)
        for _ in range(ROUNDS):
            for name, command in commands.items():
                times[name].append(timed(command, environment))
    median = {name: statistics.median(values) for name, values in times.items()}

    def ratio(name: str, beside: str, target: str) -> None:
        figure = f"{median[name] / median[beside]:.2f}" if beside in median else "(not installed)"
        show(f"{name}, beside {beside}", figure, target)

    for name, value in median.items():
        show(name, f"{value * 1000:.1f} ms")
    ratio("duvo --version", "python -c pass", "1.15")
    ratio("duvo --help", "python -c pass", "2.9")
    ratio("import duvo", "python -c pass", "1.15")
    ratio("duvo runs get ID --json", "bare requests script", "1.1")
    ratio("duvo runs get ID --json", "node, commander + fetch", "0.8")
    ratio("typed client.runs.get", "bare requests script", "1.35")


if __name__ == "__main__":
    main()
