"""Home Assistant finds the node by itself: one retained message describes the whole device.

Device-based MQTT discovery: `<prefix>/device/<node>/config`, with the abbreviated keys that Home
Assistant documents. Loaded only when `home_assistant` is configured.
"""

import json

from micropython import const

from firmware import VERSION

# By the end of a field's name: device class, unit, state class. None: no class fits.
_QUANTITIES = (
    ("temperature", "temperature", "°C"),
    ("humidity", "humidity", "%"),
    ("pressure", "atmospheric_pressure", "hPa"),
    ("illuminance", "illuminance", "lx"),
    ("co2", "carbon_dioxide", "ppm"),
    ("pm1", "pm1", "µg/m³"),
    ("pm25", "pm25", "µg/m³"),
    ("pm10", "pm10", "µg/m³"),
    ("voltage", "voltage", "V"),
    ("current", "current", "A"),
    ("power", "power", "W"),
    ("distance", "distance", "cm"),
    ("weight", "weight", "g"),
    ("moisture", "moisture", "%"),
    ("supply_mv", "voltage", "mV"),
)
# Of the health report: key, name, device class, unit.
_DIAGNOSTICS = (
    ("rssi", "Signal strength", "signal_strength", "dBm"),
    ("uptime_s", "Uptime", "duration", "s"),
    ("outbox", "Readings waiting", None, None),
    ("dropped", "Readings dropped", None, None),
    ("reset", "Last reset", None, None),
)
_BUTTONS = (("identify", "Identify"), ("sample", "Measure now"), ("restart", "Restart"))
# A command needs an id of its own each time; Home Assistant renders this when it sends.
_COMMAND = '{"id":"{{ now().timestamp() }}","do":"%s"%s}'
_EXPIRY_SPARE_S = const(60)


def quantity(field):
    """(device class, unit) of a field, (None, None) if its name tells neither."""
    for ending, device_class, unit in _QUANTITIES:
        if field == ending or field.endswith("_" + ending) or field.startswith(ending + "_"):
            return device_class, unit
    return None, None


def document(settings, fields, board):
    """The discovery message as a dict. fields: names that the node publishes."""
    node, base = settings["node"], settings["mqtt"]["base"]
    root = "%s/%s/" % (base, node)
    sleeps = settings["mode"] == "duty_cycle"
    interval_s = settings["sample_s"] * (settings["deliver_every"] if sleeps else 1)
    # Two deliveries may fail before a value counts as unknown.
    expiry_s = 3 * interval_s + _EXPIRY_SPARE_S
    parts: dict = {}
    for field in fields:
        device_class, unit = quantity(field)
        part: dict = {
            "p": "sensor",
            "uniq_id": "%s_%s" % (node, field),
            "name": _title(field),
            "val_tpl": "{{ value_json.%s | default(none) }}" % field,
            "stat_cla": "measurement",
            "exp_aft": expiry_s,
        }
        if device_class:
            part["dev_cla"] = device_class
            part["unit_of_meas"] = unit
        parts[field] = part
    for key, name, device_class, unit in _DIAGNOSTICS:
        part: dict = {
            "p": "sensor",
            "uniq_id": "%s_%s" % (node, key),
            "name": name,
            "stat_t": root + "health",
            "val_tpl": "{{ value_json.%s | default(none) }}" % key,
            "ent_cat": "diagnostic",
        }
        if device_class:
            part["dev_cla"] = device_class
            part["unit_of_meas"] = unit
        parts[key] = part
    for do, name in _BUTTONS:
        parts[do] = {
            "p": "button",
            "uniq_id": "%s_%s" % (node, do),
            "name": name,
            "cmd_t": root + "cmd",
            "cmd_tpl": _COMMAND % (do, ""),
            "ent_cat": "config",
        }
    interval = _setting(root, node, "number", "sample_s", "Interval", "{{ value }}")
    interval.update({"min": 1, "max": 86400, "unit_of_meas": "s", "mode": "box"})
    level = _setting(root, node, "select", "log_level", "Log level", '"{{ value }}"')
    level["ops"] = ["debug", "info", "warning", "error"]
    parts["sample_s"] = interval
    parts["log_level"] = level
    found = {
        "dev": {
            "ids": "fieldpost_" + node,
            "name": node,
            "mf": "Fieldpost",
            "mdl": board,
            "sw": VERSION,
        },
        "o": {"name": "Fieldpost", "sw": VERSION},
        "cmps": parts,
        "stat_t": root + "telemetry",
        "qos": 1,
    }
    if not sleeps:
        # A node that sleeps is not gone: its values expire instead.
        found["avty_t"] = root + "status"
        found["avty_tpl"] = "{{ 'offline' if value_json.state == 'offline' else 'online' }}"
    return found


def _setting(root, node, kind, key, name, value) -> dict:
    return {
        "p": kind,
        "uniq_id": "%s_%s" % (node, key),
        "name": name,
        "cmd_t": root + "cmd",
        "cmd_tpl": _COMMAND % ("set", ',"key":"%s","value":%s' % (key, value)),
        "stat_t": root + "health",
        "val_tpl": "{{ value_json.%s }}" % key,
        "ent_cat": "config",
    }


def _title(field):
    words = field.replace("_", " ")
    return words[0].upper() + words[1:]


class Discovery:
    """Publishes the document once after each start, and whenever Home Assistant announces itself.

    fields(): the names that the node publishes, known after the first reading.
    """

    def __init__(self, session, settings, fields, board):
        self._session = session
        self._settings = settings
        self._fields = fields
        self._board = board
        prefix = settings["home_assistant"]
        self.birth_topic = (prefix + "/status").encode()
        self._topic = ("%s/device/%s/config" % (prefix, settings["node"])).encode()
        self.is_due = True

    def receive(self, topic, payload, retained):
        """Home Assistant's birth message: it has started, and may have forgotten."""
        if topic == self.birth_topic and payload == b"online" and not retained:
            self.is_due = True

    def step(self):
        """Publish if due and the fields are known."""
        fields = self._fields() if self.is_due else None
        if fields:
            self.is_due = False
            text = json.dumps(document(self._settings, fields, self._board))
            self._session.publish(self._topic, text.encode(), True, 1)
