"""Apache ActiveMQ (Classic) with its MQTT connector."""

import shutil

from brokers.accounts import ALL, Account
from brokers.cache import Cache, Installed
from brokers.kinds import Command, Kind, Place
from fieldpost.errors import CommandError

_HEAD = """<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans
    http://www.springframework.org/schema/beans/spring-beans.xsd
    http://activemq.apache.org/schema/core
    http://activemq.apache.org/schema/core/activemq-core.xsd">
"""


def _install(cache: Cache) -> Installed:
    return cache.debian("activemq", "libmqtt-client-java", "libhawtdispatch-java")


def _destination(topic_filter: str) -> str:
    """ActiveMQ's name of a topic filter."""
    return topic_filter.replace("/", ".").replace("#", ">")


def _entries() -> list[str]:
    filters = {_destination(one) for who in ALL for one in (*who.publish, *who.subscribe)}
    lines = []
    for name in sorted(filters):
        read = [who.user for who in ALL if _allows(who.subscribe, name)]
        write = [who.user for who in ALL if _allows(who.publish, name)]
        lines.append(
            f'<authorizationEntry topic="{name}" read="{",".join(read)}" '
            f'write="{",".join(write)}" admin="everyone"/>'
        )
    # What ActiveMQ tells its clients of their destinations.
    lines.append(
        '<authorizationEntry topic="ActiveMQ.Advisory.>" read="everyone" write="everyone" '
        'admin="everyone"/>'
    )
    return lines


def _allows(filters: tuple[str, ...], name: str) -> bool:
    return any(_destination(one) in (name, ">") for one in filters)


def _user(account: Account) -> str:
    return (
        f'<authenticationUser username="{account.user}" password="{account.password}" '
        f'groups="{account.user},everyone"/>'
    )


def _command(installed: Installed, place: Place) -> Command:
    program = shutil.which("java")
    if not program:
        raise CommandError("Java is not installed: apt install default-jre-headless")
    users = "\n".join(_user(one) for one in ALL)
    entries = "\n".join(_entries())
    file = place.folder / "activemq.xml"
    file.write_text(
        f"""{_HEAD}<broker xmlns="http://activemq.apache.org/schema/core" brokerName="fieldpost"
  dataDirectory="{place.folder / "data"}" useJmx="false" useShutdownHook="true">
<plugins>
<simpleAuthenticationPlugin><users>
{users}
</users></simpleAuthenticationPlugin>
<authorizationPlugin><map><authorizationMap><authorizationEntries>
{entries}
</authorizationEntries></authorizationMap></map></authorizationPlugin>
</plugins>
<persistenceAdapter><kahaDB directory="{place.folder / "kahadb"}"/></persistenceAdapter>
<transportConnectors>
<transportConnector name="mqtt" uri="mqtt://127.0.0.1:{place.port}"/>
</transportConnectors>
</broker>
</beans>
"""
    )
    java = installed.folder / "usr" / "share" / "java"
    return Command(
        [
            program,
            "-Xmx512m",
            "-cp",
            f"{java}/*",
            "org.apache.activemq.console.Main",
            "start",
            f"xbean:file:{file}",
        ]
    )


KIND = Kind("activemq", "ActiveMQ Classic", _install, _command, start_s=60.0)
