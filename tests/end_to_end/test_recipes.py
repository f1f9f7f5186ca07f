"""The recipes' workflow, cron script and Makefile, run as they are written."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from duvo.local import Server
from tests.servers.engine_api import EngineAPI
from tests.support.command import DUVO, Command, wait_for

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Return the page's block in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def engine() -> Iterator[Server]:
    """An engine with the example agents."""
    with Server(port=0) as server:
        yield server


@pytest.fixture
def environment(engine: Server) -> dict[str, str]:
    """Settings for a client of the engine, and the command in PATH."""
    return Command(
        {"DUVO_API_KEY": engine.api_key, "DUVO_API_BASE_URL": engine.base_url}
    ).environment


def approve(api: EngineAPI, run_id: str) -> None:
    api.respond(run_id, api.wait_for_request(run_id)["id"], approved=True)
    api.wait_for_end(run_id)


class Job:
    """The job of the workflow, as a runner of GitHub Actions performs it.

    Attributes:
        summary: the summary's text.
    """

    def __init__(self, folder: Path, environment: dict[str, str], agent: str = "Invoice approver"):
        text = block("yaml").replace("Invoice approver", agent)
        (job,) = yaml.safe_load(text)["jobs"].values()
        self.steps: dict[str, dict[str, Any]] = {
            step.get("name", ""): step for step in job["steps"]
        }
        self._folder = folder
        # The key is the secret's; the server's address is the engine's.
        values = {"secrets.DUVO_API_KEY": environment["DUVO_API_KEY"], "inputs.number": "INV-1042"}
        self._values = {f"${{{{ {name} }}}}": value for name, value in values.items()}
        del environment["DUVO_API_KEY"]
        for name in ("GITHUB_ENV", "GITHUB_STEP_SUMMARY"):
            (folder / name).touch()
            environment[name] = str(folder / name)
        self._environment = environment | self._evaluated(job["env"])

    @property
    def summary(self) -> str:
        return (self._folder / "GITHUB_STEP_SUMMARY").read_text()

    @property
    def exported(self) -> dict[str, str]:
        """The variables that steps have set for later steps."""
        lines = (self._folder / "GITHUB_ENV").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def perform(self, name: str, timeout: str = "1200") -> subprocess.CompletedProcess[str]:
        """Run the script of a step with the shell of a runner, which is `bash -e`."""
        step = self.steps[name]
        # The package is installed here already, in the version under test.
        script = "python() { :; }\n" + step["run"].replace("--timeout 1200", f"--timeout {timeout}")
        return subprocess.run(
            ["bash", "-e", "-c", script],
            env=self._environment | self._evaluated(step.get("env", {})) | self.exported,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def _evaluated(self, variables: dict[str, str]) -> dict[str, str]:
        return {name: self._values[value] for name, value in variables.items()}


@pytest.mark.long
@pytest.mark.parametrize(
    ("agent", "code", "heading", "text"),
    [
        ("Talker", 0, "completed", "That is all."),
        ("Failing", 4, "failed", "this agent always fails"),
        ("Invoice approver", 6, "waits for a human", "--approve"),
        ("Endless worker", 124, "is still running", "duvo runs stop"),
    ],
)
def test_the_exit_code_and_the_summary_of_the_job_show_how_the_run_ended(
    agent: str,
    code: int,
    heading: str,
    text: str,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    job = Job(tmp_path, environment, agent)
    for name in ("Install duvo", "Start the run"):
        done = job.perform(name)
        assert (done.returncode, done.stderr) == (0, "")
    # A busy machine may need the first two seconds to read the run.
    for seconds in ("2", "20") if code == 124 else ("30",):
        done = job.perform("Wait for its end", timeout=seconds)
        assert done.returncode == code, done.stderr
        if text in done.stdout:
            break
    assert job.summary.splitlines()[0] == f"### Run {job.exported['RUN']} {heading}"
    assert text in job.summary
    assert text in done.stdout


@pytest.mark.long
def test_the_last_step_of_the_job_stops_the_run(
    environment: dict[str, str], tmp_path: Path, api: EngineAPI
) -> None:
    job = Job(tmp_path, environment, "Endless worker")
    job.perform("Start the run")
    done = job.perform("Stop the run of a cancelled job")
    assert done.returncode == 0, done.stderr
    assert api.status(job.exported["RUN"]) == "interrupted"
    assert job.perform("Wait for its end").returncode == 5
    assert "was stopped" in job.summary


def test_the_job_ends_with_its_start_when_the_start_is_refused(
    environment: dict[str, str], tmp_path: Path
) -> None:
    job = Job(tmp_path, environment, "No such agent")
    assert job.perform("Start the run").returncode == 3
    assert job.exported == {}


def test_no_script_of_the_job_contains_an_expression(
    environment: dict[str, str], tmp_path: Path
) -> None:
    # GitHub would insert what a user enters into the script.
    scripts = [step["run"] for step in Job(tmp_path, environment).steps.values() if "run" in step]
    assert len(scripts) == 4
    assert not any("${{" in script for script in scripts)


@pytest.fixture
def nightly(tmp_path: Path) -> str:
    """The script of the cron job, beside its input."""
    if shutil.which("flock") is None:
        pytest.skip("flock is not installed")
    script = tmp_path / "nightly.sh"
    script.write_text(block("bash"))
    script.chmod(0o755)
    assert re.search(rf"^0 2 \* \* 1-5  /\S+/{script.name}$", PAGE, re.MULTILINE)
    (tmp_path / "invoices.csv").write_text("number,supplier\nINV-1042,ACME\nINV-1043,Bolt\n")
    return str(script)


def perform(*command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.long
def test_the_cron_script_exits_at_once_while_another_is_running(
    nightly: str, environment: dict[str, str], tmp_path: Path, api: EngineAPI
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    os.mkfifo(folder / "release")
    held = folder / "duvo"
    held.write_text(f'#!/bin/sh\ntouch {folder}/began\nread _ < {folder}/release\n{DUVO} "$@"\n')
    held.chmod(0o755)
    slow = environment | {"PATH": f"{folder}{os.pathsep}{environment['PATH']}"}
    first = subprocess.Popen([nightly], env=slow, stderr=subprocess.PIPE, text=True)
    try:
        wait_for((folder / "began").exists)
        before = api.count("waiting")
        second = perform(nightly, environment=environment)
        assert (second.returncode, second.stdout) == (75, "")
        assert second.stderr == "nightly.sh is already running\n"
        assert not (tmp_path / "results.csv").exists()
        (folder / "release").write_text("\n")
        _, errors = first.communicate(timeout=60)
    finally:
        first.kill()
        first.communicate()
    assert first.returncode == 6, errors
    assert api.count("waiting") == before + 2
    # The lock is free again.
    assert perform(nightly, environment=environment).returncode == 6


@pytest.mark.long
def test_the_cron_script_reports_waiting_runs_and_collects_their_results_the_next_time(
    nightly: str, environment: dict[str, str], tmp_path: Path, api: EngineAPI
) -> None:
    first = perform(nightly, environment=environment)
    assert first.returncode == 6
    assert [row["status"] for row in results(tmp_path)] == ["waiting", "waiting"]
    for run_id in re.findall(r"waiting  (\S+) ", first.stderr):
        approve(api, run_id)
    done = perform(nightly, environment=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    rows = results(tmp_path)
    assert [row["answer"] for row in rows] == ["INV-1042 is posted.", "INV-1043 is posted."]
    assert all(row["run_id"] in first.stderr for row in rows), "the runs are the same"


def results(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open() as file:
        return list(csv.DictReader(file))


class Project:
    """A folder with the Makefile and one invoice."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        self._environment = environment
        self.invoice = folder / "invoices" / "acme.txt"
        self.run = folder / "runs" / "acme.id"
        self.answer = folder / "answers" / "acme.txt"
        (folder / "Makefile").write_text(block("make"))
        self.invoice.parent.mkdir()
        self.invoice.write_text("Process INV-1042")

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.perform("make", *arguments)

    def perform(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self._environment | {"LC_ALL": "C"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def project(tmp_path: Path, environment: dict[str, str]) -> Project:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    return Project(tmp_path, environment)


@pytest.mark.long
def test_make_waits_for_the_same_run_until_its_answer_is_there(
    project: Project, api: EngineAPI
) -> None:
    done = project.make()
    assert done.returncode == 2
    assert "Error 6" in done.stderr
    assert not project.answer.exists()
    run_id = project.run.read_text().strip()
    approve(api, run_id)
    done = project.make()
    assert done.returncode == 0, done.stderr
    assert project.run.read_text().strip() == run_id
    assert project.answer.read_text() == "INV-1042 is posted.\n"
    assert "Nothing to be done" in project.make().stdout


@pytest.mark.long
def test_make_starts_another_run_when_the_file_has_changed(project: Project) -> None:
    project.make("ON_REQUEST=approve")
    first = project.run.read_text()
    project.invoice.write_text("Process INV-1043")
    later = project.answer.stat().st_mtime + 10
    os.utime(project.invoice, (later, later))
    done = project.make("ON_REQUEST=approve")
    assert done.returncode == 0, done.stderr
    assert project.run.read_text() != first
    assert project.answer.read_text() == "INV-1043 is posted.\n"


@pytest.mark.long
def test_make_leaves_no_file_for_a_run_that_failed_or_did_not_start(project: Project) -> None:
    done = project.make("AGENT=Failing")
    assert "Error 4" in done.stderr
    assert not project.answer.exists()
    assert "Error 4" in project.make().stderr, "it is the same run"
    project.run.unlink()
    done = project.make("AGENT=No such agent")
    assert "Error 3" in done.stderr
    assert not project.run.exists()


@pytest.mark.long
def test_the_makefile_can_be_tried_without_an_account(project: Project) -> None:
    trial, cleaning = block("sh").splitlines()
    done = project.perform("bash", "-ec", trial)
    assert done.returncode == 0, done.stderr
    assert project.answer.read_text() == "INV-1042 is posted.\n"
    assert project.perform("bash", "-ec", cleaning).returncode == 0
    assert {file.name for file in project.folder.iterdir()} >= {"Makefile", "invoices"}
    assert not project.answer.exists()
    assert not project.run.exists()
