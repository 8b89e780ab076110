"""All brokers that are measured, in the order of the page."""

from brokers.catalogue import (
    activemq,
    amqtt,
    ejabberd,
    mosquitto,
    mosquitto_bridge,
    nats,
    node_js,
    paho_testing,
    rabbitmq,
    rumqttd,
)

KINDS = (
    mosquitto.DYNAMIC_SECURITY,
    mosquitto.RIGHTS_FILE,
    mosquitto.SMALL_LIMITS,
    mosquitto.CERTIFICATES,
    mosquitto_bridge.KIND,
    rabbitmq.KIND,
    rabbitmq.TLS,
    nats.KIND,
    nats.TLS,
    node_js.AEDES,
    node_js.AEDES_TLS,
    node_js.MOSCA,
    amqtt.KIND,
    ejabberd.KIND,
    activemq.KIND,
    rumqttd.KIND,
    paho_testing.KIND,
)
