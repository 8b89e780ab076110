"""What Sensirion's sensors on I2C share: 16-bit words, each followed by its checksum."""


def crc8(data):
    """The checksum of a word: polynomial 0x31, from 0xFF on, most significant bit first.

    Sensirion's own example: crc8 of the bytes 0xBE 0xEF is 0x92 (data sheet SHT3x-DIS, version 7,
    'Checksum calculation').
    """
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


def read_words(i2c, address, buffer):
    """Fill `buffer` from the device and return its words; 3 bytes of it make one.

    Raises OSError if the device does not answer, ValueError if a checksum is wrong.
    """
    i2c.readfrom_into(address, buffer)
    words = []
    for at in range(0, len(buffer), 3):
        if crc8(buffer[at : at + 2]) != buffer[at + 2]:
            raise ValueError("bad checksum")
        words.append(buffer[at] << 8 | buffer[at + 1])
    return words


def fraction(raw, span, offset=0):
    """offset + span * raw / 65535, rounded to hundredths; `span` and `offset` in hundredths.

    In whole numbers, for a board computes in single precision.
    """
    return ((span * raw + 32767) // 65535 + offset) / 100


class OneShot:
    """A chip on an I2C bus that measures once when it is told to, and idles in between.

    A driver says `_COMMAND`, `_WAIT_MS` until the answer is there, and `_WORDS` in the answer.
    """

    _COMMAND = b""
    _WAIT_MS = 0
    _WORDS = 0

    def __init__(self, i2c, address):
        self._i2c = i2c
        self._address = address
        self._buffer = bytearray(3 * self._WORDS)

    def start(self):
        """Start one measurement; returns the ms until `read()` has it."""
        self._i2c.writeto(self._address, self._COMMAND)
        return self._WAIT_MS

    def _answer(self):
        return read_words(self._i2c, self._address, self._buffer)
