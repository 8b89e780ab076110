"""Opens the access point and the page, and closes them again."""

import gc
import hashlib
import json
import sys

from micropython import const

from firmware import files as _files
from firmware.config.verify import check_settings
from firmware.led import Signals
from firmware.portal.dns import Names
from firmware.portal.form import Form, decode
from firmware.portal.http import Server

# Three times as long with a visitor: a phone may stay there, and ask again and again.
_VISITED = const(3)
_SAY_MS = const(30000)
_FAREWELL_MS = const(2000)  # after the last answer, for what of it has to be sent again
_FAREWELL_MAX_MS = const(15000)
_REST_MS = const(3600000)
_SLEEP_MS = const(0x3FFFFFFF)
_SALT = "setup.key"
_SALT_NUMBERS = const(2)  # of four bytes
# 32 letters and digits that nobody takes for another.
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_HTML = (
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    b"form-action 'self'; frame-ancestors 'none'\r\n"
)


def passphrase(uid, salt):
    """The access point's password: of the chip's id, and of what only this board knows. An
    ESP32's id is its MAC address, which everybody in range hears."""
    digest = hashlib.sha256(b"fieldpost set-up " + uid.encode() + salt).digest()
    letters = [_ALPHABET[byte & 31] for byte in digest]
    return "-".join(["".join(letters[at : at + 4]) for at in (0, 4, 8)])


def networks(found):
    """What a scan found as [(ssid, rssi, is_open), …], the strongest first, each name once.

    found: [(ssid bytes, rssi, is_open), …]. A name that JSON could not hold is left out.
    """
    best = {}
    for ssid, rssi, is_open in found:
        try:
            name = ssid.decode()
        except UnicodeError:
            continue
        # A hidden network has none; a control character is refused by the schema.
        if not name or [one for one in name if one < " " or "\x7f" <= one < "\xa0"]:
            continue
        if name not in best or best[name][1] < rssi:
            best[name] = (name, rssi, is_open)
    return sorted(best.values(), key=lambda one: -one[1])


def _borrow(name):
    """A module of this package for one use: the schema, for one, needs its memory afterwards."""
    __import__("firmware.portal." + name)
    package = sys.modules["firmware.portal"]
    if hasattr(package, name):
        delattr(package, name)
    return sys.modules.pop("firmware.portal." + name)


class Portal:
    """The page of one opening: `respond` answers requests. `saved`: the settings are stored.

    scan() -> see `networks`. host: by which the page is reached, as in a Host header.
    """

    def __init__(self, form, scan, host, title, why, token, log, files=_files):
        self._form = form
        self._scan = scan
        self._host = host.encode()
        self._title = title
        self._why = why
        self._token = token
        self._log = log
        self._files = files
        self.visits = 0
        self.saved = False

    def search(self):
        """Look for networks; what a scan that fails would have found is left as it was."""
        try:
            self._form.networks = networks(self._scan())
        except OSError as error:
            self._log("set-up: no scan (%s)" % error)

    def respond(self, request):
        """(status, headers, pieces), for firmware/portal/http.py."""
        # Whatever else is asked for, by name too: phones do so to find out whether there is more
        # than this access point, and open the page when there is not.
        if request.path != b"/" or request.host not in (self._host, b""):
            return b"302 Found", b"Location: http://" + self._host + b"/\r\n", ()
        if request.method not in (b"GET", b"POST"):
            return b"405 Method Not Allowed", b"Allow: GET, POST\r\n", ()
        self.visits += 1
        status = b"200 OK"
        if request.method == b"POST" and not self.saved:
            status = self._post(request.body)
        page = _borrow("page")
        if self.saved:
            return status, _HTML, page.done(self._form, self._title)
        return status, _HTML, page.pieces(self._form, self._token, self._title, self._why)

    def _post(self, body):
        form = self._form
        try:
            fields = decode(body)
        except ValueError:
            fields = {}
        if fields.get("token") != self._token:
            # Of another site, which cannot know it, or of a page from before a restart.
            form.errors = {"": "The page was too old."}
            return b"403 Forbidden"
        self._why = None
        if fields.get("do") == "scan":
            form.errors = {}
            form.keep(fields)
            self.search()
            return b"200 OK"
        found = form.submit(fields)
        if not found:
            return b"422 Unprocessable Content"
        try:
            _borrow("first_connection").store(found[0], found[1], self._title, self._files)
        except OSError as error:
            form.errors = {"": "The board's flash does not take it: %s" % error}
            return b"507 Insufficient Storage"
        self.saved = True
        return b"200 OK"


def _read_dict(path):
    # OSError rather than a page that would store its own in place of what could not be read.
    found = json.loads(_files.read(path, strict=True) or b"{}")
    return found if isinstance(found, dict) else {}


def _salt(board):
    salt = _files.read(_SALT)
    if not salt:
        salt = b"".join([board.random_u32().to_bytes(4, "big") for _ in range(_SALT_NUMBERS)])
        try:
            _files.write_atomic(_SALT, salt)
        except OSError:
            pass  # The password is another one next time.
    return salt


def run(board, clock, log, failed, has_led):
    """Open the page until somebody has stored settings (True), or nobody has come (False).

    failed: the `Pending` of settings that did not connect, or None.
    """
    config, secrets = _read_dict(_files.CONFIG), _read_dict(_files.SECRETS)
    tail = board.uid()[-4:]
    form = Form(config, secrets, check_settings, "node-" + tail)
    why = failed.why if failed else None
    title = (failed and failed.title) or ("fieldpost-%s" % (config.get("node") or tail))[:32]
    password = passphrase(board.uid(), _salt(board))
    point = board.access_point()
    server = None
    try:
        wifi = config.get("wifi")
        point.begin(wifi.get("country") if isinstance(wifi, dict) else None)
        host = point.address
        if point.http_port != 80:
            host = "%s:%d" % (host, point.http_port)
        token = "%08x%08x" % (board.random_u32(), board.random_u32())
        portal = Portal(form, point.scan, host, title, why, token, log)
        portal.search()
        point.open(title, password)
        server = Server(
            board.socket, board.select, clock, point.address, point.http_port, portal.respond
        )
        if point.dns_port:
            names = Names(board.socket, point.address, point.dns_port)
            server.watch(names.sock, names.step)
        signals = Signals(board.led if has_led else lambda on: None, clock)
        say = "set-up: join the Wi-Fi network %s with the password %s, then open http://%s/"
        say %= (title, password, host)
        _serve(clock, log, server, portal, signals, say, point.open_ms)
        signals.step(None)
    except OSError as error:
        log("set-up: no access point (%s)" % error)
        return False
    finally:
        if server:
            server.close()
        point.close()
        gc.collect()
    log("set-up: saved" if portal.saved else "set-up: nobody came, the access point is closed")
    return portal.saved


def _serve(clock, log, server, portal, signals, text, open_ms):
    start_ms = said_ms = seen_ms = clock.uptime_ms()
    log.tell(text)
    visits = saved_ms = 0
    while True:
        server.step(signals.step("set-up"))
        now_ms = clock.uptime_ms()
        if portal.visits != visits or not server.is_idle():
            visits, seen_ms = portal.visits, now_ms
        if portal.saved:
            saved_ms = saved_ms or now_ms
            # A page that is asked for over and over must not keep the node from its work.
            if now_ms - seen_ms >= _FAREWELL_MS or now_ms - saved_ms >= _FAREWELL_MAX_MS:
                return
        elif now_ms - seen_ms >= open_ms or now_ms - start_ms >= open_ms * _VISITED:
            return
        elif now_ms - said_ms >= _SAY_MS:
            said_ms = now_ms
            log.tell(text)


def rest(board, clock, log):
    """Without settings there is nothing to do: leave the console an hour, then spare the battery.

    Sleeps as long as the board can, and again after that; a reset opens the access point anew.
    """
    end_ms = clock.uptime_ms() + _REST_MS
    while board.reset_cause() != "deep-sleep" and clock.uptime_ms() < end_ms:
        log("set-up: not done, nothing started. Press RESET for the access point, or Ctrl-C here")
        clock.sleep_ms(_SAY_MS)
    log("set-up: not done, asleep until RESET")
    board.deep_sleep(_SLEEP_MS)
