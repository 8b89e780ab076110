"""Wi-Fi: joins one of the configured networks, each within a deadline, and says why it could not.

What the ports report is not taken at its word. 'Wrong password' comes with the right one too, 'no
access point' in a bad moment: each network gets a second attempt. An idle radio in the middle of
joining is no failure, nor is an association without an address. 'Up' counts only with an address,
and not at all in the moment after leaving, when the old state still shows.
"""

from micropython import const

_FAILURES = {
    "no-ap": "no such access point",
    "wrong-password": "wrong password",
}
_NO_ADDRESS = "no address"
_TIMED_OUT = "timed out"
# How long a radio may go on showing the network that was left (ESP32 does so until an event).
_STALE_MS = const(500)


class JoinFailed(Exception):
    """No network could be joined; the text is `Station.failure`."""


class Station:
    """Nothing here waits: `start` begins, `step` looks.

    radio: a board's (firmware/board). clock: `ticks_ms`, `ticks_add`, `ticks_diff`. networks:
    [(ssid, password), …] in order of preference; the one that was joined last is tried first, as
    it is the likeliest to be there. join_timeout_ms: for each network. static: (address, mask,
    gateway, DNS server) or None.

    network: the SSID joined, or None. failure: the last one, in words, or None. hint: (SSID,
    BSSID, channel) of the last success: whoever keeps it over a sleep may set it before `start`,
    and saves the scan.
    lease: (ssid, what DHCP gave, of the form of `static`), likewise; it saves the asking. Both are
    forgotten at the first failure.
    """

    def __init__(
        self,
        radio,
        clock,
        networks,
        join_timeout_ms=20000,
        hostname=None,
        country=None,
        power="performance",
        static=None,
    ):
        self._radio = radio
        self._clock = clock
        self._networks = networks or [("", "")]  # The host's own network has no name to give.
        self._join_timeout_ms = join_timeout_ms
        self._hostname = hostname
        self._country = country
        self._power = power
        self._static = static
        self.network = None
        self.failure = None
        self.hint = None
        self.lease = None
        self.keeps_lease = False  # for a node that sleeps: awake, DHCP renews its leases itself
        self._preferred = 0
        self._waiting = None  # networks still to try; None: not joining
        self._index = -1  # of the network now being tried, or last tried; -1: none yet
        self._second = False
        self._hinted = False
        self._reason = None  # why the network now being tried failed at first
        self._reasons = []  # of each network tried
        self._begun = self._joined = 0
        self._stale = False

    def is_up(self):
        """Joined, with an address. No proof that anything answers behind it."""
        return not self._stale and self.network is not None and self._is_up()

    def start(self):
        """Begin joining, unless joined or joining already. JoinFailed if the radio refuses."""
        if self._waiting is not None or self.is_up():
            return
        if self.hint:
            for index, network in enumerate(self._networks):
                if network[0] == self.hint[0]:
                    self._preferred = index
        self._waiting = [self._preferred]
        self._waiting += [i for i in range(len(self._networks)) if i != self._preferred]
        self.network = None
        self._reasons = []
        self._next()

    def step(self):
        """True while up, False while joining. JoinFailed once every network was tried."""
        if self._waiting is None:
            if self.is_up():
                return True
            if self.network is None:
                raise JoinFailed(self.failure or "not started")
            self.start()  # The access point vanished.
            return False
        now = self._clock.ticks_ms()
        state = self._radio.state()
        is_up = state == "up" and self._radio.address() != ""
        if self._stale:
            self._stale = is_up and self._clock.ticks_diff(now, self._joined) < _STALE_MS
        if is_up and not self._stale:
            self._succeed()
            return True
        if state in ("no-ap", "wrong-password", "failed"):
            self._attempt_failed(_FAILURES.get(state) or self._other())
        elif self._clock.ticks_diff(now, self._begun) >= self._join_timeout_ms:
            self._network_failed(
                _NO_ADDRESS if state in ("joined", "up") else self._reason or _TIMED_OUT
            )
        elif self._hinted and (
            self._clock.ticks_diff(now, self._joined) >= self._join_timeout_ms // 2
        ):
            self._attempt_failed(_TIMED_OUT)
        return False

    def leave(self):
        """Leave the network, or stop joining. The next `start` joins anew."""
        # A radio that still shows the old network for a moment must not be believed.
        self._stale = self._stale or self._is_up()
        self._waiting = None
        self.network = None
        self._radio.leave()

    def power_cycle(self):
        """Switch the radio off; the next `start` switches it on."""
        self._waiting = None
        self.network = None
        self._stale = False
        self._radio.off()

    # Inside ----------------------------------------------------------------------------------

    def _is_up(self):
        return self._radio.state() == "up" and self._radio.address() != ""

    def _other(self):
        return f"failed (status {self._radio.status()})"

    def _next(self):
        """Begin with the next network; JoinFailed if there is none."""
        if not self._waiting:
            self._waiting = None
            self._radio.leave()
            # What was there and refused tells more than what was not there.
            named = [reason for reason in self._reasons if reason != _FAILURES["no-ap"]]
            self.failure = (named or self._reasons)[0]
            raise JoinFailed(self.failure)
        index = self._waiting.pop(0)
        if self._index not in (-1, index):
            # RP2 keeps the address of the network before, and would show it as this one's.
            self._radio.off()
            self._stale = False
        self._index = index
        self._second = False
        self._reason = None
        self._begun = self._clock.ticks_ms()
        self._join()

    def _join(self):
        ssid, password = self._networks[self._index]
        hint = self.hint if not self._second else None
        self._hinted = bool(hint and hint[0] == ssid)
        self._joined = self._clock.ticks_ms()
        static = self._static
        if not static and self.keeps_lease and self.lease and self.lease[0] == ssid:
            static = self.lease[1]
        try:
            self._radio.on(hostname=self._hostname, country=self._country, power=self._power)
            if self._hinted:
                self._radio.join(ssid, password, hint[1], hint[2], static=static)
            else:
                self._radio.join(ssid, password, static=static)
        except OSError as error:
            self._attempt_failed(f"failed ({error})")

    def _attempt_failed(self, reason):
        if self._second:
            self._network_failed(reason)
            return
        self._second = True
        self._reason = reason
        self.hint = self.lease = None
        self._join()

    def _network_failed(self, reason):
        self.failure = reason
        self._reasons.append(reason)
        self.hint = self.lease = None
        self._next()

    def _succeed(self):
        self._waiting = None
        self._preferred = self._index
        self.network = self._networks[self._index][0]
        bssid = self._radio.bssid()
        self.hint = (self.network, bssid, self._radio.channel()) if bssid else None
        lease = self._radio.lease()
        self.lease = (self.network, lease) if lease else None
