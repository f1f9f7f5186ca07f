"""Log records of what happens to runs."""

from __future__ import annotations

import pytest

from duvo.local._log import events


def test_the_first_words_of_long_messages_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "duvo.local.runs")
    for message, shown in (
        ("x" * 100, "x" * 59 + "…"),
        ("a\n " * 100, "a " * 29 + "a…"),
        ("short\ntext", "short text"),
    ):
        events.started("12345678-1", "Reader", 1, message)
        assert caplog.records[-1].getMessage() == f"run 12345678 (Reader) started: {shown}"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (3599.9, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_a_runs_duration_is_logged_in_fitting_units(
    seconds: float, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "duvo.local.runs")
    events.completed("12345678-1", "Reader", seconds)
    assert caplog.records[-1].getMessage() == f"run 12345678 (Reader) completed after {shown}"


def test_text_that_cannot_be_encoded_is_logged_with_replacements(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "duvo.local.runs")
    events.started("0" * 36, "Agent \ud800", 1, "half \ud800 and whole")
    events.failed("0" * 36, "Agent", 1.0, "half \udfff", ValueError("half \ud800"))
    for record in caplog.records:
        text = f"{record.getMessage()} {record.__dict__['event']} {record.__dict__['traceback']}"
        assert text.encode()
        assert "half ?" in text
