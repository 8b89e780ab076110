"""The checks of hosts and addresses that a form alone cannot make; `check_cross.py` calls them."""

_DIGITS = "0123456789"
# ISO 3166-1, of which a radio takes the rules: pairs, one after the other.
_COUNTRIES = (
    "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCM"
    "CNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGY"
    "HKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMF"
    "MGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARE"
    "RORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZ"
    "VAVCVEVGVIVNVUWFWSYEYTZAZMZW"
)
# What people write for a country that has another code.
_MEANT = {"UK": "GB", "EL": "GR", "EN": "GB", "XX": None, "JA": "JP", "SW": "SE"}


def check_hosts(settings, parse_ip, errors):
    """Add an error for a broker or time server whose name cannot be one."""
    for section, port in (("mqtt", "mqtt.port"), ("ntp", None)):
        found = settings[section] and settings[section]["host"]
        wrong = found and _host_error(found, port, parse_ip)
        if wrong:
            errors.append(f'{section}.host: found "{found}", {wrong}')


def _host_error(host, port_key, parse_ip):
    if ":" in host:
        name, _, port = host.partition(":")
        if port and all(one in _DIGITS for one in port):
            where = f"; the port goes into {port_key}" if port_key else ", without a port"
            return f'must be "{name}"{where}'
        return "must be a name or an IPv4 address: a board's sockets take no IPv6"
    labels = host.split(".")
    if labels[-1] == "":
        labels.pop()  # A name may end in a dot, which says that nothing is to be added.
    if not labels or not all(labels):
        return "must have something between its dots"
    if not all(one in _DIGITS + "." for one in host):
        return None
    number = parse_ip(host)
    if number is None:
        return "must be a name, or an IPv4 address of four numbers up to 255"
    # 0.0.0.0 is everybody's own; from 224 on it is nobody's (RFC 5771, RFC 1112).
    if number == 0 or number >> 28 >= 14:
        return "must be the address of one host"
    return None


def is_loopback(host):
    """Whether this is whoever says it: allowed, for a broker beside a node on a desk."""
    return host.lower() == "localhost" or host.startswith("127.")


def check_country(code, errors):
    """Add an error for two letters that are no country's."""
    at = _COUNTRIES.find(code)
    while at % 2 and at >= 0:
        at = _COUNTRIES.find(code, at + 1)
    if at < 0:
        meant = _MEANT.get(code)
        text = f'wifi.country: found "{code}", must be a country\'s code by ISO 3166'
        errors.append(f'{text}; did you mean "{meant}"?' if meant else text)


def check_static(static, parse_ip, errors):
    """Add an error for each address that cannot be what it is to be. Fills in `dns`."""
    mask = parse_ip(static["mask"])
    host_part = mask ^ 0xFFFFFFFF
    if host_part & (host_part + 1) or not 0 < host_part < 0xFFFFFFFF:
        text = f'wifi.static.mask: found "{static["mask"]}", must be a network mask'
        errors.append(text + ' such as "255.255.255.0"')
        host_part = 0
    elif (parse_ip(static["address"]) ^ parse_ip(static["gateway"])) & mask:
        text = f'wifi.static.gateway: found "{static["gateway"]}", must be in the same network as'
        errors.append(text + f' the address, "{static["address"]}"')
    if static["address"] == static["gateway"]:
        text = f'wifi.static.address: found "{static["address"]}", must not be the gateway\'s'
        errors.append(text)
    if static["dns"] is None:
        static["dns"] = static["gateway"]
    for key in ("address", "gateway", "dns"):
        number = parse_ip(static[key])
        first = number >> 24
        wrong = None
        if first == 0 or first == 127 or first >= 224:
            wrong = "must be the address of one host on a network"
        elif key != "dns" and host_part > 1 and number & host_part in (0, host_part):
            # With a mask of 255.255.255.254 both addresses are hosts' (RFC 3021).
            wrong = (
                f'which with the mask "{static["mask"]}" stands for the network, not for a host'
            )
        if wrong and not (key == "dns" and static["dns"] == static["gateway"]):
            errors.append(f'wifi.static.{key}: found "{static[key]}", {wrong}')
