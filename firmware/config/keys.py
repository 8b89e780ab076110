"""The schema of config.json and secrets.json: every key with its kind, default and limits.

`firmware/config/check.py` checks by it; the host tools load this same file. A row is `(key, kind,
default, ...)`; what follows depends on the kind:
  "bool" "country" "passphrase" "prefix" "ip" "pin" "adc" "scl" "sda" "type" "ids" "names"
  "int" "float" "bus hz" "any address"                           lowest, highest
  "text" "name" "field" "topic" "host" "hostname"                fewest, most bytes
  "one of" "address"                                             tuple of what is allowed
  "section"                                                      the rows of the object
  "list"                                                         rows, fewest, most objects
  "sensors"                                                      fewest, most objects
A text after these ends the error, to say why. A default of `...` means that the key is required, a
default of None, or a `?` after the kind, that null is allowed; a section's default is `()` (the
defaults of its own keys) or None.

Above each row stands its text for people, as a comment: comments cost nothing on the board, and
`fieldpost` and docs/configuration.md are made from them. A row without a text fails a test.

To add a key, add a row. The sensors' keys are in `firmware/config/keys_sensors.py`.
"""

NETWORK = (
    # Name of the network, as the access point announces it; upper and lower case matter.
    ("ssid", "text", ..., 1, 32),
    # Its password; "" for an open network.
    ("password", "passphrase", ...),
)

LOGIN = (
    # User name at the broker. Leave it out for a broker that lets everyone in.
    ("user", "text", None, 1, 128),
    # Password at the broker; needs a user.
    ("password", "text", None, 1, 256),
)

# secrets.json holds every credential, and nothing else. Errors never show what it says.
SECRETS = (
    # Wi-Fi networks in order of preference.
    ("wifi", "list", ..., NETWORK, 1, 8),
    # Credentials for the broker.
    ("mqtt", "section", (), LOGIN),
)

STATIC = (
    # The node's own IPv4 address.
    ("address", "ip", ...),
    # Network mask.
    ("mask", "ip", "255.255.255.0"),
    # The router; must lie in the same network as the address.
    ("gateway", "ip", ...),
    # Name server; null: the gateway.
    ("dns", "ip", None),
)

WIFI = (
    # Name shown by the router. null: the node's name, with "-" for "_".
    ("hostname", "hostname", None, 1, 32),
    # Country whose channels and power limits apply, as its two-letter code.
    ("country", "country", None),
    # Power management of the radio. "none" answers fastest, "powersave" draws least.
    ("power", "one of", "performance", ("none", "performance", "powersave")),
    # How long to try one network before the next.
    ("join_timeout_s", "int", 20, 5, 120),
    # A fixed address, which saves the second that DHCP takes at each join. null: DHCP.
    ("static", "section", None, STATIC),
)

TLS = (
    # File on the board with the certificate of the authority that signed the broker's: DER, which
    # `fieldpost certs` makes, or PEM. Required, unless nothing is to be checked.
    ("ca_file", "text", None, 1, 64),
    # File with the node's own certificate, for a broker that asks for one.
    ("cert_file", "text", None, 1, 64),
    # File with the key of that certificate, without a password.
    ("key_file", "text", None, 1, 64),
    # The name that the broker's certificate must bear. null: `mqtt.host`.
    ("server_name", "host", None, 1, 253),
    # INSECURE: true accepts any certificate, so that anybody between node and broker can read
    # and change everything. The node says so at each start and in its health reports.
    ("insecure_skip_verify", "bool", False),
)

MQTT = (
    # Host name or address of the broker. An address spares the look-up at each connection.
    ("host", "host", ..., 1, 253, "without mqtt:// before it; credentials go into secrets.json"),
    # TCP port of the broker. null: 1883, with TLS 8883.
    ("port", "int", None, 1, 65535),
    # TLS to the broker (docs/tls.md). null: none.
    ("tls", "section", None, TLS),
    # The broker declares the node offline after one and a half times this without a packet.
    (
        "keepalive_s",
        "int",
        60,
        5,
        65535,
        "0 would switch off the broker's check for dead nodes, and some brokers refuse it",
    ),
    # Start each session afresh. false: the broker keeps commands for the node while it is away.
    # null: true in "always_on", false in "duty_cycle".
    ("clean", "bool", None),
    # First part of every topic: `<base>/<node>/telemetry` and so on.
    ("base", "topic", "fieldpost", 1, 64),
    # Send waiting readings together with CONNECT instead of after the broker's answer: one round
    # trip less.
    ("early", "bool", True),
    # Longest wait for the broker's answer to anything; must be less than `keepalive_s`.
    ("timeout_s", "int", 10, 1, 120),
    # Readings that may be on their way at once, sent and not yet acknowledged.
    ("window", "int", 512, 1, 1024),
)

OUTBOX = (
    # Readings held in RAM until they are acknowledged or written to flash.
    ("ram_readings", "int", 64, 1, 1024),
    # Flash for readings that wait through an outage, 8 at least. 0: none, so that a reset loses
    # what waits.
    ("flash_kib", "int", 256, 0, 8192),
    # When readings go to flash: "outage": while the link is down and before a sleep or reset;
    # "reading": each one at once, which survives any power cut and wears the flash more.
    ("durability", "one of", "outage", ("outage", "reading")),
)

NTP = (
    # Time server; null: the clock is never set, and readings carry their age instead.
    ("host", "host?", "pool.ntp.org", 1, 253),
    # How often to set the clock again.
    ("interval_s", "int", 86400, 600, 2592000),
)

RETRY = (
    # Longest pause before the first new attempt to connect; it doubles with each failure. After a
    # session that lasted it is a sixtieth of that time, at most 30 times `base_s`.
    ("base_s", "int", 1, 1, 300),
    # The pause grows no longer than this.
    ("cap_s", "int", 300, 1, 3600),
    # The pause starts from `base_s` again after a connection has held this long.
    ("stable_s", "int", 60, 1, 3600),
    # The radio is switched off and on after this long without a connection.
    ("radio_s", "int", 900, 60, 86400),
    # The board is reset after this long without a connection; must be more than `radio_s`.
    ("reset_s", "int", 3600, 120, 604800),
)

LOW_BATTERY = (
    # Supply, in millivolts, below which the node measures and delivers less often.
    ("below_mv", "int", ..., 1000, 60000),
    # By what factor.
    ("stretch", "int", 4, 1, 100),
    # Supply below which it no longer uses the radio: readings are kept, on flash.
    ("stop_mv", "int", 0, 0, 60000),
)

CONFIG = (
    # The node's name, in its topics, client id and host name: unlike any other at this broker.
    ("node", "name", ..., 1, 32),
    # The board that this is for, such as "pico-w" or "esp32-c3". The node does not ask; `fieldpost
    # config check` and `fieldpost battery` do, and need no --board then.
    ("board", "text", None, 1, 32),
    # Pause at a cold start in which a tool can stop the node, before it does anything else.
    ("boot_window_s", "int", 3, 0, 60),
    # A pin for a button to ground: held down while the boot window ends, it opens the node's own
    # access point, to choose network and broker anew (docs/portal.md).
    ("setup_pin", "pin", None),
    # How the node joins Wi-Fi. The networks and their passwords go into secrets.json.
    ("wifi", "section", (), WIFI),
    # The broker and the session with it. User and password go into secrets.json.
    ("mqtt", "section", (), MQTT),
    # "always_on" stays connected and obeys commands at once; "duty_cycle" wakes, measures,
    # delivers when due and sleeps, for a life on batteries.
    ("mode", "one of", "always_on", ("always_on", "duty_cycle")),
    # What the node obeys on `…/cmd`. "safe": all but a change of where its login goes (broker,
    # TLS, time server, static addresses); "all": that too; "off": nothing, and it subscribes to
    # nothing. Set by hand in this file, never by a command.
    ("commands", "one of", "safe", ("off", "safe", "all")),
    # Time from one reading to the next. The second comes earlier than this by a part that the
    # node's name gives, so that deliveries of nodes that start together lie apart from then on.
    ("sample_s", "int", 60, 1, 86400),
    # In the duty cycle: readings that are gathered for one delivery. 1 joins the network for each.
    # The second delivery, and the one after an outage, come with fewer, as the node's name gives.
    ("deliver_every", "int", 1, 1, 1000),
    # Whether the node obeys `<base>/pace`, a retained message that slows a fleet down for a while
    # (docs/scale.md). It subscribes to that topic as well, which the broker has to allow.
    ("pace", "bool", False),
    # In the duty cycle: what is not delivered so long after the reading was taken waits for a
    # later wake. What slow sensors take comes on top.
    ("awake_limit_s", "int", 15, 3, 300),
    # In the duty cycle: what to save when the battery runs low. A Pico W measures its supply; an
    # ESP32 needs a sensor of type `supply` with a pin.
    ("low_battery", "section", None, LOW_BATTERY),
    # In the duty cycle: how long an address from DHCP may be used again. 0: ask at each join.
    ("lease_s", "int", 3600, 0, 86400),
    # In the duty cycle: a pin that keeps the node awake while it is held low.
    ("awake_pin", "pin", None),
    # Log how long each part of a wake took, for `fieldpost battery --measured`.
    ("profile", "bool", False),
    # Time from one health report to the next.
    ("health_s", "int", 300, 10, 86400),
    # The queue that keeps readings until the broker has acknowledged them.
    ("outbox", "section", (), OUTBOX),
    # Where the time comes from.
    ("ntp", "section", (), NTP),
    # How the node behaves while it cannot connect.
    ("retry", "section", (), RETRY),
    # Prefix under which Home Assistant looks for devices, "homeassistant" as a rule. null: the
    # node does not announce itself.
    ("home_assistant", "topic", None, 1, 64),
    # Lines of the log from this level on are shown and kept.
    ("log_level", "one of", "info", ("debug", "info", "warning", "error")),
    # Whether the LED tells the node's state. null: in "always_on" only.
    ("led", "bool", None),
    # The hardware watchdog resets a node that is stuck this long. 0: off; else at least 5, of
    # which a Pico W takes 8. null: 60 on an ESP32; off on a Pico W, whose watchdog cannot be
    # stopped again and would cut a person off who works on the board.
    ("watchdog_s", "int", None, 0, 3600),
    # The sensors, read in this order. Left out: the chip's own temperature.
    ("sensors", "sensors", "internal", 0, 16),
)
