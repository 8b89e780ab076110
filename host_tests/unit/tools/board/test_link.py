"""A board is stopped, asked and set going again over its port; no wait is without an end."""

import base64
import fcntl
import hashlib
import random
import struct
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rigs.port import micropython

from fakes.raw_repl import RawReplBoard
from fakes.serial_lines import chatty_port, silent_port
from fieldpost.board import files as board_files
from fieldpost.board import link as board_link
from fieldpost.board.errors import BoardError, LinkLost, NoAnswer, PortUnavailable, ProgramError
from fieldpost.board.link import open_link

Make = Callable[..., RawReplBoard]
ALIVE = "import time\nn = 0\nwhile True:\n    n += 1\n    time.sleep_ms(10)\n"
DEAF_TO_CTRL_C = (
    "import time\nwhile True:\n    try:\n        print('spam'); time.sleep_ms(1)\n"
    "    except KeyboardInterrupt:\n        pass\n"
)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[RawReplBoard] = []

    def one(files: dict[str, str] | None = None, **options: object) -> RawReplBoard:
        folder = tmp_path / f"board{len(made)}"
        folder.mkdir()
        for name, text in (files or {}).items():
            (folder / name).write_text(text)
        board = RawReplBoard(folder, tmp_path / f"tty{len(made)}", micropython(), **options)
        made.append(board)
        board.plug_in()
        return board

    yield one
    for board in made:
        board.unplug()


@pytest.mark.slow
def test_tools_1_the_first_call_after_plug_in_enters_the_raw_repl(make: Make) -> None:
    board = make(deaf_s=1.0)
    with open_link(board.port, 5) as link:
        assert link.eval("6 * 7") == 42


@pytest.mark.slow
def test_a_board_that_answers_each_try_late_is_not_misunderstood(make: Make) -> None:
    board = make()
    board.be_busy(4.0)
    with open_link(board.port, 20) as link:
        assert [link.eval(f"{n} * 7") for n in range(3)] == [0, 7, 14]


@pytest.mark.slow
def test_a_board_that_was_given_up_while_busy_is_not_misunderstood_by_the_next(
    make: Make,
) -> None:
    board = make()
    board.be_busy(5.0)
    with pytest.raises(NoAnswer):
        open_link(board.port, 4)
    with open_link(board.port, 20) as link:
        assert [link.eval(f"{n} * 7") for n in range(3)] == [0, 7, 14]


def test_tools_1_a_silent_port_ends_at_its_limit() -> None:
    with silent_port() as port:
        begin = time.monotonic()
        with pytest.raises(NoAnswer, match="fieldpost flash") as raised:
            open_link(port, 1)
        assert time.monotonic() - begin < 4
        assert not raised.value.chatty


def test_tools_1_a_chatty_port_ends_at_its_limit() -> None:
    with chatty_port() as port:
        begin = time.monotonic()
        with pytest.raises(NoAnswer, match="without end") as raised:
            open_link(port, 1)
        assert time.monotonic() - begin < 4
        assert raised.value.chatty


@pytest.mark.slow
def test_tools_1_a_program_that_prints_and_ignores_ctrl_c_ends_at_the_limit(make: Make) -> None:
    board = make({"main.py": DEAF_TO_CTRL_C})
    begin = time.monotonic()
    with pytest.raises(NoAnswer) as raised:
        open_link(board.port, 1.5)
    assert time.monotonic() - begin < 5
    assert raised.value.chatty


def test_tools_1_a_command_that_never_ends_is_given_up_and_the_board_can_be_had_back(
    make: Make,
) -> None:
    with open_link(make().port) as link:
        with pytest.raises(NoAnswer, match=r"within 0\.5 s"):
            link.exec("while True: pass", 0.5)
        with pytest.raises(NoAnswer):
            link.exec("while True: print('x' * 99)", 0.5)
        link.interrupt(5)
        assert link.eval("1 + 1") == 2


def test_tools_2_opening_and_closing_the_port_does_not_reset_the_board(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The circuit on ESP32 boards: EN is low, the chip in reset, while RTS is up and DTR down; IO0
    # is low, and a reset ends in the bootloader, while DTR is up and RTS down. The operating
    # system raises both in one step when the port is opened.
    lines = {"dtr": True, "rts": True}
    states = [dict(lines)]
    bits = {"dtr": termios.TIOCM_DTR, "rts": termios.TIOCM_RTS}
    real = fcntl.ioctl

    def watched(fd: int, request: int, *rest: object) -> object:
        if request in (termios.TIOCMBIS, termios.TIOCMBIC):
            (mask,) = struct.unpack("I", bytes(rest[0]))  # type: ignore[arg-type]
            lines.update({n: request == termios.TIOCMBIS for n, bit in bits.items() if mask & bit})
            states.append(dict(lines))
        return real(fd, request, *rest)  # type: ignore[arg-type]

    board = make()
    monkeypatch.setattr("fcntl.ioctl", watched)
    with open_link(board.port) as link:
        assert link.eval("1") == 1
        opened = len(states)
        assert lines == {"dtr": True, "rts": True}, "an RP2 is mute without DTR"
    assert len(states) > opened, "closing touched no line: the test watches the wrong calls"
    assert {"dtr": False, "rts": True} not in states, states
    assert board.hard_resets == 0


def test_a_program_that_ran_runs_again_afterwards(make: Make) -> None:
    board = make({"main.py": "open('/runs', 'a').write('x')\n" + ALIVE})
    with open_link(board.port) as link:
        assert link.was_running
        assert link.eval("n > 0")
    _until(lambda: (board.folder / "runs").read_text() == "xx")


def test_a_board_at_its_prompt_is_left_there_with_its_variables(make: Make) -> None:
    board = make()
    with open_link(board.port) as link:
        assert not link.was_running
        link.exec("kept = 7")
    with open_link(board.port) as link:
        assert link.eval("kept") == 7
    assert board.soft_resets == 0


def test_one_ctrl_c_is_sent_so_that_a_node_can_write_what_it_holds(make: Make) -> None:
    main = (
        "import time\ntry:\n    while True: time.sleep_ms(10)\n"
        "except KeyboardInterrupt:\n    time.sleep_ms(600)\n    open('/saved', 'w').write('all')\n"
    )
    board = make({"main.py": main})
    with open_link(board.port) as link:
        link.exec("pass")
    assert (board.folder / "saved").read_text() == "all"


def test_an_exception_on_the_board_comes_with_its_traceback(make: Make) -> None:
    with open_link(make().port) as link:
        with pytest.raises(ProgramError, match="ZeroDivisionError") as raised:
            link.exec("def f():\n    1 / 0\nf()")
        assert "in f" in raised.value.traceback


def test_output_can_be_followed_while_it_comes(make: Make) -> None:
    came: list[bytes] = []
    with open_link(make().port) as link:
        assert link.exec("for i in range(3): print(i)", on_output=came.append) == b""
    assert b"".join(came).split() == [b"0", b"1", b"2"]


def test_soft_reset_forgets_and_stays_in_the_raw_repl(make: Make) -> None:
    board = make({"main.py": "open('/ran', 'a').write('x')\n"})
    _until((board.folder / "ran").exists)
    with open_link(board.port) as link:
        link.exec("x = 1")
        link.soft_reset()
        assert link.eval("'x' in globals()") is False
    assert (board.folder / "ran").read_text() == "x"


def test_restart_shows_what_main_prints(make: Make) -> None:
    with open_link(make({"main.py": "print('node is ready')\n"}).port) as link:
        link.restart()
        seen = b""
        for piece in link.console(5):
            seen += piece
            if b"ready" in seen:
                break
        assert b"node is ready" in seen


def test_hard_reset_and_bootloader_reach_the_chip(make: Make) -> None:
    board = make()
    with open_link(board.port) as link:
        link.hard_reset()
    _until(lambda: board.hard_resets == 1)
    with open_link(board.port) as link:
        link.enter_bootloader()
    assert board.in_bootloader.wait(5)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["restart", "close"])
def test_a_board_whose_sleeps_no_longer_end_is_started_again_by_a_hard_reset(
    make: Make, how: str
) -> None:
    main = "import time\nprint('node is ready')\nwhile True: time.sleep_ms(10)\n"
    board = make({"main.py": main}, stuck=True)
    with open_link(board.port) as link:
        assert link.was_running
        if how == "restart":
            link.restart()
            said = b""
            for piece in link.console(5):
                said += piece
                if b"ready" in said:
                    break
            assert b"node is ready" in said
            link.close(resume=False)
    _until(lambda: board.hard_resets == 1)
    with open_link(board.port) as link:
        assert link.was_running
    assert board.hard_resets == 1


@pytest.mark.slow
def test_a_missing_port_and_a_used_one_are_told_apart(make: Make, tmp_path: Path) -> None:
    with pytest.raises(PortUnavailable, match="there is no port"):
        open_link(str(tmp_path / "tty9"))
    (tmp_path / "file").touch()
    with pytest.raises(PortUnavailable, match="is no serial port"):
        open_link(str(tmp_path / "file"))
    board = make()
    with open_link(board.port), pytest.raises(PortUnavailable, match="Another program"):
        open_link(board.port)


def test_files_are_written_hashed_listed_read_and_removed(make: Make) -> None:
    board = make()
    data = random.Random(5).randbytes(5_000)
    steps: list[tuple[int, int]] = []
    with open_link(board.port) as link:
        board_files.make_folder(link, "/lib/deep")
        board_files.make_folder(link, "/lib/deep")
        path = "/lib/deep/name with 'quotes'.mpy"
        board_files.write_file(link, path, b"old")
        board_files.write_file(link, path, data, lambda *step: steps.append(step))
        assert steps[-1] == (5_000, 5_000)
        assert board_files.list_files(link) == {"/lib/": 0, "/lib/deep/": 0, path: 5_000}
        assert board_files.hash_files(link, [path, "/no"]) == {
            path: hashlib.sha256(data).hexdigest(),
            "/no": None,
        }
        assert board_files.read_file(link, path) == data
        board_files.remove_file(link, path)
        board_files.remove_file(link, path)
        with pytest.raises(board_files.FileError, match="there is no"):
            board_files.read_file(link, path)
        assert board_files.free_bytes(link) > 0
    assert list((board.folder / "lib" / "deep").iterdir()) == []


@pytest.mark.parametrize("after", [400, 1500, 4000, 9000])
def test_a_cable_pulled_out_while_writing_leaves_the_old_file_whole(
    make: Make, after: int
) -> None:
    board = make({"config.json": "old"})
    link = open_link(board.port)
    board.cut_after = board.bytes_received + after
    begin = time.monotonic()
    with pytest.raises(LinkLost, match="cable"):
        board_files.write_file(link, "/config.json", b"n" * 8_000)
    link.close()
    assert time.monotonic() - begin < 15
    assert (board.folder / "config.json").read_text() == "old"
    left = {file.name for file in board.folder.iterdir()}
    assert left <= {"config.json", "config.json" + board_files.TEMPORARY}
    board.plug_in()
    with open_link(board.port) as link:
        board_files.write_file(link, "/config.json", b"n" * 8_000)
    assert (board.folder / "config.json").read_text() == "n" * 8_000


@pytest.mark.parametrize("size", [3, 1024, 1025])
def test_a_file_that_arrives_damaged_is_discarded(
    make: Make, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    board = make({"a.py": "old"})
    real = base64.b64encode
    monkeypatch.setattr(base64, "b64encode", lambda data: real(data[:-1] + b"?"))
    with open_link(board.port) as link, pytest.raises(board_files.FileError, match="damaged"):
        board_files.write_file(link, "/a.py", b"n" * size)
    assert [file.name for file in board.folder.iterdir()] == ["a.py"]
    assert (board.folder / "a.py").read_text() == "old"


def test_mpremote_is_imported_in_one_module_alone() -> None:
    importing = [
        file.name
        for file in Path(board_link.__file__).parent.glob("*.py")
        if "mpremote" in file.read_text().split('"""', 2)[-1] and "import" in file.read_text()
    ]
    users = [
        name
        for name in importing
        if "from mpremote" in (Path(board_link.__file__).parent / name).read_text()
    ]
    assert users == ["link.py"]


def test_every_error_is_one_that_the_command_line_prints() -> None:
    from fieldpost.errors import CommandError

    assert issubclass(BoardError, CommandError)


def _until(condition: Callable[[], bool], limit_s: float = 5) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)
