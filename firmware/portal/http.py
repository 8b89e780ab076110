"""A small HTTP server (RFC 9112): a few clients, each with bounds of size and of time.

One request for each connection. Nothing here blocks: `step` waits in one poll for all, and what
comes is read and written as far as it goes. A browser opens connections ahead and says nothing on
them; such a one makes way for the next.
"""

import gc

from micropython import const

_CLIENTS_MAX = const(4)
_CLIENT_MS = const(8000)  # to send the request; and again to take the answer
_READ_BYTES = const(256)
_WRITE_BYTES = const(512)
# Of a longer line only the beginning is looked at, which has all that counts.
_LINE_MAX = const(256)
_HEAD_MAX = const(16384)
# What a form can hold: the longest values of the schema, each byte as %XX, are 3.2 kB.
_BODY_MAX = const(4096)
# So much is still read, so that the answer is not lost in a reset.
_BODY_READ_MAX = const(65536)

_REASONS = {
    400: "Bad Request",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
}


class Request:
    """One client and its request: `method`, `path`, `host` and `body` as bytes."""

    def __init__(self, sock, until_ms):
        self.sock = sock
        self.until_ms = until_ms
        self.method = self.path = self.host = self.body = b""
        self.pieces = None  # of the answer, once there is one
        self.out = b""
        self._line = bytearray()
        self._head_bytes = 0
        self._length = 0
        self._in_body = False
        self._body_bytes = 0

    def take(self, data):
        """Go on with the request: 200 once it is whole, the status of a bad one, else None."""
        at = 0
        while not self._in_body:
            end = data.find(b"\n", at)
            stop = len(data) if end < 0 else end
            room = _LINE_MAX - len(self._line)
            self._line += data[at : min(stop, at + room)]
            self._head_bytes += stop - at
            if self._head_bytes > _HEAD_MAX:
                return 431
            if end < 0:
                return None
            at = end + 1
            line = bytes(self._line).strip()
            self._line = bytearray()
            if line:
                status = self._header(line) if self.method else self._request_line(line)
                if status:
                    return status
            elif self.method:
                self._in_body = True
        self._body_bytes += len(data) - at
        if self._length <= _BODY_MAX:
            self.body += data[at:]
        if self._body_bytes < self._length:
            return None
        self.body = self.body[: self._length]
        return 200 if self._length <= _BODY_MAX else 413

    def _request_line(self, line):
        parts = line.split(b" ")
        # The path of a line that was cut is the beginning of one, which is none of ours.
        if len(parts) < 2 or not parts[0].isalpha() or len(parts[0]) > 7:
            return 400
        self.method = parts[0]
        self.path = parts[1].split(b"?")[0]
        return None

    def _header(self, line):
        parts = line.split(b":", 1)
        if len(parts) < 2:
            return 400
        name, value = parts[0].lower(), parts[1].strip()
        if name == b"host":
            self.host = value.lower()
        elif name == b"transfer-encoding":
            return 411
        elif name == b"content-length":
            if not value.isdigit():
                return 400
            self._length = int(value)
            if self._length > _BODY_READ_MAX:
                return 413
        return None


class Server:
    """Serves at `address` and `port`. respond(request) -> (status line, header lines, pieces):
    bytes, bytes, and texts that are asked for one at a time."""

    def __init__(self, socket, select, clock, address, port, respond):
        self._select = select
        self._clock = clock
        self._respond = respond
        self._clients = []
        self._buffer = bytearray(_READ_BYTES)
        self._poll = select.poll()
        self._watched = []
        listener = socket.socket()
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(socket.getaddrinfo(address, port)[0][-1])
        listener.listen(_CLIENTS_MAX)
        self._listener = listener
        self.watch(listener, self._accept)

    def watch(self, sock, step):
        """Call `step()` whenever `sock` can be read; it is closed with the server."""
        self._watched.append((sock, step))
        self._poll.register(sock, self._select.POLLIN)

    def is_idle(self):
        """Whether no answer is on its way."""
        return all(client.pieces is None for client in self._clients)

    def step(self, wait_ms):
        """Do what there is to do, after waiting for it for at most `wait_ms`."""
        ready = [one[0] for one in self._poll.poll(int(wait_ms))]
        for client in list(self._clients):
            if client.sock in ready:
                self._serve(client)
        now_ms = self._clock.uptime_ms()
        for client in list(self._clients):
            if now_ms >= client.until_ms:
                self._drop(client)
        for sock, step in self._watched:
            if sock in ready:
                step()

    def close(self):
        """Close all sockets."""
        for client in list(self._clients):
            self._drop(client)
        for sock, _ in self._watched:
            sock.close()
        self._watched = []

    # Inside ----------------------------------------------------------------------------------

    def _accept(self):
        if len(self._clients) >= _CLIENTS_MAX:
            silent = [client for client in self._clients if client.pieces is None]
            if not silent:
                self._clock.sleep_ms(10)  # All are being answered: the next one waits.
                return
            self._drop(silent[0])
        try:
            sock = self._listener.accept()[0]
        except OSError:
            return  # It has gone again.
        try:
            sock.setblocking(False)
            self._clients.append(Request(sock, self._clock.uptime_ms() + _CLIENT_MS))
            self._poll.register(sock, self._select.POLLIN)
        except MemoryError:
            self._clients = [client for client in self._clients if client.sock is not sock]
            sock.close()
            gc.collect()

    def _drop(self, client):
        self._clients.remove(client)
        self._poll.unregister(client.sock)
        client.sock.close()

    def _serve(self, client):
        try:
            if client.pieces is None:
                self._read(client)
            if client.pieces is not None and self._write(client):
                self._drop(client)
        except OSError:
            self._drop(client)  # It has gone.
        except MemoryError:
            self._drop(client)
            gc.collect()

    def _read(self, client):
        count = client.sock.readinto(self._buffer)
        if count is None:
            return
        if not count:
            raise OSError  # That was all, and no request.
        status = client.take(bytes(memoryview(self._buffer)[:count]))
        if status is None:
            return
        if status == 200:
            line, headers, pieces = self._respond(client)
        else:
            text = "%d %s" % (status, _REASONS[status])
            line, headers, pieces = text.encode(), b"Content-Type: text/plain\r\n", (text,)
        client.out = b"HTTP/1.1 " + line + b"\r\nConnection: close\r\n"
        client.out += b"Cache-Control: no-store\r\n" + headers + b"\r\n"
        client.pieces = iter(pieces)
        client.until_ms = self._clock.uptime_ms() + _CLIENT_MS
        self._poll.modify(client.sock, self._select.POLLOUT)

    def _write(self, client):
        """Write as much as the socket takes; True once that was all."""
        while True:
            # Few large segments: each small one would wait for the one before to be acknowledged.
            while len(client.out) < _WRITE_BYTES:
                try:
                    client.out += next(client.pieces).encode()
                except StopIteration:
                    break
            if not client.out:
                return True
            count = client.sock.write(client.out)
            if count is None:
                return False
            client.out = client.out[count:]
