"""Home Assistant finds the node by itself: one retained message describes the whole device.

Device-based MQTT discovery: `<prefix>/device/<node>/config`, with the abbreviated keys that Home
Assistant documents. Loaded only when `home_assistant` is configured.
"""

import json

from micropython import const

from firmware import VERSION
from firmware.log import LEVELS

# By the end of a field's name: device class, unit. What is not here is a number without either.
# Made from firmware/sensor_types/: make generate
_DECLARED = (
    ("co2", "carbon_dioxide", "ppm"),
    ("current", "current", "A"),
    ("die_temperature", "temperature", "°C"),
    ("distance", "distance", "cm"),
    ("humidity", "humidity", "%"),
    ("illuminance", "illuminance", "lx"),
    ("pm1", "pm1", "µg/m³"),
    ("pm10", "pm10", "µg/m³"),
    ("pm25", "pm25", "µg/m³"),
    ("pressure", "atmospheric_pressure", "hPa"),
    ("supply_mv", "voltage", "mV"),
    ("temperature", "temperature", "°C"),
    ("voltage", "voltage", "V"),
)
# End of what is made from firmware/sensor_types/
# And of names that a configuration gives.
_QUANTITIES = _DECLARED + (
    ("power", "power", "W"),
    ("moisture", "moisture", "%"),
    ("weight_g", "weight", "g"),
    ("weight_kg", "weight", "kg"),
    ("rain_mm", "precipitation", "mm"),
)
# Of a digital input: the ends of names that are device classes of their own, the longer first.
_INPUTS = ("garage_door", "door", "window", "motion", "occupancy", "vibration", "smoke", "lock")
_INPUTS += ("tamper", "light", "plug", "problem", "sound", "opening", "moisture", "power")
# Of the node itself, and not of the place where it is.
_OWN = ("supply_mv", "die_temperature")
# Of the health report: key, name, more.
_DIAGNOSTICS = (
    (
        "rssi",
        "Signal strength",
        {"dev_cla": "signal_strength", "unit_of_meas": "dBm", "stat_cla": "measurement"},
    ),
    ("uptime_s", "Uptime", {"dev_cla": "duration", "unit_of_meas": "s"}),
    ("outbox", "Readings waiting", {"stat_cla": "measurement"}),
    ("dropped", "Readings dropped", {"stat_cla": "total_increasing"}),
    ("reset", "Last reset", {}),
    ("firmware", "Firmware", {}),
)
_BUTTONS = (("identify", "Identify"), ("sample", "Measure now"), ("restart", "Restart"))
# A command needs an id of its own each time; Home Assistant renders this when it sends.
_COMMAND = '{"id":"{{ now().timestamp() }}","do":"%s"%s}'
_EXPIRY_SPARE_S = const(60)


def quantity(field):
    """(device class, unit) of a field, (None, None) if its name tells neither."""
    for ending, device_class, unit in _QUANTITIES:
        if field == ending or field.endswith("_" + ending):
            return device_class, unit
        # `temperature_0000a1b2c3d`, of one of several devices, but not `power_on`.
        if field.startswith(ending + "_"):
            number = field[len(ending) + 1 :]
            if all(character in "0123456789abcdef_-" for character in number):
                return device_class, unit
    return None, None


def _input_class(field):
    for name in _INPUTS:
        if field == name or field.endswith("_" + name):
            return name
    return None


def _shared(settings, board):
    """All but the components."""
    root = "%s/%s/" % (settings["mqtt"]["base"], settings["node"])
    found = {
        "dev": {
            "ids": "fieldpost_" + settings["node"],
            "name": settings["node"],
            "mf": "Fieldpost",
            "mdl": board,
            "sw": VERSION,
        },
        "o": {"name": "Fieldpost", "sw": VERSION},
        "stat_t": root + "telemetry",
        "qos": 1,
    }
    if settings["mode"] != "duty_cycle":
        # A node that sleeps is not gone: its values expire instead.
        found["avty_t"] = root + "status"
        found["avty_tpl"] = "{{ 'offline' if value_json.state == 'offline' else 'online' }}"
    return found


def _components(settings, fields):
    """(key, component) of each entity, one at a time: together they would fill a small heap.

    The keys of what is not a field have a dot, which no field's name has by the schema.
    """
    root = "%s/%s/" % (settings["mqtt"]["base"], settings["node"])
    # A sensor that is not read every time leaves its last value be, unless something failed.
    missing = "none"
    for sensor in settings["sensors"]:
        if sensor.get("every", 1) > 1:
            missing = "none if value_json.failed is defined else ''"
    inputs = [
        one["prefix"] + one["field"] for one in settings["sensors"] if one["type"] == "digital"
    ]
    expiry_s = _expiry_s(settings)
    for field in fields:
        part: dict = {
            "name": _title(field),
            "val_tpl": "{{ value_json[%s] | default(%s) }}" % (_quoted(field), missing),
            "exp_aft": expiry_s,
        }
        if field in inputs:
            part.update({"p": "binary_sensor", "pl_on": "1", "pl_off": "0"})
            device_class = _input_class(field)
        else:
            part.update({"p": "sensor", "stat_cla": "measurement"})
            device_class, unit = quantity(field)
            if unit:
                part["unit_of_meas"] = unit
        if device_class:
            part["dev_cla"] = device_class
        if field in _OWN:
            part["ent_cat"] = "diagnostic"
        yield field, part
    for key, name, more in _DIAGNOSTICS:
        part = _of_health(root, "sensor", name, key)
        part["ent_cat"] = "diagnostic"
        part.update(more)
        yield "health." + key, part
    for do, name in _BUTTONS:
        part = _command(root, do, "")
        part.update({"p": "button", "name": name})
        yield "cmd." + do, part
    for key, name, highest, unit in (
        ("sample_s", "Interval", 86400, "s"),
        ("deliver_every", "Readings in a delivery", 1000, None),
    ):
        if key == "sample_s" or settings["mode"] == "duty_cycle":
            part = _setting(root, "number", name, key, "{{ value | int }}")
            part.update({"min": 1, "max": highest, "mode": "box"})
            if unit:
                part["unit_of_meas"] = unit
            yield "set." + key, part
    part = _setting(root, "select", "Log level", "log_level", '"{{ value }}"')
    part["ops"] = LEVELS
    yield "set.log_level", part


def _expiry_s(settings):
    """After which a value counts as unknown: two deliveries may fail before."""
    interval_s, longest = settings["sample_s"], 3
    if settings["mode"] == "duty_cycle":
        interval_s *= settings["deliver_every"]
        if settings["low_battery"]:
            # Then it delivers so much more rarely, and is not dead for that.
            longest = max(longest, settings["low_battery"]["stretch"] + 1)
    return longest * interval_s + _EXPIRY_SPARE_S


def _of_health(root, kind, name, key) -> dict:
    return {
        "p": kind,
        "name": name,
        "stat_t": root + "health",
        "val_tpl": "{{ value_json.%s | default(none) }}" % key,
    }


def _command(root, do, more):
    return {"cmd_t": root + "cmd", "cmd_tpl": _COMMAND % (do, more), "ent_cat": "config"}


def _setting(root, kind, name, key, value):
    part = _of_health(root, kind, name, key)
    part.update(_command(root, "set", ',"key":"%s","value":%s' % (key, value)))
    return part


def _quoted(field):
    """As a text in a template, where a driver's own names may be anything."""
    return "'" + field.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _title(field):
    words = field.replace("_", " ")
    return words[:1].upper() + words[1:]


def _dumps(value):
    return json.dumps(value, separators=(",", ":"))


def _pieces(settings, fields, board):
    yield _dumps(_shared(settings, board))[:-1] + ',"cmps":{'
    comma = ""
    for key, part in _components(settings, fields):
        part["uniq_id"] = "%s.%s" % (settings["node"], key)
        yield comma + _dumps(key) + ":" + _dumps(part)
        comma = ","
    yield "}}"


def payload(settings, fields, board):
    """The discovery message. fields: names that the node publishes.

    Made twice, once for its length alone: so its 4 to 12 kB lie on the heap once.
    """
    size = 0
    for piece in _pieces(settings, fields, board):
        size += len(piece.encode())
    made = bytearray(size)
    at = 0
    for piece in _pieces(settings, fields, board):
        data = piece.encode()
        made[at : at + len(data)] = data
        at += len(data)
    return made


class Discovery:
    """Publishes the message after each start, when a field is new, when settings changed, and
    whenever Home Assistant announces itself.

    sampler: `fields` has the names of the last reading's, a new list with each. `described`: how
    many fields the last message had, 0 while one is due and until the broker has acknowledged it;
    in `state` after a deep sleep, when fewer are nothing new.
    """

    def __init__(self, session, settings, sampler, board, state=None):
        self._session = session
        self._settings = settings
        self._sampler = sampler
        self._board = board.version()
        prefix = settings["home_assistant"]
        self.birth_topic = (prefix + "/status").encode()
        self._topic = ("%s/device/%s/config" % (prefix, settings["node"])).encode()
        self.described = self._sent = state.get("described", 0) if state else 0
        self._known = []
        self._last = None

    def restart(self):
        """A new connection begins: what the broker has not acknowledged on the last one is due."""
        self._session.subscribe(self.birth_topic)
        self._sent = self.described

    def receive(self, topic, payload, retained):
        """Home Assistant's birth message: it has started, and may have forgotten."""
        if topic == self.birth_topic and payload == b"online" and not retained:
            self.again()

    def again(self):
        """It is due once more, in a later wake if not in this one."""
        self.described = self._sent = 0

    def step(self):
        """Publish if due and the fields are known."""
        fields = self._sampler.fields
        if fields is not self._last:
            self._last = fields
            # A sensor that fails keeps its entity, and one that comes late gets its own.
            self._known += [name for name in fields if name not in self._known]
        if not self._session.waits():
            self.described = self._sent
        if len(self._known) > self._sent:
            self.described = 0
            self._sent = len(self._known)
            text = payload(self._settings, self._known, self._board)
            self._session.publish(self._topic, text, True, 1)
