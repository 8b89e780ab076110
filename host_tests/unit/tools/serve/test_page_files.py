"""What the page is made of: our own files, and those of uPlot as they were published."""

from __future__ import annotations

import hashlib
import re

from fieldpost.serve.app import PAGE

# uPlot 1.6.32.
PUBLISHED = {
    "uPlot-LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}


def test_the_files_of_others_are_as_they_were_published_with_their_licence() -> None:
    found = {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest()
        for one in (PAGE / "vendor").iterdir()
    }
    assert found == PUBLISHED


def test_nothing_is_loaded_from_elsewhere_and_nothing_from_a_node_is_made_markup() -> None:
    for path in PAGE.iterdir():
        if path.is_dir():
            continue
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), path
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text
        )
