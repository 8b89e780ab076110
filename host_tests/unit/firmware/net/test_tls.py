"""What TLS's errors mean, on every port; and the link that waits for the time, or for memory."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rigs.link import LinkBench

from fieldpost.certs.authority import Authority
from fieldpost.config import report
from firmware.config import check as config
from firmware.log import ERROR
from firmware.net.tls import Tls, _common_name, check_files

ENOMEM, EPIPE, ECONNRESET, ETIMEDOUT = 12, 32, 104, 110


class StubBoard:
    """A board that has TLS in as far as it takes the files."""

    def __init__(self, error: Exception | None = None) -> None:
        self.given: tuple[Any, Any] | None = None
        self.more: list[bytes] = []
        self._error = error

    def tls_context(self, ca: bytes | None, own: tuple[bytes, bytes] | None) -> Any:
        if self._error:
            raise self._error
        self.given = (ca, own)
        return self

    def load_verify_locations(self, cadata: bytes) -> None:
        self.more.append(cadata)


class Clock:
    def __init__(self, unix_s: int | None = 1_800_000_000) -> None:
        self.now_s = unix_s

    def unix_s(self) -> int | None:
        return self.now_s


@pytest.fixture(autouse=True)
def no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each try memory is collected, which takes long in a process as large as a test's."""
    monkeypatch.setattr(gc, "collect", lambda: 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Authority(tmp_path_factory.mktemp("certs"))
    made.create("Test CA")
    return made.issue_node("kitchen").path.parent


def settings(folder: Path, **tls: Any) -> dict[str, Any]:
    keys = {f"{one}_file": str(folder / f"{one}.der") for one in ("ca", "cert", "key")}
    return {
        "node": "kitchen",
        "mqtt": {
            "host": "broker.lan",
            "tls": {"server_name": None, "insecure_skip_verify": False, **keys, **tls},
        },
        "ntp": {"host": "pool.ntp.org"},
    }


HANDSHAKING: Any = SimpleNamespace(handshaking=True, watch=None)


def make(folder: Path, clock: Clock | None = None, **tls: Any) -> Tls:
    return Tls(StubBoard(), clock or Clock(), settings(folder, **tls))


# Errors -----------------------------------------------------------------------------------------

_UNTRUSTED = "the broker's certificate is not signed by the authority in mqtt.tls.ca_file"


@pytest.mark.parametrize(
    ("error", "text", "final"),
    [
        # mbedTLS's words, as MicroPython hands them on; the session has made an EPROTO of them.
        ((71, "The certificate is not correctly signed by the trusted CA\n"), _UNTRUSTED, True),
        (
            (71, "The certificate validity has expired\n"),
            "the broker's certificate has expired",
            True,
        ),
        (
            (71, "The certificate validity starts in the future\n"),
            "the broker's certificate is not valid yet: is the time right?",
            True,
        ),
        (
            (71, "The certificate Common Name (CN) does not match with the expected CN\n"),
            'the broker\'s certificate is not for "broker.lan" (mqtt.tls.server_name)',
            True,
        ),
        (
            (
                71,
                "The certificate validity has expired\n"
                "The certificate is not correctly signed by the trusted CA\n",
            ),
            "the broker's certificate has expired and is not signed by the authority in "
            "mqtt.tls.ca_file",
            True,
        ),
        # OpenSSL's, under CPython.
        ((1, "[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer"), _UNTRUSTED, True),
        (
            (1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired (_ssl.c:1006)"),
            "the broker's certificate has expired",
            True,
        ),
        (
            (1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)"),
            "the broker refuses our certificate (mqtt.tls.cert_file): unknown ca",
            True,
        ),
        (
            (1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version (_ssl.c:1006)"),
            "the broker ends the TLS handshake: protocol version "
            "(TLS 1.3 only? this board speaks 1.2)",
            True,
        ),
        # Numbers of mbedTLS where it has no words.
        ((-0x7200,), "what listens there does not speak TLS", True),
        ((-0x7280,), "the broker closed the connection in the TLS handshake", False),
        ((-0x7880,), "the broker closed the connection in the TLS handshake", False),
        ((ECONNRESET,), "the broker closed the connection in the TLS handshake", False),
        ((-0x6E80, "MBEDTLS_ERR_X"), "TLS handshake failed (MBEDTLS_ERR_X)", True),
    ],
)
def test_an_error_of_the_handshake_is_told_in_words(
    folder: Path, error: tuple, text: str, final: bool
) -> None:
    assert make(folder).explain(OSError(*error), HANDSHAKING) == (text, final)


def test_without_a_certificate_the_hint_is_another(folder: Path) -> None:
    bare = make(folder, cert_file=None, key_file=None)
    text, final = bare.explain(OSError(ECONNRESET), HANDSHAKING) or ("", None)
    assert text.endswith("is this its TLS port, and does it want a client certificate?")
    assert final is False
    required = "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"
    assert bare.explain(OSError(1, required), HANDSHAKING) == (
        "the broker wants a client certificate (mqtt.tls.cert_file)",
        True,
    )


@pytest.mark.parametrize("error", [-0x7780, EPIPE])
@pytest.mark.parametrize(
    ("alert", "wanted", "own", "text"),
    [
        (40, True, False, "the broker wants a client certificate (mqtt.tls.cert_file)"),
        (116, False, False, "the broker wants a client certificate (mqtt.tls.cert_file)"),
        (48, True, True, "the broker refuses our certificate (mqtt.tls.cert_file): unknown ca"),
        *(
            (number, True, True, f"the broker refuses our certificate (mqtt.tls.cert_file): {why}")
            for number, why in (
                (42, "bad certificate"),
                (43, "unsupported certificate"),
                (44, "certificate revoked"),
                (45, "certificate expired"),
                (46, "certificate unknown"),
                (49, "access denied"),
            )
        ),
        (
            40,
            False,
            False,
            "the broker ends the TLS handshake: handshake failure "
            "(does it want a client certificate?)",
        ),
        (40, False, True, "the broker ends the TLS handshake: handshake failure"),
        (41, False, False, "the broker wants a client certificate (mqtt.tls.cert_file)"),
        (
            70,
            False,
            False,
            "the broker ends the TLS handshake: protocol version "
            "(TLS 1.3 only? this board speaks 1.2)",
        ),
        (
            112,
            False,
            False,
            "the broker ends the TLS handshake: unrecognized name "
            "(is broker.lan its name? mqtt.tls.server_name)",
        ),
        (99, False, True, "the broker ends the TLS handshake: 99"),
    ],
)
def test_an_alert_without_a_name_is_asked_for_at_once_and_then_told_by_its_own(
    folder: Path, error: int, alert: int, wanted: bool, own: bool, text: str
) -> None:
    """mbedTLS tells of each alert alike."""
    made = make(folder) if own else make(folder, cert_file=None, key_file=None)
    wire = SimpleNamespace(handshaking=True, watch=None, watched=None)
    assert made.explain(OSError(error), wire) == (
        "the broker ended the TLS handshake: asking once more why",
        None,
    )
    raw = SimpleNamespace(readinto=len)
    wire.watched = wire.watch(raw)  # type: ignore[misc]
    for data in (b"\x16\x03\x03\x00\x04", *([b"\x0d\0\0\0"] if wanted else [b"\x0e\0\0\0"])):
        wire.watched.readinto(bytearray(data))
    for data in (b"\x15\x03\x03\x00\x02", bytes((2, alert))):
        wire.watched.readinto(bytearray(data))
    assert made.explain(OSError(error), wire) == (text, True)


def test_a_broker_that_gives_no_reason_is_not_said_to_have_one(folder: Path) -> None:
    wire = SimpleNamespace(handshaking=True, watch=object(), watched=None)
    wire.watched = SimpleNamespace(alert=None, wants_certificate=False)
    assert make(folder).explain(OSError(EPIPE), wire) == (
        "the broker closed the connection in the TLS handshake, and gave no reason",
        False,
    )


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("memory allocation failed, allocating 16717 bytes"),
        MemoryError(),
        OSError(ENOMEM),
        OSError(16),  # mbedTLS's -0x10, out of memory for a big number, taken for an errno
        OSError(106),  # -0x6A, of ASN.1
        OSError(-0x7F00, "MBEDTLS_ERR_SSL_ALLOC_FAILED"),
        # Out of memory of X.509, PK, ECP, MD and cipher.
        *(OSError(-code) for code in (0x2880, 0x3F80, 0x4D80, 0x5180, 0x6180)),
        OSError(-0x2180 - 0x6A),  # two of them at once
        OSError(-0x4D80 - 0x2D),  # the number above says it, the one below something else
    ],
)
def test_want_of_memory_is_told_as_that(folder: Path, error: Exception) -> None:
    text, final = make(folder).explain(error, HANDSHAKING) or ("", None)
    assert text.startswith("TLS does not fit")
    assert final is False


def test_what_is_no_error_of_the_handshake_is_left_to_the_link(folder: Path) -> None:
    made = make(folder)
    for number in (ETIMEDOUT, 111, 113, -2, -202):
        assert made.explain(OSError(number), HANDSHAKING) is None
    through = SimpleNamespace(handshaking=False)
    for error in (OSError(ECONNRESET), OSError(EPIPE), MemoryError(), OSError(71, "certificate")):
        assert made.explain(error, through) is None


# Files ------------------------------------------------------------------------------------------


def test_each_missing_file_is_named_at_once(folder: Path, tmp_path: Path) -> None:
    tls = settings(tmp_path)["mqtt"]["tls"]
    errors = check_files(tls)
    assert [error.split(":")[0] for error in errors] == [
        "mqtt.tls.ca_file",
        "mqtt.tls.cert_file",
        "mqtt.tls.key_file",
    ]
    assert check_files(settings(folder)["mqtt"]["tls"]) == []
    # What is not read need not be there.
    insecure = settings(folder, ca_file="none", insecure_skip_verify=True)["mqtt"]["tls"]
    assert check_files(insecure) == []


@pytest.mark.parametrize(
    "spoilt", [b"", b"text", b"-----BEGIN CERTIFICATE-----\n", b"-----BEGIN X-----\nAAAA\n"]
)
def test_a_file_of_something_else_is_named(folder: Path, tmp_path: Path, spoilt: bytes) -> None:
    (tmp_path / "ca.der").write_bytes(spoilt)
    tls = settings(folder, ca_file=str(tmp_path / "ca.der"))["mqtt"]["tls"]
    (error,) = check_files(tls)
    assert "is neither DER nor PEM" in error


def test_several_authorities_in_one_file_are_all_trusted(folder: Path, tmp_path: Path) -> None:
    import ssl

    ca = (folder / "ca.der").read_bytes()
    cert = (folder / "cert.der").read_bytes()
    both = ssl.DER_cert_to_PEM_cert(ca) + ssl.DER_cert_to_PEM_cert(cert)
    (tmp_path / "ca.pem").write_text(both)
    board = StubBoard()
    Tls(board, Clock(), settings(folder, ca_file=str(tmp_path / "ca.pem")))
    assert board.given and board.given[0] == ca
    assert board.more == [cert]


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (ValueError("invalid key"), "mqtt.tls.key_file: "),
        (ValueError("invalid cert"), "mqtt.tls.ca_file or cert_file or key_file: "),
        (OSError(ENOMEM), "mqtt.tls: TLS does not fit"),
    ],
)
def test_what_the_port_rejects_is_a_configuration_error(
    folder: Path, error: Exception, named: str
) -> None:
    with pytest.raises(ValueError, match=r"^mqtt\.tls") as rejected:
        Tls(StubBoard(error), Clock(), settings(folder))
    assert str(rejected.value).startswith(named)


def test_another_nodes_certificate_is_noticed(folder: Path) -> None:
    other = settings(folder)
    other["node"] = "cellar"
    (notice,) = Tls(StubBoard(), Clock(), other).notices
    assert 'the certificate of "kitchen", not of this node' in notice
    assert make(folder).notices == []


@pytest.mark.parametrize(
    ("der", "name"),
    [
        (b"", ""),
        (b"\x06\x03\x55\x04\x03", ""),
        (b"\x06\x03\x55\x04\x03\x0c", ""),
        (b"\x06\x03\x55\x04\x03\x0c\x00", ""),
        (b"\x06\x03\x55\x04\x03\x0c\x04roof", "roof"),
        (b"\x06\x03\x55\x04\x03\x0c\x04cut", "cut"),
        (b"\x06\x03\x55\x04\x03\x0c\x01\xff", ""),
    ],
)
def test_the_name_in_a_certificate_is_found_or_there_is_none(der: bytes, name: str) -> None:
    assert _common_name(der) == name


def test_what_is_not_as_secure_as_it_could_be_is_told_however_little_is_logged(
    folder: Path,
) -> None:
    lines: list[tuple[str, int]] = []
    tls = make(folder, insecure_skip_verify=True)
    tls.log_notices(lambda text, level: lines.append((text, level)))
    assert lines == [("TLS: " + notice, ERROR) for notice in tls.notices] and lines


# Configuration ----------------------------------------------------------------------------------


def checked(tls: Any, **mqtt: Any) -> tuple[Any, list[str]]:
    settings, errors = config.check(
        {"node": "kitchen", "mqtt": {"host": "h", "tls": tls, **mqtt}},
        {"wifi": [{"ssid": "s", "password": ""}]},
    )
    return settings, errors


def test_the_authority_may_be_missing_only_where_nothing_is_checked() -> None:
    for tls in ({}, {"insecure_skip_verify": False}, {"server_name": "b"}):
        (error,) = checked(tls)[1]
        assert error.startswith("mqtt.tls.ca_file: missing")
    assert checked({"insecure_skip_verify": True})[1] == []
    assert checked({"ca_file": "ca.der"})[0]["mqtt"]["tls"]["insecure_skip_verify"] is False


def test_certificate_and_key_go_together() -> None:
    for key in ("cert_file", "key_file"):
        (error,) = checked({"ca_file": "ca.der", key: "x.der"})[1]
        assert "cert_file and key_file need each other" in error


def test_the_port_follows_from_tls_unless_it_is_given() -> None:
    assert checked(None)[0]["mqtt"]["port"] == 1883
    assert checked({"ca_file": "c"})[0]["mqtt"]["port"] == 8883
    assert checked({"ca_file": "c"}, port=1883)[0]["mqtt"]["port"] == 1883


def test_a_misspelt_key_that_would_leave_verification_off_or_on_is_an_error() -> None:
    for key in ("insecure", "skip_verify", "verify", "insecure_skip_verfy"):
        assert any(f"mqtt.tls.{key}: unknown key" in one for one in checked({key: True})[1])
    for value in (1, "true", None):
        assert checked({"ca_file": "c", "insecure_skip_verify": value})[1]


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"ntp": {"host": None}}, "ntp.host: null; without the time"),
        ({"tls": {"insecure_skip_verify": True}}, "the broker's certificate is NOT checked"),
        ({}, None),
        ({"tls": None, "ntp": {"host": None}}, None),
    ],
)
def test_config_check_warns_of_what_only_the_board_can_refuse(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    warning: str | None,
) -> None:
    tls = change.get("tls", {"ca_file": "certs/ca.der"})
    made = {"node": "n", "mqtt": {"host": "h", "tls": tls}, "ntp": change.get("ntp", {})}
    (tmp_path / "config.json").write_text(json.dumps(made))
    (tmp_path / "secrets.json").write_text('{"wifi": [{"ssid": "s", "password": ""}]}')
    assert report.check_and_tell(tmp_path, as_json=False) == 0
    printed = capsys.readouterr().out
    assert ("! " in printed) == bool(warning)
    assert (warning or "") in printed
    assert report.check_and_tell(tmp_path, as_json=True) == 0
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert len(warnings) == bool(warning)


# The link ---------------------------------------------------------------------------------------


def test_the_link_waits_for_the_time_says_so_once_and_goes_on(folder: Path) -> None:
    clock = Clock(None)
    bench = LinkBench(security=make(folder, clock))
    bench.run_s(60)
    assert bench.session.opened_ms == []
    assert bench.lines == ["link: TLS needs the time: waiting for NTP (pool.ntp.org)"]
    assert bench.link.failure == "TLS needs the time: waiting for NTP (pool.ntp.org)"
    assert bench.user.downs == 1  # what is only in RAM goes to flash
    clock.now_s = 1_800_000_000
    bench.run_s(1)
    assert bench.link.is_up
    assert bench.link.failure is None


def test_a_wait_for_the_time_that_does_not_end_power_cycles_the_radio_and_resets(
    folder: Path,
) -> None:
    """The time server may be out of reach because the radio is."""
    bench = LinkBench(security=make(folder, Clock(None)))
    bench.run_s(1000)
    assert bench.station.calls.count("power_cycle") == 1
    assert bench.station.calls.count("start") == 2
    bench.run_s(2700)
    assert bench.user.restarts_ms


def test_without_verification_nothing_waits_for_the_time(folder: Path) -> None:
    bench = LinkBench(security=make(folder, Clock(None), insecure_skip_verify=True))
    bench.run_s(1)
    assert bench.link.is_up


def test_what_will_not_get_better_soon_is_tried_again_slowly(folder: Path) -> None:
    bench = LinkBench(cap_s=120, security=make(folder))
    bench.session.error = OSError(71, "The certificate validity has expired\n")
    bench.run_s(3600)
    assert min(bench.gaps_ms()) >= 30_000
    assert bench.link.refused
    assert bench.link.causes == {"the broker's certificate has expired": len(bench.gaps_ms()) + 1}
    # The broker answers, so the radio is not to blame.
    assert bench.station.calls == ["start"]


def test_an_alert_is_asked_for_at_once_and_then_slowly(folder: Path) -> None:
    """A sleeper's wake ends with its first failure: the question is none."""
    bench = LinkBench(cap_s=120, security=make(folder))
    bench.session.wire = SimpleNamespace(handshaking=True, watch=None)
    bench.session.wire.watched = SimpleNamespace(alert=70, wants_certificate=False)
    bench.session.error = OSError(-0x7780)
    assert bench.step() == 0
    assert bench.link.failures == 0
    bench.step()
    assert bench.link.failures == 1
    assert bench.link.failure and "protocol version" in bench.link.failure
    bench.run_s(600)
    assert min(bench.gaps_ms()[1:]) >= 30_000


def test_want_of_memory_is_reported_and_in_the_end_cured_by_a_reset(folder: Path) -> None:
    bench = LinkBench(security=make(folder))
    bench.session.error = MemoryError()
    bench.run_s(4000)
    assert bench.link.failure and bench.link.failure.startswith("TLS does not fit")
    assert bench.user.restarts_ms
