"""What a command with --json says to a script: one object, `ok`, and on failure `error`.

docs/json.md describes it, and a test holds that page to what the commands print.
"""

from typing import Any

from fieldpost.terminal import to_json

# The codes that an `error` may have. A script may rely on them; the message is for people.
CODES = {
    "failed": "it can't be done, for the reason that the message gives",
    "usage": "the command line makes no sense; what is wrong with it stands on standard error",
    "fault": "a fault of Fieldpost itself; what is to be reported stands on standard error",
    "board": "the board can't be worked with",
    "board_port": "the port does not exist, may not be used, or another program uses it",
    "board_silent": "nothing on the port answers as MicroPython does",
    "board_lost": "the port went away while it was in use",
    "board_program": "the board raised an exception",
    "board_senseless": "what the board says makes no sense",
    "board_file": "a file on the board can't be read or written",
    "broker_away": "there is no connection with the broker",
    "broker_lost": "the connection ended before the broker had answered",
    "broker_silent": "the broker did not answer in time",
    "broker_denied": "the broker does not let us subscribe",
    "some_failed": "it failed for some of the boards; each has its own `ok` or state",
    "bus_stuck": "a bus can't be scanned: its lines are held low, or there is noise",
    "bad_config": "the configuration has errors; `errors` lists them",
    "missing": "something that is needed is missing; `checks` says what",
    "not_measuring": "the configuration is written, but its node does not measure with it",
    "node_silent": "the node did not answer in time",
    "node_refused": "the node has refused the command; the message is its own",
    "readings_missing": "readings are missing, or came twice with different contents",
    "nothing_delivered": "the node has delivered nothing",
    "expired": "a certificate has expired",
    "names_refused": "files with names that no file may have here were left out",
    "not_imported": "Home Assistant did not get a field; `fields` says which",
    "account": "the account of the readings has a gap, or a reading twice",
}


def result(
    values: dict[str, Any], failure: tuple[str, str] | None = None, indent: int | None = 2
) -> str:
    """The object as text. failure: a code of CODES and words for people, None for success."""
    told: dict[str, Any] = {**values, "ok": failure is None}
    told = {"ok": told.pop("ok"), **told}
    if failure:
        code, message = failure
        assert code in CODES
        told["error"] = {"code": code, "message": message}
    return to_json(told, indent)


def all_of(name: str, outcomes: list[dict[str, Any]], what: str) -> str:
    """The result of a command that does the same with several boards, each with its own `ok`."""
    failed = [one for one in outcomes if not one["ok"]]
    count = f"{what} failed for {len(failed)} of {len(outcomes)} boards"
    return result({name: outcomes}, ("some_failed", count) if failed else None)
