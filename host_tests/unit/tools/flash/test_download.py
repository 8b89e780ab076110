"""An image is downloaded once, resumed, checked, and nothing else is ever kept as one."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.board_images import esp_image, uf2_image
from fakes.image_server import ImageServer
from fieldpost.errors import CommandError
from fieldpost.flash import download, images
from fieldpost.flash.catalogue import Entry
from fieldpost.flash.images import Image, ImageRefused

NAME = "RPI_PICO_W-20260824-v1.29.0.uf2"
DATA = uf2_image(blocks=1_500)
PAGE = b"<!DOCTYPE html><title>Log in to this network</title>" + b" " * 90_000

Get = Callable[..., Image]


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with ImageServer({"/" + NAME: DATA}) as one:
        yield one


@pytest.fixture
def get(server: ImageServer, tmp_path: Path) -> Get:
    def obtain(*, said: list[str] | None = None, **changed: object) -> Image:
        fields = {
            "board": "RPI_PICO_W",
            "chip": "RP2040",
            "version": "1.29.0",
            "url": f"{server.url}/{NAME}",
            "size": len(DATA),
            "sha256": hashlib.sha256(DATA).hexdigest(),
        } | changed
        say = (said if said is not None else []).append
        return download.obtain(Entry(**fields), folder=tmp_path, say=say, pause_s=0.01)

    return obtain


def test_an_image_is_downloaded_once_and_then_comes_from_the_cache(
    get: Get, server: ImageServer, tmp_path: Path
) -> None:
    image = get()
    assert image.path == tmp_path / NAME
    assert image.path.read_bytes() == DATA
    assert get().sha256 == image.sha256
    assert len(server.asked) == 1
    assert [file.name for file in tmp_path.iterdir()] == [NAME]


def test_progress_goes_from_nothing_to_all(get: Get, tmp_path: Path, server: ImageServer) -> None:
    steps: list[tuple[int, int | None]] = []
    entry = Entry("RPI_PICO_W", "RP2040", "1.29.0", f"{server.url}/{NAME}", None, None)
    download.obtain(entry, folder=tmp_path, on_progress=lambda *step: steps.append(step))
    assert steps[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(
    get: Get, server: ImageServer
) -> None:
    server.cut_at = [200_000, 500_000]
    assert get().path.read_bytes() == DATA
    starts = [wanted for _, wanted in server.asked]
    assert starts == [None, "bytes=200000-", "bytes=500000-"]


def test_a_download_given_up_goes_on_in_the_next_run(get: Get, server: ImageServer) -> None:
    server.cut_at = [100_000, 200_000, 300_000, 400_000]
    with pytest.raises(CommandError, match="next try goes on"):
        get()
    assert get().path.read_bytes() == DATA
    assert server.asked[-1][1] == "bytes=400000-"


def test_a_file_that_changed_in_between_is_fetched_from_its_begin(
    get: Get, server: ImageServer
) -> None:
    server.cut_at = [100_000] * 4
    with pytest.raises(CommandError):
        get(sha256=None, size=None)
    newer = uf2_image(blocks=1_400)
    server.files["/" + NAME] = newer
    server.etag = '"2"'
    assert get(sha256=None, size=None).path.read_bytes() == newer


def test_a_server_without_ranges_is_asked_for_all_of_it(get: Get, server: ImageServer) -> None:
    server.ranges = False
    server.cut_at = [100_000]
    assert get().path.read_bytes() == DATA


def test_a_busy_server_is_asked_again(get: Get, server: ImageServer) -> None:
    server.statuses = [503, 502]
    assert get().size == len(DATA)
    assert len(server.asked) == 3


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_tools_5_a_web_page_with_status_200_is_never_kept_as_an_image(
    get: Get, server: ImageServer, tmp_path: Path, kind: str
) -> None:
    server.files["/" + NAME] = PAGE
    server.kind = kind
    with pytest.raises(ImageRefused, match=r"web page|no image"):
        get(size=None, sha256=None)
    assert list(tmp_path.iterdir()) == []


def test_tools_5_a_missing_file_is_said_to_be_missing(
    get: Get, server: ImageServer, tmp_path: Path
) -> None:
    server.files.clear()
    with pytest.raises(CommandError, match=r"404.*--image"):
        get()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "served, changed, said",
    [
        (uf2_image(blocks=1_400), {}, "catalogue says"),
        (uf2_image(blocks=1_400), {"size": None}, "SHA-256"),
        (DATA[:-512], {"size": None, "sha256": None}, "missing"),
        (uf2_image(blocks=1_500, version="1.28.0"), {"sha256": None}, "version is 1.28.0"),
        (esp_image("ESP32", size=90_000), {"size": None, "sha256": None}, "chip is ESP32"),
        (DATA[: 512 * 10], {"size": None, "sha256": None}, "no image for a board"),
    ],
)
def test_what_is_not_what_the_catalogue_says_is_not_kept(
    get: Get,
    server: ImageServer,
    tmp_path: Path,
    served: bytes,
    changed: dict[str, None],
    said: str,
) -> None:
    server.files["/" + NAME] = served
    with pytest.raises(ImageRefused, match=said):
        get(**changed)
    assert [file.name for file in tmp_path.iterdir() if file.name != "known.json"] == []


def test_a_hash_that_is_not_known_is_remembered_with_a_clear_sentence(
    get: Get, server: ImageServer, tmp_path: Path
) -> None:
    said: list[str] = []
    image = get(sha256=None, size=None, said=said)
    assert len(said) == 1
    assert "remembered" in said[0] and image.sha256 in said[0] and "nobody vouches" in said[0]
    assert json.loads((tmp_path / "known.json").read_text()) == {image_url(server): image.sha256}
    get(sha256=None, size=None, said=said)
    assert len(said) == 1, "said again though it was known"


def test_a_later_download_must_have_the_hash_of_the_first(
    get: Get, server: ImageServer, tmp_path: Path
) -> None:
    get(sha256=None, size=None).path.unlink()
    server.files["/" + NAME] = uf2_image(blocks=1_501)
    with pytest.raises(ImageRefused, match="downloaded here first"):
        get(sha256=None, size=None)
    assert not (tmp_path / NAME).exists()


def test_a_spoilt_copy_in_the_cache_is_fetched_anew(
    get: Get, server: ImageServer, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(DATA[:-512])
    said: list[str] = []
    assert get(said=said).path.read_bytes() == DATA
    assert "fetched anew" in said[0]


def test_an_answer_without_end_is_given_up(
    get: Get, server: ImageServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(images, "LARGEST", 100_000)
    with pytest.raises(ImageRefused, match=r"no image for a board|more than any"):
        get(size=None, sha256=None)


def test_nothing_is_fetched_without_https_but_from_this_machine(
    get: Get, server: ImageServer
) -> None:
    server.redirect = server.url.replace("127.0.0.1", "127.0.0.2") + "/elsewhere"
    with pytest.raises(CommandError, match=r"not https|cannot download"):
        get()


def test_a_server_that_is_not_there_ends_in_advice(get: Get) -> None:
    with pytest.raises(CommandError, match="Without a network"):
        get(url="http://127.0.0.1:9/" + NAME)


def image_url(server: ImageServer) -> str:
    return f"{server.url}/{NAME}"
