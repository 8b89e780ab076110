"""What a command with --json says to a script: one object, `ok`, and on failure `error`.

docs/json.md describes it, and a test holds that page to what the commands print.
"""

from typing import Any

from fieldpost.terminal.safe_text import to_json

# The codes that an `error` may have. A script may rely on them; the message is for people.
CODES = {
    "failed": "it can't be done, for the reason that the message gives",
    "usage": "what was typed makes no sense, by itself or with what is there",
    "cancelled": "nobody agreed to what the command asks about before it does it",
    "interrupted": "Ctrl-C or a signal ended it before it was done",
    "fault": "a fault of Fieldpost itself; what is to be reported stands on standard error",
    "timeout": "what was waited for did not come in time",
    "bad_config": "the configuration has errors, or does not fit the board",
    "bad_file": "a file is missing, can't be read, or is not what it should be",
    "file_kept": "a file is there already, and is not overwritten",
    "not_written": "a file on this computer, or the output, can't be written",
    "not_fetched": "a file can't be had from the network, or is not the one that is published",
    "not_signed": "a signature is missing, or is not by a key that counts",
    "missing_tool": "a program or a package that is needed is not installed",
    "missing": "something that is needed is missing; `checks` says what",
    "ended": "a program that was started here did not start, or has ended by itself",
    "port_taken": "another program listens on the network port",
    "no_board": "no board was found",
    "several_boards": "several boards are connected, and none of them was named",
    "some_failed": "it failed for some of several boards; each has its own `code`",
    "board": "the board can't be worked with",
    "board_port": "the port does not exist, or is none",
    "board_denied": "this user may not use the port",
    "board_busy": "another program uses the port",
    "board_silent": "nothing on the port answers as MicroPython does",
    "board_lost": "the port went away while it was in use",
    "board_program": "the board raised an exception",
    "board_senseless": "what the board says makes no sense",
    "board_file": "a file on the board can't be read or written",
    "board_unfit": "the board can't run what it is to be given, or is not supported",
    "not_flashed": "the image is not on the board, or MicroPython does not answer after it",
    "names_refused": "files with names that no file may have here were left out",
    "bus_stuck": "a bus can't be scanned: its lines are held low, or there is noise",
    "not_measuring": "all is written, but the node does not start or does not measure with it",
    "no_node": "the broker knows no node of this name, or the board was never set up as one",
    "went_back": "the node has taken its configuration of before back",
    "not_updated": "a node that was named or is there does not run the release; `nodes` says why",
    "node_silent": "the node did not answer in time",
    "node_senseless": "what the node says makes no sense",
    "node_refused": "the node has refused the command; the message is its own",
    "broker_away": "there is no connection with the broker",
    "broker_refused": "the broker does not let us in: it wants another login",
    "broker_untrusted": "there is no TLS with the broker, or it is not to be trusted",
    "broker_lost": "the connection ended before the broker had answered",
    "broker_silent": "the broker did not answer in time",
    "broker_denied": "the broker does not let us subscribe",
    "readings_missing": "readings are missing, or came twice with different contents",
    "nothing_delivered": "the node has delivered nothing",
    "account": "the account of the readings has a gap, or a reading twice",
    "expired": "a certificate has expired",
    "ha_away": "Home Assistant can't be reached, or does not answer as Home Assistant does",
    "ha_refused": "Home Assistant refuses the token, or what was asked of it",
    "store_away": "the store of readings can't be reached, or takes nothing now",
    "store_unfit": "what is there is no store of readings, or one of a newer Fieldpost",
    "not_imported": "Home Assistant did not get a field; `fields` says which",
}
# The exit status of a failure is 1, but for these.
_STATUS = {"usage": 2, "interrupted": 130}


def status_of(code: str) -> int:
    """The exit status of a command that fails with this code of CODES."""
    return _STATUS.get(code, 1)


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
    """The result of a command that does the same with several boards, each with its own `ok`,
    `text` and `code`."""
    failed = [one for one in outcomes if not one["ok"]]
    failure = None
    if failed:
        count = f"{what} failed for {len(failed)} of {len(outcomes)} boards"
        alone = outcomes[0] if len(outcomes) == 1 else None
        failure = (alone["code"], alone["text"]) if alone else ("some_failed", count)
    return result({name: outcomes}, failure)
