"""On an emulated board: what umqtt.robust2 and chumicro-mqtt leave of the heap. Prints JSON lines.

As host_tests/board/measure_clients.py, which has the other clients: a script of its own, for what
it takes itself is gone for each client.
"""

from board_deliver import join
from measure import say


def robust2(ssid, host, port, password):
    join(ssid, password)
    say("start")
    from umqtt2.robust2 import MQTTClient

    say("imported")
    client = MQTTClient("heap", host, port, keepalive=60)
    say("made")
    client.connect()
    client.publish(b"heap/robust2", b"x" * 80, False, 1)
    while client.things_to_do():
        client.check_msg()
        client.send_queue()
    say("connected")
    client.disconnect()


def chumicro(ssid, host, port, password):
    join(ssid, password)
    say("start")
    from chumicro_mqtt import MQTTClient
    from chumicro_sockets.sockets_factory import fixed_connector_factory
    from chumicro_timing import ticks_ms

    say("imported")
    connect = fixed_connector_factory(host, port)
    client = MQTTClient(transport_factory=connect, client_id="heap")
    say("made")
    acknowledged = []
    client.connect()
    client.publish("heap/chumicro", b"x" * 80, qos=1, on_publish=lambda *_: acknowledged.append(1))
    while not acknowledged:
        client.handle(ticks_ms())
        if client.last_error:
            raise client.last_error
    say("connected")
    client.disconnect()
