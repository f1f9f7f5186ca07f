"""Help of `duvo` itself, of groups and of topics. Loads no argparse."""

from __future__ import annotations

from ..registry import GROUPS, commands_of, sentence

_COMMON = {
    "--json": "print the API's JSON, with the documented names added",
    "--jq EXPR": "print what a jq expression makes of the JSON",
    "--profile NAME": "use this profile's key, address and team",
    "--team ID": "act in this team",
    "--base-url URL": "the API's address",
    "--timeout S": "seconds for one request, or for a whole command that waits",
    "--debug": "log every request to stderr",
    "--version": "print the version",
    "-h, --help": "explain a command: `duvo runs start --help`",
}

_EXIT_CODES = """\
Exit codes

  0    success
  1    a usage error, or any error not named below
  2    no API key, a key that is not accepted, or an unknown profile
  3    not found
  4    the run failed
  5    the run was stopped
  6    the run waits for a human, and nothing here can answer
  124  the time was up; the run continues
  130  interrupted by Ctrl-C; a run that was followed continues
  141  the reader of the output went away (`| head`)

4 and 5 come from `runs wait`, from `runs start --wait`, and with
`--exit-status` from `--follow` and `runs watch`. `runs start-many` exits with
the first of these that applies to any run: 4 failed, 1 could not be started,
6 left unanswered by `--on-request fail`, 5 stopped; 0 if all completed.
`duvo dev -- COMMAND` exits as COMMAND does: 127 if it is not found, 126 if it
cannot be run, 128 plus the signal's number if a signal ends it.
"""

_ENVIRONMENT = """\
Environment

  DUVO_API_KEY       the API key
  DUVO_API_BASE_URL  the API's address (https://api.duvo.ai)
  DUVO_TEAM_ID       the team, for keys with access to several
  DUVO_PROFILE       the profile to use instead of the default
  DUVO_CONFIG_DIR    the directory of profiles.toml
  DUVO_STATE_DIR     the directory of the files of `duvo dev` and `duvo serve`
  DUVO_SERVE_KEYS_FILE, DUVO_SERVE_DATABASE, DUVO_SERVE_HOST, DUVO_SERVE_PORT,
  DUVO_SERVE_TLS_CERT, DUVO_SERVE_TLS_KEY, DUVO_SERVE_INSECURE, DUVO_SERVE_QUIET,
  DUVO_SERVE_LOG_FORMAT
                     the options of `duvo serve` of these names
  DUVO_DEBUG         1 is the same as --debug
  DUVO_DEV_DATABASE  set by `duvo dev -- duvo …`: temporary or kept
  NO_COLOR           if not empty, no colours
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
                     the proxy, and the hosts to reach without it; loopback always is
  SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE
                     the file of certificates to trust

Flags take precedence over the environment, and the environment over the
default profile. A profile named by --profile counts as a flag: its key, address
and team are used together.
"""

TOPICS = {"exit-codes": _EXIT_CODES, "environment": _ENVIRONMENT}


def overview() -> str:
    """The text of `duvo --help`."""
    lines = [
        "usage: duvo COMMAND …",
        "",
        "Start, follow, answer and stop Duvo agent runs.",
        "",
        "Without an account, try a complete run on this machine:",
        "",
        '  duvo dev -- duvo runs start --agent "Invoice approver" --follow --on-request approve',
        "",
    ]
    for group, about in GROUPS.items():
        lines += [f"duvo {group} …: {about}", *_rows(commands_of(group)), ""]
    lines += ["Others", *_rows(commands_of("")), ""]
    lines += ["Options of every command", *_rows(_COMMON), ""]
    lines += ["See also `duvo help exit-codes` and `duvo help environment`."]
    return "\n".join(lines) + "\n"


def group_overview(group: str) -> str:
    """The text of `duvo GROUP --help`."""
    return "\n".join(
        [
            f"usage: duvo {group} COMMAND …",
            "",
            sentence(GROUPS[group]),
            "",
            *_rows(commands_of(group)),
            "",
            f"`duvo {group} COMMAND --help` explains a command.",
            "",
        ]
    )


def _rows(about: dict[str, str]) -> list[str]:
    return [f"  {name:16}  {text}" for name, text in about.items()]
