"""MQTT's topics in NATS: its server has a dot for each slash, and two slashes for a dot."""


def subject(topic_filter: str) -> str:
    """The subject of what is published under a topic, or comes for a filter of MQTT."""
    made = ""
    last = len(topic_filter) - 1
    for at, sign in enumerate(topic_filter):
        if sign != "/":
            made += {".": "//", "+": "*", "#": ">"}.get(sign, sign)
        elif not made or made[-1] == ".":
            made += "/."
        elif at == last or topic_filter[at + 1] == "/":
            made += "./"
        else:
            made += "."
    return f"{made}/" if made.endswith(".") else made


def topic(of_subject: str) -> str:
    """The topic under which a message was published that came with this subject."""
    made, at = "", 0
    while at < len(of_subject):
        sign, after = of_subject[at], of_subject[at + 1 : at + 2]
        if sign == "/" and after in (".", "/"):
            made += "/" if after == "." else "."
            at += 1
        elif sign == ".":
            made += "/"
        elif sign != "/":
            made += sign
        at += 1
    return made
