"""What somebody typed into the page, as settings: checked by the node's own schema, kept whole.

Only the keys that are asked for change; the sensors and all the rest of config.json stay, and so
do the networks beside the new one. What is typed is shown again if anything is wrong with it, but
no password is, and none that is stored.
"""

import json

from micropython import const

_NETWORKS_MAX = const(8)  # in secrets.json, by the schema
_MQTT_PORT = const(1883)
_MQTT_TLS_PORT = const(8883)
# Where the errors of the schema belong on the page.
_FIELDS = {
    "node": "node",
    "mqtt.host": "host",
    "mqtt.port": "port",
    "secrets.json wifi[0].ssid": "ssid",
    "secrets.json wifi[0].password": "key",
    "secrets.json mqtt.user": "user",
    "secrets.json mqtt.password": "secret",
}


def decode(body):
    """The fields of an application/x-www-form-urlencoded body. ValueError: they are no text."""
    found = {}
    for pair in body.split(b"&"):
        parts = pair.split(b"=", 1)
        if len(parts) == 2:
            found[_text(parts[0])] = _text(parts[1])
    return found


def _text(coded):
    parts = coded.replace(b"+", b" ").split(b"%")
    plain = bytearray(parts[0])
    for part in parts[1:]:
        plain.append(int(part[:2], 16))
        plain += part[2:]
    return bytes(plain).decode()


def _usual_port(mqtt):
    return _MQTT_TLS_PORT if mqtt.get("tls") else _MQTT_PORT


class Form:
    """`values`: what the page shows in its fields; `errors`: texts by field, "" for the rest;
    `topic`: of the readings, once all is well.

    config, secrets: what the board has, as dicts. check(config, secrets) -> (settings, errors).
    node: the name to propose. `networks`: [(ssid, rssi, is_open), …] in range, for the password
    that an open one has not.
    """

    def __init__(self, config, secrets, check, node):
        self._config = config
        self._secrets = secrets
        self._check = check
        self.networks = ()
        self.errors = {}
        self.topic = ""
        self._old_broker = self._broker(config)
        known = self._known()
        mqtt = config.get("mqtt")
        port = mqtt.get("port") if isinstance(mqtt, dict) else None
        self.values = {
            "ssid": known[0]["ssid"] if known else "",
            "host": self._old_broker[0] or "",
            "port": str(port or ""),
            "node": str(config.get("node") or node),
        }
        # Whether an empty password means the one that is stored.
        self.has_login = bool(self._login())
        self.has_networks = bool(known)

    def submit(self, fields):
        """(config, secrets) of the two files if nothing is wrong with `fields`, else None."""
        self.errors = {}
        self.keep(fields)
        values = self.values
        config = json.loads(json.dumps(self._config))
        secrets = json.loads(json.dumps(self._secrets))
        config["node"] = values["node"]
        self._put_broker(config, values)
        self._put_network(secrets, values["ssid"], fields.get("key", ""))
        self._put_login(config, secrets, fields.get("user", ""), fields.get("secret", ""))
        if not values["ssid"]:
            self.errors["ssid"] = "choose one, or type its name"
        settings, errors = self._check(config, secrets)
        if settings:
            self.topic = "%s/%s/telemetry" % (settings["mqtt"]["base"], settings["node"])
        for error in errors:
            path, text = error.split(": ", 1)
            field = _FIELDS.get(path, "")
            if field not in self.errors:
                self.errors[field] = text
            elif not field:
                self.errors[""] += "; " + error
            if not field and self.errors[""] == text:
                self.errors[""] = error  # Here the key is not known by its place.
        return None if self.errors else (config, secrets)

    def keep(self, fields):
        """Show what was typed again."""
        # Phones put spaces and capitals into these, where none belong.
        values = {name: fields.get(name, "").strip() for name in ("host", "port")}
        if values["host"].startswith("mqtt://"):
            values["host"] = values["host"][7:].strip("/")
        values["node"] = fields.get("node", "").strip().lower()
        values["ssid"] = fields.get("ssid") or fields.get("other", "")
        values["user"] = fields.get("user", "")
        self.values = values

    # Inside ----------------------------------------------------------------------------------

    def _put_broker(self, config, values):
        mqtt = config.get("mqtt")
        if not isinstance(mqtt, dict):
            mqtt = config["mqtt"] = {}
        for name in ("host", "port"):
            mqtt.pop(name, None)
        if values["host"]:
            mqtt["host"] = values["host"]
        port = values["port"]
        if port.isdigit():
            port = int(port)
        if port not in ("", _usual_port(mqtt)):
            mqtt["port"] = port

    def _put_network(self, secrets, ssid, password):
        known = self._known()
        wifi = [one for one in known if one["ssid"] != ssid]
        is_open = any(one[0] == ssid and one[2] for one in self.networks)
        if not password and not is_open:
            for one in known:
                if one["ssid"] == ssid:
                    password = one.get("password")
            if not password and any(one[0] == ssid for one in self.networks):
                self.errors["key"] = "missing: this network has a password"
        wifi.insert(0, {"ssid": ssid, "password": password})
        secrets["wifi"] = wifi[:_NETWORKS_MAX]

    def _put_login(self, config, secrets, user, password):
        old = self._login() if self._broker(config) == self._old_broker else {}
        # Credentials for one broker are never shown to another.
        secrets.pop("mqtt", None)
        if not password and user in ("", old.get("user")):
            login = old
        else:
            login = {"user": user, "password": password}
        login = {name: value for name, value in login.items() if value}
        if login:
            secrets["mqtt"] = login

    def _known(self):
        found = self._secrets.get("wifi")
        if not isinstance(found, list):
            return []
        return [one for one in found if isinstance(one, dict) and isinstance(one.get("ssid"), str)]

    def _login(self):
        found = self._secrets.get("mqtt")
        return found if isinstance(found, dict) else {}

    @staticmethod
    def _broker(config):
        mqtt = config.get("mqtt")
        if not isinstance(mqtt, dict):
            return None, None
        # The page leaves the usual port out, whoever wrote it in before.
        return mqtt.get("host"), mqtt.get("port") or _usual_port(mqtt)
