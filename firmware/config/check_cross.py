"""The checks of config.json that look at several keys at once; check.py calls them."""

from firmware.config import check_network, keys_sensors

# Keys of a reading itself (docs/design.md); no sensor may publish them.
_RESERVED = ("boot", "seq", "ts", "age_s", "failed")

# (lesser, relation, greater)
_ORDER = (
    ("mqtt.timeout_s", "<", "mqtt.keepalive_s"),
    ("retry.base_s", "<=", "retry.cap_s"),
    ("retry.radio_s", "<", "retry.reset_s"),
)


def check(settings, parse_ip):
    """Return a list of errors between keys; what is None in `settings` was wrong by itself.

    `parse_ip` makes a number of an IPv4 address. Fills in `wifi.static.dns`.
    """
    errors = []
    for lesser, relation, greater in _ORDER:
        low, high = _at(settings, lesser), _at(settings, greater)
        if low is None or high is None or low < high or (low == high and relation == "<="):
            continue
        least = "less than" if relation == "<" else "at most"
        errors.append(f"{lesser}: found {low}, must be {least} {greater}, which is {high}")
    outbox = settings["outbox"]
    if outbox:
        flash_kib, ram_readings = outbox["flash_kib"], outbox["ram_readings"]
        if flash_kib == 0 and outbox["durability"] == "reading":
            errors.append('outbox.durability: found "reading", but outbox.flash_kib is 0')
        if flash_kib and flash_kib < 8:
            errors.append(f"outbox.flash_kib: found {flash_kib}, must be 0 (none), or 8 to 8192")
        batch = settings["deliver_every"]
        if flash_kib == 0 and ram_readings and batch and batch > ram_readings:
            text = f"deliver_every: found {batch}, must be at most outbox.ram_readings, which is"
            errors.append(f"{text} {ram_readings}, as outbox.flash_kib is 0")
    watchdog_s = settings["watchdog_s"]
    if watchdog_s and watchdog_s < 5:
        text = f"watchdog_s: found {watchdog_s}, must be 0 (off), or 5 to 3600"
        errors.append(text + " (a name look-up alone can take some seconds)")
    tls = _at(settings, "mqtt.tls")
    if tls and tls["ca_file"] is None and tls["insecure_skip_verify"] is False:
        errors.append("mqtt.tls.ca_file: missing, must be a file on the board (docs/tls.md)")
    if tls and (tls["cert_file"] is None) != (tls["key_file"] is None):
        errors.append("mqtt.tls: cert_file and key_file need each other")
    check_network.check_hosts(settings, parse_ip, errors)
    country = _at(settings, "wifi.country")
    if country:
        check_network.check_country(country, errors)
    static = _at(settings, "wifi.static")
    if static and None not in (static["address"], static["mask"], static["gateway"]):
        check_network.check_static(static, parse_ip, errors)
    sensors = [(f"sensors[{i}]", one) for i, one in enumerate(settings["sensors"] or []) if one]
    low = settings["low_battery"]
    if low and low["below_mv"] and low["stop_mv"] and low["stop_mv"] > low["below_mv"]:
        errors.append(
            f"low_battery.stop_mv: found {low['stop_mv']}, must be at most low_battery.below_mv"
        )
    _check_names(sensors, settings["sample_s"], errors)
    _check_wiring(sensors, errors)
    if settings["mode"] == "duty_cycle" and (low or any(one.get("wake") for _, one in sensors)):
        from firmware.config import check_wake_pins

        check_wake_pins.check(sensors, low, errors)
    return errors


def _at(settings, path):
    for key in path.split("."):
        if settings is None:
            return None
        settings = settings[key]
    return settings


def _check_names(sensors, sample_s, errors):
    """Add an error for each name and each published field that is already taken."""
    names, fields = {}, []
    for path, sensor in sensors:
        name, kind = sensor["name"], sensor["type"]
        declared = keys_sensors.declaration(kind)
        least_s = declared.LEAST_S
        if name in names:
            text = f'{path}.name: "{name}" is the name of {names[name]} too'
            errors.append(text + ": give each a name of its own")
        elif name:
            names[name] = path
        every, count = sensor["every"] or 1, sensor["median"] or 1
        if least_s > 1:  # 1 is the limit of sample_s, and none of the sensor's
            least_s = -(-least_s * count // every)
        if sample_s is not None and sample_s < least_s:
            text = f"sample_s: found {sample_s}, must be at least {least_s}"
            errors.append(text + f' for the type "{kind}" of {path}')
        bare_fields = [row[0] for row in declared.FIELDS]
        own = [sensor[field[1:-1]] if field[0] == "{" else field for field in bare_fields]
        if None in own:
            continue
        lists = ("fields", "ranges", "calibration", "alarms")
        if count > 1 or any(sensor.get(key) for key in lists):
            from firmware.config import check_conditioning

            own = check_conditioning.check(path, sensor, own, errors)
        if sensor["prefix"] is None:
            continue
        own = [(sensor["prefix"] + field, path) for field in own]
        for field, _ in own:
            clash = _field_error(field, name, fields)
            if clash:
                errors.append(path + ": publishes " + clash)
                break
        fields.extend(own)


def _field_error(field, name, fields):
    if field in _RESERVED:
        return f'"{field}", which every reading carries itself: give it another name'
    for other, taker in fields:
        if other == "*":
            # Whatever this one is called, a driver of one's own may publish the same.
            return (
                f'"{field}", as {taker} may, for its fields are not known: give {taker} a prefix'
            )
        if _matches(field, other) or _matches(other, field):
            if field == "*":  # Which it has, only the driver knows.
                text = f'any field ("*"), so those of {taker}: give this one "prefix": true'
                return f'{text}, so its fields begin with "{name}_"' if name else text
            shown = other if field[-1] == "*" else field
            text = f'"{shown}" as {taker} does: give one of them "prefix": true'
            return f'{text}; for this one that makes "{name}_{shown}"' if name else text
    return None


def _matches(one, other):
    return one == other or (one[-1] == "*" and other.startswith(one[:-1]))


def _check_wiring(sensors, errors):
    """Add an error for each pin, address or bus that two sensors want in different ways."""
    takers, agreed = {}, {}
    for path, sensor in sensors:
        bus = "I2C bus " + str(sensor.get("bus"))
        for row in keys_sensors.declaration(sensor["type"]).KEYS:
            key, kind = row[:2]
            value, here = sensor[key], path + "." + key
            if value is None:
                continue
            if kind in ("scl", "sda", "bus hz"):
                other = agreed.setdefault((bus, key), (value, here))
                if other[0] != value:
                    text = f"{here}: found {value}, but {other[1]} has {other[0]} for the same bus"
                    errors.append(text)
                    continue
            # The use says who may share it: others of the same use.
            label, use = f"pin {value}", here
            if kind == "adc":
                use = kind
            elif kind == "scl" or kind == "sda":
                use = kind + bus
            elif kind == "address":
                label = f"address {value} of {bus}"
            elif kind != "pin":
                continue
            taker = takers.setdefault(label, (use, here))
            if taker[0] != use:
                errors.append(f"{here}: {label} is taken by {taker[1]}")
