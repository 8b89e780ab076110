"""On an emulated board: a node that sleeps deep goes through wakes, each of which is timed.

boot.py notes when it begins, main.py calls `begin` before the node, and the node is as it comes.
What it asks of its board is timed where it asks: imports, waits, the radio, the first segment. An
emulated chip does not wake from a deep sleep, and a Pico W never sleeps so: what the node keeps in
RTC memory is put into a file, and a reset takes the place of the sleep.
"""

import builtins
import json
import sys
import time

_BLOCK = "/wake/block"
_PLAN = "/wake/plan"
_now = time.ticks_us
_since = time.ticks_diff


class Account:
    """Times in microseconds: `marks`, (name, when, waited by then, in the radio's driver by then);
    `modules`, (name, its own). What this module does before the node begins is in none of them."""

    def __init__(self, began_us):
        self.began_us = began_us
        self.lost_us = 0
        self.waited_us = 0
        self.radio_us = 0
        self.marks = []
        self.modules = []
        self._nested = [0]
        self._in_radio = False
        self._seen = set()

    def mark(self, name, now_us=None):
        """The first time counts."""
        if name not in self._seen:
            self._seen.add(name)
            when_us = _since(_now() if now_us is None else now_us, self.began_us) - self.lost_us
            self.marks.append((name, when_us, self.waited_us, self.radio_us))

    def wait(self, wait, *given):
        start = _now()
        try:
            return wait(*given)
        finally:
            self.waited_us += _since(_now(), start)

    def radio(self, call, *given, **named):
        if self._in_radio:
            return call(*given, **named)
        self._in_radio = True
        self.mark("radio")
        start = _now()
        try:
            return call(*given, **named)
        finally:
            self.radio_us += _since(_now(), start)
            self._in_radio = False

    def imports(self, load, name, *more):
        known = len(sys.modules)
        self._nested.append(0)
        start = _now()
        try:
            return load(name, *more)
        finally:
            took = _since(_now(), start)
            nested = self._nested.pop()
            self._nested[-1] += took
            if len(sys.modules) != known:
                self.modules.append((name, took - nested))
            else:
                self._nested[-1] -= took  # It was there: that is part of whoever asked.


class _Time:
    """As the port's module, but for its waits."""

    def __init__(self, account):
        self._account = account
        for name in ("ticks_ms", "ticks_us", "ticks_add", "ticks_diff", "time", "gmtime"):
            setattr(self, name, getattr(time, name))
        self.time_ns = time.time_ns

    def sleep_ms(self, ms):
        self._account.wait(time.sleep_ms, ms)

    def sleep_us(self, us):
        self._account.wait(time.sleep_us, us)


class _Poll:
    def __init__(self, account, poll):
        self._account = account
        self._poll = poll

    def register(self, one, *more):
        self._poll.register(one.real, *more)

    def modify(self, one, *more):
        self._poll.modify(one.real, *more)

    def unregister(self, one):
        self._poll.unregister(one.real)

    def ipoll(self, *given):
        return self._account.wait(self._poll.ipoll, *given)

    def poll(self, *given):
        return self._account.wait(self._poll.poll, *given)


class _Select:
    def __init__(self, account, real):
        self._account = account
        self._real = real

    def poll(self):
        return _Poll(self._account, self._real.poll())


class _Socket:
    def __init__(self, account, real):
        self._account = account
        self.real = real
        self.setblocking = real.setblocking
        self.setsockopt = real.setsockopt
        self.readinto = real.readinto
        self.close = real.close

    def connect(self, address):
        self._account.mark("joined")
        self.real.connect(address)

    def write(self, data):
        self._account.mark("CONNECT")
        return self.real.write(data)


class _Sockets:
    def __init__(self, account, real):
        self._account = account
        self.AF_INET, self.SOCK_STREAM = real.AF_INET, real.SOCK_STREAM
        self.getaddrinfo = real.getaddrinfo
        self._real = real

    def socket(self, *given):
        return _Socket(self._account, self._real.socket(*given))


def begin(began_us, main_us, with_modules):
    """Called by main.py. began_us, main_us: ticks at the beginning of boot.py, and of main.py
    before it loads this."""
    account = Account(began_us)
    account.mark("main.py", main_us)
    plan = _read(_PLAN) or []
    kind = plan[0] if plan else None
    if kind is None:
        print("WAKES OVER")
        sys.exit()
    block = b"" if kind == "first" else _bytes(_BLOCK)
    _set_clock(kind, block)
    load = __import__
    hooked = {"firmware.board": _hook_board, "firmware.app": _hook_app}
    for port in ("esp32", "esp32_radio", "rp2"):
        hooked["firmware.board." + port] = _hook_radio
    if block:
        hooked["firmware.duty_cycle.rtc_memory"] = _hook_memory
    if with_modules:
        hooked["firmware.readings.outbox"] = _hook_outbox

    def loads(name, *more):
        found = account.imports(load, name, *more) if with_modules else load(name, *more)
        hook = hooked.get(name)
        if hook:
            start = _now()
            if hook(sys.modules[name], account, kind, block, plan):
                del hooked[name]
                if not hooked and not with_modules:
                    # Each import in the node's functions would be slower for it.
                    builtins.__import__ = load
            account.lost_us += _since(_now(), start)
        return found

    builtins.__import__ = loads
    account.lost_us += _since(_now(), main_us)


def _hook_board(module, account, kind, block, plan):
    board = getattr(module, "Board", None)
    if board is None:
        return False
    board.time = _Time(account)
    board.select = _Select(account, board.select)
    board.socket = _Sockets(account, board.socket)
    board.retained_bytes = 2040
    board.retained = lambda _: block
    board.reset_cause = lambda _: "power-on" if kind == "first" else "deep-sleep"
    board.sleeps_in_waits = False
    board.start_watchdog = lambda _, ms: ms
    board.throttle = lambda _, on: None
    board.light_sleep = lambda _, ms, watch=None: account.wait(time.sleep_ms, ms)
    kept = []
    board.retain = lambda _, data: kept.append(bytes(data))
    board.restart = lambda _: _over(account, kind, plan, kept, "restart")

    def deep_sleep(self, ms):
        if account.radio_us:
            account.mark("closed")
            self.radio.off()
        account.mark("asleep")
        _over(account, kind, plan, kept, "")

    board.deep_sleep = deep_sleep
    return True


def _hook_radio(module, account, kind, block, plan):
    radio = getattr(module, "Radio", None)
    for name in ("on", "join", "off", "leave") if radio else ():
        call = getattr(radio, name)
        setattr(
            radio,
            name,
            lambda *given, call=call, **named: account.radio(call, *given, **named),
        )
    return True


def _hook_app(module, account, kind, block, plan):
    if not hasattr(module, "loop"):
        return False
    for name in ("read_settings", "build", "loop"):
        setattr(module, name, _marked(account, name, getattr(module, name)))
    return True


def _hook_memory(module, account, kind, block, plan):
    plain = getattr(module, "measure", None)

    def measure(board, clock, settings, log, state, records):
        if state.get("alone") is not None:
            account.mark("measure")
        plain(board, clock, settings, log, state, records)

    if plain:
        module.measure = measure
    return True


def _hook_outbox(module, account, kind, block, plan):
    module.Outbox = _marked(account, "outbox", module.Outbox)
    return True


def _marked(account, name, call):
    def marked(*given, **named):
        account.mark(name)
        found = call(*given, **named)
        account.mark(name + " done")
        return found

    return marked


def _over(account, kind, plan, kept, failure):
    """Say what it took, and go on with the next wake."""
    import gc

    import machine

    gc.collect()
    free = gc.mem_free()
    _say("WAKE", {"kind": kind, "failure": failure, "free": free})
    for mark in account.marks:
        _say("MARK", mark)
    for module in account.modules:
        _say("MODULE", module)
    if kept:
        with open(_BLOCK, "wb") as file:
            file.write(kept[-1])
    with open(_PLAN, "w") as file:
        json.dump(plan[1:], file)
    print("WAKE OVER")
    time.sleep_ms(100)
    machine.reset()


def _say(what, told):
    print(what, json.dumps(told))
    # An emulated serial line loses a part of what comes in a burst.
    time.sleep_ms(20)


def _set_clock(kind, block):
    """To the moment at which the node is to wake, or ten seconds earlier."""
    import machine

    seconds = 0
    if block:
        # Its first line has the times.
        state = json.loads(block[2 : 2 + (block[0] | block[1] << 8)].split(b"\n")[0])
        seconds = state["next"] // 1000 + 1
        if kind == "early":
            seconds -= 20
    else:
        seconds = 1790000000
        if time.gmtime(0)[0] == 2000:
            seconds -= 946684800
    now = time.gmtime(seconds)
    machine.RTC().datetime((now[0], now[1], now[2], now[6], now[3], now[4], now[5], 0))


def _read(path):
    try:
        with open(path) as file:
            return json.load(file)
    except OSError:
        return None


def _bytes(path):
    with open(path, "rb") as file:
        return file.read()
