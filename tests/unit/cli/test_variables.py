"""Options that are given by environment variables."""

from __future__ import annotations

import argparse

import pytest

from duvo_cli.errors import UsageError
from duvo_cli.help.overview import TOPICS
from duvo_cli.parser import Parser, count, parser_of

SERVE = ["agents.py", "--keys-file", "keys"]


def parsed(*arguments: str) -> argparse.Namespace:
    return parser_of("serve").parse(list(arguments or SERVE))


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("KEYS_FILE", "k.txt", "keys_file", "k.txt"),
        ("DATABASE", "postgresql://db.internal/duvo", "database", "postgresql://db.internal/duvo"),
        ("HOST", " 10.0.0.11 ", "host", "10.0.0.11"),
        ("PORT", "0", "port", 0),
        ("TLS_CERT", "cert.pem", "tls_cert", "cert.pem"),
        ("TLS_KEY", "key.pem", "tls_key", "key.pem"),
        ("INSECURE", "1", "insecure", True),
        ("INSECURE", "False", "insecure", False),
        ("QUIET", "yes", "quiet", True),
        ("QUIET", "off", "quiet", False),
        ("LOG_FORMAT", "json", "log_format", "json"),
    ],
)
def test_an_option_of_serve_is_given_by_its_variable(
    name: str, text: str, attribute: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUVO_SERVE_KEYS_FILE", "k")
    monkeypatch.setenv(f"DUVO_SERVE_{name}", text)
    args = parsed("agents.py")
    assert getattr(args, attribute) == value
    assert set(args.variables) == {"DUVO_SERVE_KEYS_FILE", f"DUVO_SERVE_{name}"}


def test_every_option_of_serve_has_a_variable_that_the_help_names() -> None:
    parser = Parser("serve")
    from duvo_cli.commands import serve

    serve.register(parser)
    options = {option for action in parser._actions for option in action.option_strings}
    assert parser.variables is not None
    assert set(parser.variables.names) == options - {"-h", "--help"}
    for option, name in parser.variables.names.items():
        assert name == f"DUVO_SERVE_{option[2:].upper().replace('-', '_')}"
        assert f"  {name} " in parser.format_help()
        assert name in TOPICS["environment"]


def test_a_flag_takes_precedence_over_its_variable_even_a_bad_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DUVO_SERVE_PORT", "nonsense")
    monkeypatch.setenv("DUVO_SERVE_HOST", "10.0.0.11")
    args = parsed(*SERVE, "--port=7", "--host", "127.0.0.2")
    assert (args.port, args.host, args.variables) == (7, "127.0.0.2", [])


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_counts_as_not_set(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "HOST", "DATABASE", "INSECURE", "LOG_FORMAT", "KEYS_FILE"):
        monkeypatch.setenv(f"DUVO_SERVE_{name}", empty)
    args = parsed()
    assert (args.port, args.host, args.database) == (None, "127.0.0.1", None)
    assert (args.insecure, args.log_format, args.variables) == (False, "text", [])
    with pytest.raises(UsageError, match="give --keys-file"):
        parsed("agents.py")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("PORT", "abc", "DUVO_SERVE_PORT: 'abc' is not a whole number"),
        ("PORT", "70000", "DUVO_SERVE_PORT: '70000' is above 65535"),
        ("INSECURE", "maybe", "DUVO_SERVE_INSECURE: 'maybe' is neither 1 nor 0"),
        ("LOG_FORMAT", "xml", "DUVO_SERVE_LOG_FORMAT: 'xml' is not one of text, json"),
        ("HOST", "a\nb", "DUVO_SERVE_HOST: the value has characters that cannot be printed"),
        ("HOST", "caf\udce9", "DUVO_SERVE_HOST: the value has characters"),
    ],
)
def test_a_bad_value_names_the_variable(
    name: str, text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"DUVO_SERVE_{name}", text)
    with pytest.raises(UsageError) as failed:
        parsed()
    assert says in str(failed.value)
    assert "duvo serve --help" in str(failed.value)


def test_the_options_of_every_command_have_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUVO_SERVE_JSON", "1")
    assert not parsed().json
    parser = Parser("dev")
    parser.add_argument("--port", type=count)
    monkeypatch.setenv("DUVO_SERVE_PORT", "5")
    parser.add_common()
    assert parser.parse([]).port is None
