"""Fetches an image of the catalogue once: resumed, checked, and kept in the user's cache.

httpx2 does the transfer. It came in with unearth already, is pinned by hash with it, has a limit
for every wait by default, and trusts the certificates that this system trusts.
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from fieldpost.board.screen import Screen
from fieldpost.errors import NotFetched, NotWritten
from fieldpost.flash import images
from fieldpost.flash.catalogue import Entry
from fieldpost.flash.images import Image, ImageRefused
from fieldpost.paths import cache_folder

Progress = Callable[[int, int | None], None]
Say = Callable[[str], None]

_CONNECT_S = 10.0
_READ_S = 20.0
_WHOLE_S = 900.0
_ATTEMPTS = 4
_PAUSE_S = 0.5
_SMALLEST = 64 * 1024
_PAGE_TYPES = ("text/html", "application/xhtml", "application/json", "application/xml", "text/xml")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_KNOWN = "known.json"
_one_at_a_time = threading.Lock()


class _TryAgain(Exception):
    """The transfer broke off; what has come is kept."""


def obtain_shown(entry: Entry, screen: Screen, where: str) -> Image:
    """As `obtain`; how far it is goes to `screen`, as of `where`."""
    return obtain(
        entry,
        on_progress=lambda done, total: screen.progress(
            where, f"downloading {entry.file_name}", done, total
        ),
        say=lambda text: screen.say(where, text),
    )


def obtain(
    entry: Entry,
    *,
    folder: Path | None = None,
    on_progress: Progress | None = None,
    say: Say | None = None,
    pause_s: float = _PAUSE_S,
) -> Image:
    """The image of `entry`, from the cache or from its address, checked either way.

    on_progress gets bytes and their total (None: not known); say, a sentence for the user.
    Raises CommandError: unreachable, or not what it should be. Then nothing is kept of it.
    """
    tell = say or (lambda _: None)
    cache = folder or cache_folder() / "images"
    with _one_at_a_time:
        target = cache / entry.file_name
        if target.exists():
            try:
                image = images.examine(target)
                _vouch(entry, image, cache, tell)
                return image
            except ImageRefused as error:
                tell(f"The copy in the cache is not usable and is fetched anew: {error}")
                target.unlink()
        partial = cache / (entry.file_name + ".partial")
        try:
            cache.mkdir(parents=True, exist_ok=True)
            _download(entry, partial, on_progress or (lambda *_: None), pause_s)
            _vouch(entry, images.examine(partial), cache, tell)
        except OSError as error:
            raise NotWritten(f"cannot write to the cache {cache}: {error.strerror}") from None
        except ImageRefused:
            _forget(partial)
            raise
        partial.replace(target)
        _tag_file(partial).unlink(missing_ok=True)
        return images.examine(target)


def _vouch(entry: Entry, image: Image, cache: Path, tell: Say) -> None:
    """Check the image against the catalogue and, where that has no hash, against the first one."""
    images.check_entry(image, entry)
    if entry.sha256:
        return
    file = cache / _KNOWN
    known = json.loads(file.read_text()) if file.exists() else {}
    if entry.url in known:
        if known[entry.url] != image.sha256:
            raise ImageRefused(
                f"{entry.file_name} is not the file that was downloaded here first: its SHA-256 "
                f"is {image.sha256}, and was {known[entry.url]}. If its publisher says that it "
                f"was replaced, remove its line from {file}."
            )
        return
    known[entry.url] = image.sha256
    new = file.with_suffix(".new")
    new.write_text(json.dumps(known, indent=2))
    new.replace(file)
    tell(
        f"The catalogue has no hash for {entry.file_name}, so nobody vouches for this first "
        f"download but its publisher's web server. It is whole and is MicroPython {image.version} "
        f"for {image.chip}. Its SHA-256, {image.sha256}, is remembered: a later download must "
        "have the same."
    )


def _download(entry: Entry, partial: Path, on_progress: Progress, pause_s: float) -> None:
    end = time.monotonic() + _WHOLE_S
    timeout = httpx2.Timeout(_READ_S, connect=_CONNECT_S)
    last = ""
    with httpx2.Client(timeout=timeout, follow_redirects=True, max_redirects=5) as client:
        for attempt in range(_ATTEMPTS):
            try:
                _transfer(client, entry, partial, on_progress, end)
                return
            except (_TryAgain, httpx2.TransportError) as error:
                last = str(error) or type(error).__name__
            except httpx2.HTTPError as error:
                last = str(error) or type(error).__name__
                break
            time.sleep(pause_s * 2**attempt)
    raise NotFetched(
        f"cannot download {entry.url}: {last}. What has come is kept, and the next try goes on "
        "from there. Without a network: download that file elsewhere, and give it with --image."
    )


def _transfer(
    client: httpx2.Client, entry: Entry, partial: Path, on_progress: Progress, end: float
) -> None:
    tag = _tag_file(partial)
    have = partial.stat().st_size if partial.exists() and tag.exists() else 0
    # Compressed, neither sizes nor ranges would be those of the file.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag.read_text()}
    with client.stream("GET", entry.url, headers=headers) as response:
        if response.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE:
            _forget(partial)
            raise _TryAgain("the server has not the rest of it")
        if response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
            raise _TryAgain(f"the server answered {response.status_code}")
        if response.status_code not in (httpx2.codes.OK, httpx2.codes.PARTIAL_CONTENT):
            raise NotFetched(
                f"{entry.url} is not there: the server answered {response.status_code}. Has this "
                "version been withdrawn? Give another with --version, or a file with --image."
            )
        _check_answer(response, entry)
        if response.status_code == httpx2.codes.OK:
            _forget(partial)
            have = 0
        elif not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
            _forget(partial)
            raise _TryAgain("the server sent another part than was asked for")
        _receive(response, entry, partial, have, on_progress, end)


def _check_answer(response: httpx2.Response, entry: Entry) -> None:
    for step in (*response.history, response):
        if step.url.scheme != "https" and step.url.host not in _LOOPBACK:
            raise NotFetched(f"{entry.url} leads to {step.url}, which is not https: refused")
    kind = response.headers.get("content-type", "").lower()
    if kind.startswith(_PAGE_TYPES):
        raise ImageRefused(
            f"{entry.url} sent a web page ({kind}) instead of an image. Nothing was kept of it. "
            "Does this network ask for a login first? Try again, or give a file with --image."
        )


def _receive(
    response: httpx2.Response,
    entry: Entry,
    partial: Path,
    have: int,
    on_progress: Progress,
    end: float,
) -> None:
    length = response.headers.get("content-length")
    total = have + int(length) if length and length.isdigit() else None
    if total is not None:
        _check_size(total, entry)
    validator = response.headers.get("etag") or response.headers.get("last-modified")
    if not have and validator and not validator.startswith("W/"):
        _tag_file(partial).write_text(validator)
    with partial.open("ab") as file:
        # As it comes: gathered into larger pieces, the last would be lost when the line breaks.
        for chunk in response.iter_raw():
            if not have and images.kind_of(chunk) is None:
                raise ImageRefused(
                    f"{entry.url} sent something that is no image: it begins with "
                    f"{bytes(chunk[:16])!r}. Nothing was kept of it."
                )
            have += len(chunk)
            if have > images.LARGEST:
                raise ImageRefused(f"{entry.url} sends more than any board holds: given up")
            file.write(chunk)
            on_progress(have, total)
            if time.monotonic() > end:
                raise NotFetched(
                    f"{entry.url} is so slow that {_WHOLE_S:g} s were not enough. What has come "
                    "is kept: run the command again to go on."
                )
    if total is not None and have != total:
        raise _TryAgain(f"the transfer ended after {have} of {total} bytes")
    _check_size(have, entry)


def _check_size(size: int, entry: Entry) -> None:
    if entry.size is not None and size != entry.size:
        raise ImageRefused(
            f"{entry.url} has {size} bytes, and the catalogue says {entry.size}. Nothing was kept."
        )
    if not _SMALLEST <= size <= images.LARGEST:
        raise ImageRefused(f"{entry.url} has {size} bytes: no image for a board. Nothing was kept")


def _tag_file(partial: Path) -> Path:
    return partial.with_suffix(".tag")


def _forget(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _tag_file(partial).unlink(missing_ok=True)
