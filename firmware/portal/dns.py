"""A name service that knows one answer: whatever a phone looks up, it finds this board.

So the name that a phone looks up to find out whether there is an Internet leads to the page.
"""

from micropython import const

_DATAGRAM_MAX = const(512)  # RFC 1035 2.3.4
_HEADER_BYTES = const(12)
_LABEL_MAX = const(63)
# One question, and an answer of one address: a pointer to the name, A, IN, 10 s, four bytes.
_ANSWER = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x0a\x00\x04"
_IPV4 = b"\x00\x01\x00\x01"


def answer(query, address):
    """The datagram that answers `query` with `address`, four bytes; None to what is no query.

    RFC 1035 4.1. Other types than A exist for no name: the answer is none, which is no error.
    """
    # QR, opcode and TC are 0, there is one question.
    if len(query) < _HEADER_BYTES + 5 or query[2] & 0xFA or query[4:6] != b"\x00\x01":
        return None
    end = _HEADER_BYTES
    while query[end]:
        if query[end] > _LABEL_MAX:
            return None
        end += 1 + query[end]
        if end + 5 > len(query):
            return None
    question = query[_HEADER_BYTES : end + 5]
    found = _ANSWER + address if question[-4:] == _IPV4 else b""
    flags = bytes((0x84 | query[2] & 1, 0x80))  # an answer, authoritative, recursion as asked
    counts = b"\x00\x01\x00" + (b"\x01" if found else b"\x00") + b"\x00\x00\x00\x00"
    return query[:2] + flags + counts + question + found


class Names:
    """Answers on UDP; `step` when `sock` can be read. address: of the board, as text."""

    def __init__(self, socket, address, port):
        self._address = bytes([int(part) for part in address.split(".")])
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(socket.getaddrinfo(address, port)[0][-1])

    def step(self):
        """Answer one query. What is none gets no answer."""
        try:
            query, source = self.sock.recvfrom(_DATAGRAM_MAX)
            found = answer(query, self._address)
            if found:
                self.sock.sendto(found, source)
        except OSError:
            pass  # Whoever asked has gone: their next question comes by itself.
