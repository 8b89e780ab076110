"""The page: HTML in pieces, so that it never lies whole in memory. It loads nothing and runs
nothing, and reads well on a phone.
"""

from micropython import const

_NETWORKS_MAX = const(16)
_STRONG_DBM = const(-55)
_GOOD_DBM = const(-67)
_FAIR_DBM = const(-78)

_HEAD = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><title>Fieldpost</title><style>
body{font:1rem/1.45 system-ui,sans-serif;color:#17251d;background:#eef2ee;
max-width:27rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem;margin:.2rem 0}
fieldset{border:0;background:#fff;border-radius:.8rem;margin:1rem 0;padding:1rem}
legend{float:left;width:100%;font-weight:700;padding:0}
legend~*{clear:both}
label{display:block;padding:.7rem 0 .2rem}
.n{display:flex;align-items:center;gap:.7rem;padding:.6rem 0;
border-bottom:1px solid #dfe6e0;overflow-wrap:anywhere}
.n small{margin-left:auto;white-space:nowrap}
small{color:#4e5f55}
[type=radio]{accent-color:#1c6b45;width:1.2rem;flex:none}
input:not([type=radio]){box-sizing:border-box;width:100%;font:inherit;padding:.6rem;
border:1px solid #84938a;border-radius:.4rem}
.e{color:#a4161a;font-weight:600;margin:.3rem 0}
[aria-invalid]{border:2px solid #a4161a!important}
button{font:inherit;font-weight:700;width:100%;padding:.8rem;border:0;border-radius:.5rem;
background:#1c6b45;color:#fff}
.s{background:#e3ede6;color:#174f34;margin-top:.8rem}
</style>"""

# Name, label, attributes, what is said below it.
_NETWORK_FIELDS = (
    ("other", "Name of another network", 'maxlength="32"', None),
    ("key", "Password", 'type="password"', "has_networks"),
)
_BROKER_FIELDS = (
    ("host", "Host name or address", 'placeholder="192.168.1.10" inputmode="url"', None),
    ("port", "Port", 'placeholder="1883" inputmode="numeric"', None),
    ("user", "User, if it asks for one", "", None),
    ("secret", "Its password", 'type="password"', "has_login"),
)
_NODE_FIELDS = (("node", "Name of this node: a-z, 0-9, _ and -", 'maxlength="32"', None),)


def escape(text):
    """`text` as it can stand in HTML, in an attribute too."""
    for one, other in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(one, other)
    return text


def pieces(form, token, title, why):
    """The page with its form. title: of the access point; why: what went wrong before, or None."""
    yield _HEAD
    yield "<h1>Set up " + escape(title) + "</h1>"
    if why:
        yield '<p class="e" role="alert">' + escape(why) + "</p>"
    if form.errors:
        yield '<p class="e" role="alert">Nothing is stored yet: see below. '
        yield "Passwords have to be typed again. " + escape(form.errors.get("", "")) + "</p>"
    yield '<form method="post" action="/" autocomplete="off"><input type="hidden" name="token" '
    yield 'value="' + token + '"><fieldset><legend>Wi-Fi network</legend>'
    yield _error(form, "ssid")
    chosen = form.values["ssid"]
    for ssid, rssi, is_open in form.networks[:_NETWORKS_MAX]:
        yield _network(ssid, ssid == chosen, ssid, _strength(rssi) + (", open" if is_open else ""))
        if ssid == chosen:
            chosen = ""
    is_other = bool(chosen or not form.networks)
    yield _network("", is_other, "Another, by its name below", "")
    form.values["other"] = chosen
    for one in _NETWORK_FIELDS:
        yield _field(form, one)
    yield "</fieldset><fieldset><legend>MQTT broker</legend>"
    for one in _BROKER_FIELDS:
        yield _field(form, one)
    yield "</fieldset><fieldset><legend>Node</legend>"
    for one in _NODE_FIELDS:
        yield _field(form, one)
    # Last, for the first button of a form is the one that Enter presses.
    yield "</fieldset><button>Save and connect</button>"
    yield '<button class="s" name="do" value="scan" formnovalidate>Search for networks again'
    yield "</button></form>"


def done(form, title):
    """The page after everything was stored."""
    from firmware.config.check_network import is_loopback

    values = form.values
    yield _HEAD
    yield "<h1>Saved</h1><fieldset><p>This access point closes now, and <b>"
    yield escape(values["node"]) + "</b> joins <b>" + escape(values["ssid"])
    yield "</b>.</p><p>Its readings are on <b>" + escape(form.topic)
    yield "</b> at the broker <b>" + escape(values["host"]) + "</b> within a minute.</p>"
    if is_loopback(values["host"]):
        yield '<p class="e" role="alert">But that is the board itself: a broker has an address '
        yield "on the network, such as 192.168.1.10.</p>"
    yield "<p>If it cannot connect, <b>" + escape(title)
    yield "</b> opens again: join it once more, and this page says why.</p></fieldset>"


def _network(value, is_chosen, name, about):
    return (
        '<label class="n"><input type="radio" name="ssid" required value="%s"%s>'
        "<span>%s</span><small>%s</small></label>"
    ) % (escape(value), " checked" if is_chosen else "", escape(name), about)


def _field(form, row):
    name, label, attributes, keeps = row
    # A password is never in `values`.
    value = escape(form.values.get(name, ""))
    error = _error(form, name)
    if error:
        attributes += ' aria-invalid="true" aria-describedby="e-%s"' % name
    text = (
        '<label for="%s">%s</label>%s<input id="%s" name="%s" value="%s" %s '
        'autocapitalize="none" autocorrect="off" spellcheck="false">'
    ) % (name, label, error, name, name, value, attributes)
    if keeps and getattr(form, keeps):
        text += "<small>Leave it empty to keep what is stored.</small>"
    return text


def _error(form, name):
    text = form.errors.get(name)
    if not text:
        return ""
    return '<p class="e" id="e-%s">%s.</p>' % (name, escape(text[0].upper() + text[1:]))


def _strength(dbm):
    if dbm >= _GOOD_DBM:
        return "strong" if dbm >= _STRONG_DBM else "good"
    return "fair" if dbm >= _FAIR_DBM else "weak"
