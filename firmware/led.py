"""What the LED tells a person who stands before the board; docs/commands.md has the same table."""

# Milliseconds on, off, on, off, …, again and again. Errors count their flashes.
PATTERNS = {
    "identify": (60, 60),
    "joining": (100, 400),
    "connecting": (400, 100),
    "connected": (30, 4970),
    "no network": (150, 250, 150, 1450),
    "no broker": (150, 250, 150, 250, 150, 1450),
    "refused": (150, 250, 150, 250, 150, 250, 150, 1450),
    "configuration": (330, 330),
    "set-up": (1000, 1000),
    "safe mode": (1000, 200, 150, 650),
}


def mood(link, state):
    """What there is to tell of a node in `state`: a key of PATTERNS."""
    if state == b"safe_mode":
        return "safe mode"
    if link.is_up:
        return "connected"
    if not link.station.is_up():
        return "no network" if link.station.failure else "joining"
    if link.refused:
        return "refused"
    return "no broker" if link.failure else "connecting"


class Signals:
    """Steps one pattern at a time on `led(on)`. clock: `uptime_ms`."""

    def __init__(self, led, clock):
        self._led = led
        self._clock = clock
        self._name = None
        self._at = 0
        self._due_ms = 0
        self._identify_until_ms = 0

    def identify(self, duration_s):
        """Blink fast for so long, whatever else there is to say."""
        self._identify_until_ms = self._clock.uptime_ms() + duration_s * 1000
        self._name = None

    def show(self, link, state):
        """Show how a node in `state` fares; milliseconds until the LED changes."""
        return self.step(mood(link, state))

    def step(self, name):
        """Show pattern `name` (None: dark); milliseconds until the LED changes."""
        now_ms = self._clock.uptime_ms()
        if now_ms < self._identify_until_ms:
            name = "identify"
        if name != self._name:
            self._name = name
            self._at = 0
            self._due_ms = now_ms
            if name is None:
                self._led(False)
        if name is None:
            return 60000
        pattern = PATTERNS[name]
        while now_ms >= self._due_ms:
            self._led(self._at % 2 == 0)
            self._due_ms = now_ms + pattern[self._at]
            self._at = (self._at + 1) % len(pattern)
        return self._due_ms - now_ms
