"""Where a sensor failed is told in full, with what the port has for that."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from firmware.log import DEBUG
from firmware.readings import failure, sensors


def _failed() -> Exception:
    try:
        raise OSError(110)
    except OSError as error:
        return error


def test_the_traceback_goes_to_the_log_line_by_line_and_only_for_who_looks_for_it() -> None:
    lines: list[tuple[str, int]] = []
    text = failure.explain("roof", _failed(), lambda line, level: lines.append((line, level)))
    assert text == "OSError 110 timed out"
    assert all(line.startswith("sensor roof: ") and level == DEBUG for line, level in lines)
    told = "\n".join(line for line, _ in lines)
    assert "test_failure.py" in told and "in _failed" in told
    assert "OSError: " not in told, "what is said anyway is said twice"
    assert failure.explain("roof", _failed(), None) == text


def test_a_port_that_prints_exceptions_itself_is_asked_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def print_exception(error: Exception, out: Any) -> None:
        out.write(f"as the port has it: {error}")

    monkeypatch.setattr(sys, "print_exception", print_exception, raising=False)
    assert failure.traceback_of(ValueError("x")) == "as the port has it: x"


def test_a_mistake_in_a_driver_is_told_with_its_line_at_every_level() -> None:
    def silent(line: str, level: int) -> None:
        pass

    with pytest.raises(KeyError) as caught:
        {}["voltz"]
    mistake = caught.value
    line = mistake.__traceback__.tb_lineno if mistake.__traceback__ else 0
    assert failure.explain("uv", mistake, silent).endswith(f" (test_failure.py, line {line})")
    # What a device does is no mistake.
    for error in (_failed(), ValueError("bad checksum")):
        assert "line" not in failure.explain("uv", error, silent)


def test_what_is_wrong_where_a_driver_is_built_names_no_line_of_the_firmware() -> None:
    error = None
    try:
        sensors._build(["there_is_no_such_module:Driver"], None)
    except ImportError as caught:
        error = caught.with_traceback(caught.__traceback__ and caught.__traceback__.tb_next)
    assert error
    told = failure.explain("uv", error, lambda line, level: None)
    assert "there_is_no_such_module" in told and "line" not in told
