"""On the board: what set-up without a computer takes of the heap. Prints JSON lines.

The access point is the board's own. Nobody can join it in the emulator, and its lwIP has no
loopback: the sockets are stand-ins that ask for the page, send a form that is wrong, and one that
is right.
"""

import gc
import json

_FORM = (
    "token=%s&ssid=&other=Home&key=correct+horse&host=192.168.1.10&port=&user=ann&"
    "secret=battery+staple&node=%s"
)
_lowest = {}


def say(stage):
    """The least that was free at this stage so far."""
    gc.collect()
    free = gc.mem_free()
    _lowest[stage] = min(_lowest.get(stage, free), free)


class _Peer:
    """One connection: its request, and of the answer no more than the token."""

    def __init__(self, request):
        self._request = request
        self.token = b""
        self.answer = b""

    def setblocking(self, on):
        pass

    def close(self):
        pass

    def readinto(self, buffer):
        count = min(len(buffer), len(self._request))
        buffer[:count] = self._request[:count]
        self._request = self._request[count:]
        return count

    def write(self, data):
        say("page")
        if not self.answer:
            self.answer = bytes(data[:12])
        at = data.find(b'value="')
        if at >= 0 and not self.token:
            self.token = bytes(data[at + 7 : at + 23])
        return len(data)


class _Sockets:
    """`socket` and `select` in one: three visits, one after the other."""

    AF_INET = SOCK_DGRAM = SOL_SOCKET = SO_REUSEADDR = POLLIN = POLLOUT = 1

    def __init__(self):
        self._asked = []
        self._open = []

    def socket(self, *_):
        return self

    def getaddrinfo(self, host, port):
        return [(host, port)]

    def nothing(self, *_):
        pass

    setblocking = setsockopt = bind = listen = close = modify = nothing

    def poll(self, *wait):
        if not wait:
            return self
        if self._open:
            return [(self._open[0], 1)]
        if len(self._asked) < 3:
            say("open")
            return [(self, 1)]
        return []

    def accept(self):
        number = len(self._asked)
        request = b"GET / HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n"
        if number:
            node = ("kitchen sink!", "kitchen")[number - 1]
            body = _FORM % (self._asked[0].token.decode(), node)
            head = "POST / HTTP/1.1\r\nHost: 192.168.4.1\r\nContent-Length: %d\r\n\r\n"
            request = (head % len(body) + body).encode()
        peer = _Peer(request)
        self._asked.append(peer)
        return peer, None

    def recvfrom(self, size):
        raise OSError(11)

    def register(self, sock, mask):
        if sock is not self:
            self._open.append(sock)

    def unregister(self, sock):
        if sock in self._open:
            self._open.remove(sock)

    def answers(self):
        return [peer.answer.decode() for peer in self._asked]


def measure():
    """The whole opening, from the settings that are missing to those that are stored."""
    gc.threshold(32768)  # as firmware/app.py does
    from firmware import app
    from firmware.board import Board
    from firmware.clock import Clock
    from firmware.log import Log

    board = Board()
    clock = Clock(board.time)
    log = Log(clock, lambda line: None)
    app.read_settings()
    say("start")
    from firmware.portal import run

    say("imported")
    check_settings = run.check_settings

    def watched(config, secrets):
        from firmware.config import check as schema

        check = schema.check

        def checked(*files):
            found = check(*files)
            say("check")
            return found

        schema.check = checked
        return check_settings(config, secrets)

    run.check_settings = watched
    sockets = board.socket = board.select = _Sockets()
    saved = run.run(board, clock, log, None, True)
    print(json.dumps({"saved": saved, "answers": sockets.answers()}))
    for stage in _lowest:
        print(json.dumps({"stage": stage, "free": _lowest[stage]}))
