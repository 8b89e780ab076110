"""The fakes of the ESP32 port answer as genuine images do."""

from __future__ import annotations

import json
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from rigs.emulated import SCRIPTS
from rigs.esp32_c3 import afresh, at_prompt

from fakes.machine import Chip
from fieldpost.deploy.compile import compile_module
from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.flash import images

pytestmark = pytest.mark.timeout(240)

_SCRIPT = SCRIPTS / "ask_port.py"
_ANSWERS_S = 90
# Taken by 1.24 and refused by 1.27, which says another reason than versions before: the fake is as
# strict as the strictest.
_STRICTER = {"joining: a second connect", "up: a second connect"}


def _of_fakes(is_before_1_27: bool) -> dict[str, Any]:
    spec = util.spec_from_file_location("ask_port", _SCRIPT)
    assert spec and spec.loader
    script = util.module_from_spec(spec)
    spec.loader.exec_module(script)
    chip = Chip("ESP32C3")
    chip.is_before_1_27 = is_before_1_27
    chip.network.script = [[(0, 1001), (2500, 201)], [], [(0, 1001), (1000, 1010)]]
    said: list[str] = []
    modules = (chip.machine(), chip.network.module(), chip.esp32(), chip.time)
    script.ask(*modules, ESP32_C3.ssid, said.append)
    return dict(map(json.loads, said))


@afresh
def test_each_question_to_the_port_has_the_answer_that_the_fakes_give(genuine: Path) -> None:
    files = {"ask_port.mpy": compile_module(_SCRIPT, "ask_port.py")}
    with at_prompt(genuine, files) as (_, link):
        call = f"import ask_port\nask_port.ask_board({ESP32_C3.ssid!r})"
        said = link.exec(call, _ANSWERS_S).decode()
    lines = [line for line in said.splitlines() if line.startswith('["')]
    version = images.examine(genuine).version or ""
    fake = _of_fakes(tuple(map(int, version.split("."))) < (1, 27))
    real = dict(map(json.loads, lines))
    assert real.keys() == fake.keys()
    different = {
        question: (answer, fake[question])
        for question, answer in real.items()
        if answer != fake[question] and question not in _STRICTER
    }
    assert not different
