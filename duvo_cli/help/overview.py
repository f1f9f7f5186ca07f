"""The help of `duvo` itself, of a group, and of the topics. Loads no argparse."""

from __future__ import annotations

from ..registry import COMMANDS, GROUPS, sentence

_COMMON = {
    "--json": "print JSON, as the API sends it, with the documented names added",
    "--profile NAME": "use this profile's key, address and team",
    "--team ID": "act in this team",
    "--base-url URL": "talk to the API at this address",
    "--timeout S": "seconds for one request; where a command waits, seconds in all",
    "--debug": "tell each request on stderr",
    "--version": "print the version",
    "-h, --help": "explain a command: `duvo runs start --help`",
}

_EXIT_CODES = """\
Exit codes

  0    done
  1    a usage error, or anything that is not named below
  2    no key, a key that is not accepted, or an unknown profile
  3    not found
  4    the run failed
  5    the run was stopped
  6    the run asks a human something that nothing here may answer
  124  the time was up; the run goes on
  130  interrupted by Ctrl-C; a run that was followed goes on
  141  whoever read the output went away (`| head`)

4 and 5 come from `runs wait`, `runs start --wait`, and from `--follow` and `runs
watch` with `--exit-status`. `runs start-many` exits with the first of these that
fits any of its runs: 4 failed, 1 could not be started, 6 asks and is left by
`--on-request fail`, 5 was stopped; 0 when all completed. `duvo dev -- COMMAND`
exits as COMMAND does: 127 when it is not found, 126 when it cannot be run, 128
and the signal's number when one ends it.
"""

_ENVIRONMENT = """\
Environment

  DUVO_API_KEY       the API key
  DUVO_API_BASE_URL  the API's address (https://api.duvo.ai)
  DUVO_TEAM_ID       the team, where a key sees several
  DUVO_PROFILE       the profile to use, in place of the default one
  DUVO_CONFIG_DIR    the folder of profiles.toml
  DUVO_STATE_DIR     the folder of what `duvo dev` and `duvo serve` keep
  DUVO_DEBUG         1 is --debug
  NO_COLOR           anything but empty: no colour
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY
                     the proxy, and the hosts that need none
  SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE
                     the file with the certificates to trust

What is given as a flag beats the environment, and that beats the profile. A
profile that is named by --profile is a flag: its key, address and team are used
together.
"""

TOPICS = {"exit-codes": _EXIT_CODES, "environment": _ENVIRONMENT}


def overview() -> str:
    """What `duvo --help` prints."""
    lines = [
        "usage: duvo COMMAND …",
        "",
        "Start, follow, answer and stop Duvo agent runs.",
        "",
        "Without an account, this shows one whole run on this machine:",
        "",
        '  duvo dev -- duvo runs start --agent "Invoice approver" --follow --on-request approve',
        "",
    ]
    for group, about in GROUPS.items():
        lines += [f"duvo {group} …: {about}", *_rows(_commands(group)), ""]
    lines += ["Others", *_rows(_commands("")), "", "Options of every command", *_rows(_COMMON), ""]
    lines += ["`duvo help exit-codes` and `duvo help environment` tell the rest."]
    return "\n".join(lines) + "\n"


def group_overview(group: str) -> str:
    """What `duvo GROUP --help` prints."""
    return "\n".join(
        [
            f"usage: duvo {group} COMMAND …",
            "",
            sentence(GROUPS[group]),
            "",
            *_rows(_commands(group)),
            "",
            f"`duvo {group} COMMAND --help` explains one.",
            "",
        ]
    )


def _commands(group: str) -> dict[str, str]:
    if group:
        names = [name for name in COMMANDS if name.startswith(f"{group} ")]
        return {name.removeprefix(f"{group} "): COMMANDS[name] for name in names}
    return {name: about for name, about in COMMANDS.items() if " " not in name}


def _rows(about: dict[str, str]) -> list[str]:
    return [f"  {name:16}  {text}" for name, text in about.items()]
