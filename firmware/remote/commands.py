"""`…/cmd`: what a node can be told after it was screwed to the wall; `…/cmd/result`: its answers.

A command is a JSON object such as `{"id":"7","do":"set","key":"sample_s","value":60}`. Each gets
one answer with its `id`: `{"id":"7","ok":true,…}` or `{"id":"7","ok":false,"error":"…"}`. What is
retained is refused (it would come again at each connection), what came already is not done twice.
An answer is told again on each connection until the broker has acknowledged it.
"""

import json

from micropython import const

from firmware import files as _files
from firmware.readings import record as reading
from firmware.readings.boot_count import FAILED_STARTS_MAX

# The commands done last, by their ids: more than a broker keeps in flight for one node.
DONE = "commands.done"
_DONE_MAX = const(32)
# Answers that the broker has yet to acknowledge; while there are more, no command is done.
_OWED_MAX = const(8)
_OWED_BYTES = const(1024)
# An answer of more bytes that was sent in vain so often may be what the broker closes on.
_SHORT_BYTES = const(200)
_TRIES_MAX = const(2)
_IDENTIFY_S = const(10)
_STAY_AWAKE_MIN_MAX = const(1440)


class Commands:
    """Does one command of `inbox` per `step`.

    node: the AlwaysOn or DutyCycle. inbox: firmware/remote/inbox.py. actions: `restart()`,
    `identify(seconds)`, `safe_mode()`, `forget_network()`, `oldest()`, `config_text() -> str`,
    `checker()(config) -> settings, errors`. trial: firmware/config/change.py, or None.
    """

    def __init__(self, node, inbox, actions, trial, log, files):
        self._files = files
        self._node = node
        self._inbox = inbox
        self._result_topic = inbox.topic + b"/result"
        self._actions = actions
        self._trial = trial
        self._log = log
        self._done = _load_done(files)
        self._kept = _files.read(_files.OWED, files)
        # Payloads of answers, oldest first; connections on which the oldest was sent.
        self._owed, self._tries, queue = _load_owed(self._kept)
        self._is_sent = False  # the oldest, on this connection
        inbox.queue = queue + inbox.queue
        self._then = None  # done once the answer has arrived
        self._telling = False  # the verdict of a trial

    def step(self):
        """Do one command and publish its answer; True if there is more to do at once."""
        session, inbox, owed = self._node.link.session, self._inbox, self._owed
        if self._is_sent and not (session.others or (session.careful and session.careful.held)):
            # It has arrived, or is of a topic that the broker does not take.
            owed.pop(0)
            self._is_sent = False
            self._tries = 0
        if owed and not self._is_sent:
            self._send()
        if not (self._kept is None or owed or inbox.queue):
            self._kept = None
            _files.discard(_files.OWED, self._files)
        verdict = self._trial and self._trial.verdict
        if verdict and not self._telling and not self._then:
            self._telling = True
            self._publish(verdict)
            self._then = self._verdict_arrived
        if len(owed) >= _OWED_MAX or sum([len(one) for one in owed]) > _OWED_BYTES:
            return False
        if inbox.overflow:
            inbox.overflow = 0
            self._publish({"id": None, "ok": False, "error": "too many commands at once"})
        # What has come behind a command that ends the connection is refused while it can be.
        if self._then and (self._telling or not inbox.queue):
            if owed:
                return False
            self._end()
            return True
        if not inbox.queue:
            return False
        payload, retained = inbox.queue.pop(0)
        self._publish(self._answer(payload, retained))
        return bool(inbox.queue or self._then)

    def _verdict_arrived(self):
        self._telling = False
        self._trial.close()

    def keep(self):
        """RAM is about to be lost: what has to be told, and to be done, goes to flash. False if
        that refuses."""
        if self._owed or self._inbox.queue:
            queue = [
                (None if payload is None else payload.hex(), retained)
                for payload, retained in self._inbox.queue
            ]
            try:
                owed = [one.decode() for one in self._owed]
                kept = json.dumps((owed, self._tries, queue)).encode()
                if kept != self._kept:
                    _files.write_atomic(_files.OWED, kept, self._files)
                    self._kept = kept
            except (OSError, MemoryError):
                return False
        return True

    def leave(self):
        """The node is about to sleep, and may forget: what was answered is done, though nobody
        knows whether the answer has arrived."""
        if (self.keep() or not self._telling) and self._then:
            self._end()

    def tell_again(self):
        """A new connection begins."""
        self._is_sent = False

    def is_idle(self):
        """No command is half done, and no answer under way. (What waits is in the inbox.)"""
        return self._then is None and not self._owed

    # Inside ----------------------------------------------------------------------------------

    def _publish(self, answer, is_logged=True):
        text = json.dumps(answer)
        if is_logged:
            self._log("command: %s" % text[:100])
        self._owed.append(text.encode())
        if not self._is_sent:
            self._send()

    def _send(self):
        """Send the oldest answer: one at a time, so that an end of the connection is its own."""
        owed = self._owed
        if self._tries >= _TRIES_MAX and len(owed[0]) > _SHORT_BYTES:
            answer = json.loads(owed[0])
            note = "the whole answer, %d bytes, did not arrive" % len(owed[0])
            owed[0] = json.dumps({"id": answer["id"], "ok": answer["ok"], "note": note}).encode()
        self._node.link.session.publish(self._result_topic, owed[0], False, 1)
        self._is_sent = True
        self._tries += 1

    def _end(self):
        then, self._then = self._then, None
        then()

    def _answer(self, payload, retained):
        name = None
        try:
            command = self._parse(payload, retained)
            name = command.get("id")
            if self._then:
                raise ValueError("the command before it ends this connection: send it again")
            do = command.get("do")
            method = getattr(self, "do_" + do, None) if isinstance(do, str) else None
            if method is None:
                known = [one[3:] for one in dir(Commands) if one.startswith("do_")]
                raise ValueError("unknown command %s; known: %s" % (do, ", ".join(sorted(known))))
            if name in self._done:
                raise ValueError("a command with this id was done already")
            result = method(command)
            self._note(name)
        except ValueError as error:
            return {"id": name, "ok": False, "error": str(error)}
        except RuntimeError:  # the interpreter's own limit, which differs from port to port
            return {"id": name, "ok": False, "error": "nested too deep"}
        answer = {"id": name, "ok": True}
        answer.update(result or {})
        return answer

    def _note(self, name):
        """Remember that a command was done, over restarts and deep sleeps too: a broker may send
        it again after either."""
        self._done.append(name)
        del self._done[:-_DONE_MAX]
        try:
            _files.write_atomic(DONE, json.dumps(self._done).encode(), self._files)
        except OSError:
            pass  # It is remembered until the next restart.

    @staticmethod
    def _parse(payload, retained):
        if payload is None:
            raise ValueError("larger than 512 bytes")
        try:
            command = json.loads(payload)
        except ValueError:
            raise ValueError("not JSON")
        if not isinstance(command, dict):
            raise ValueError("not a JSON object")
        # JSON's escapes for half a character: MicroPython does not join two, as others do, and
        # what it made of them would be no text for whoever reads the answer.
        lower = payload.lower()
        if any(b"\\ud%c" % one in lower for one in b"89abcdef"):
            raise ValueError("write a character beyond 16 bits itself, not as two escapes")
        name = command.get("id")
        if not isinstance(name, str) or not 0 < len(name) <= 32:
            raise ValueError("id must be a text of 1 to 32 characters")
        if retained:
            raise ValueError("retained commands are refused")
        return command

    # The commands ------------------------------------------------------------------------------

    def do_get(self, command):
        """key -> the value in force; of a section, all of it. Without one, config.json."""
        from firmware.remote import configure

        *pieces, last = configure.get(command, self._node, self._actions)
        for one in pieces:
            answer = {"id": command["id"], "ok": True}
            answer.update(one)
            self._publish(answer, False)
        return last

    def do_set(self, command):
        """key, value or values: checked, stored, and in force at once or after a restart."""
        from firmware.remote import configure

        result = configure.set_values(command, self._node, self._actions, self._files, self._log)
        if "restart" in result:
            self._then = self._actions.restart
        return result

    def do_sample(self, command):
        """Take a reading now."""
        self._node.sample_now()

    def do_deliver(self, command):
        """Deliver what waits now."""
        self._node.deliver_now()
        return {"waiting": self._node.outbox.depth}

    def do_identify(self, command):
        """Blink, so that a person finds the board."""
        self._actions.identify(_IDENTIFY_S)

    def do_restart(self, command):
        """Restart, once this answer has arrived."""
        self._then = self._actions.restart

    def do_stay_awake(self, command):
        """minutes: do not sleep for so long."""
        minutes = command.get("minutes")
        if not isinstance(minutes, int) or not 0 <= minutes <= _STAY_AWAKE_MIN_MAX:
            raise ValueError("minutes must be a whole number from 0 to %d" % _STAY_AWAKE_MIN_MAX)
        self._node.stay_awake_until_ms = self._node.clock.uptime_ms() + minutes * 60000
        return {"minutes": minutes}

    def do_log(self, command):
        """The last lines of the log."""
        return {"lines": self._log.lines[-12:]}

    def do_outbox(self, command):
        """How much waits, and what is oldest of it."""
        outbox = self._node.outbox
        return {
            "depth": outbox.depth,
            "on_flash": outbox.on_flash,
            "dropped": outbox.dropped,
            "oldest": self._actions.oldest(),
        }

    def do_safe_mode(self, command):
        """on: true to start in safe mode, false to leave it."""
        on = command.get("on", True)
        if not isinstance(on, bool):
            raise ValueError("on must be true or false")
        self._then = lambda: self._actions.safe_mode(on)
        return {"restart": True}

    def do_forget_network(self, command):
        """Drop what is remembered of the access point, address and broker; join anew."""
        self._then = self._actions.forget_network


class Actions:
    """What commands ask for beyond the node itself. See `Commands`."""

    def __init__(self, node, files, restart):
        self._node = node
        self._files = files
        self.restart = restart

    def config_text(self):
        """config.json as it stands on the board; ValueError if it cannot be had."""
        text = _files.read(_files.CONFIG, self._files)
        if text is None:
            raise ValueError("flash does not give config.json: send it again")
        return text.decode()

    def checker(self):
        """What gives (settings, errors) of a changed config.json, by the schema of the start: to
        be called by whoever wants it, for each call in between takes of a small stack."""
        from firmware.config.verify import check_settings

        return check_settings

    def identify(self, duration_s):
        """Blink."""
        if self._node.signals is None:
            raise ValueError("no LED in use on this node")
        self._node.signals.identify(duration_s)
        # A node that would sleep has to be seen first.
        until_ms = self._node.clock.uptime_ms() + duration_s * 1000
        self._node.stay_awake_until_ms = max(self._node.stay_awake_until_ms, until_ms)

    def forget_network(self):
        """Leave, and join with nothing remembered."""
        link = self._node.link
        link.station.hint = link.station.lease = None
        link.session.close()
        link.station.leave()

    def oldest(self):
        """(boot, seq) of the oldest reading that waits, or None."""
        outbox = self._node.outbox
        record = outbox.peek(outbox.first) if outbox.depth else None
        return reading.key(record) if record else None

    def safe_mode(self, on):
        """Restart into safe mode, or out of it."""
        self._node.identity.expect(FAILED_STARTS_MAX if on else 0)
        self.restart()


def make(node, inbox, trial, files, restart, log):
    """Commands for `node`."""
    return Commands(node, inbox, Actions(node, files, restart), trial, log, files)


def _load_done(files):
    try:
        found = json.loads(_files.read(DONE, files) or b"[]")
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _load_owed(kept):
    """(answers, tries of the oldest, queue of an inbox) as `Commands.keep` wrote them, or None."""
    try:
        answers, tries, queue = json.loads(kept or b"[[],0,[]]")
        queue = [
            (None if payload is None else bytes.fromhex(payload), retained)
            for payload, retained in queue
        ]
        return [one.encode() for one in answers], int(tries), queue
    except (ValueError, TypeError, AttributeError):
        return [], 0, []
