"""All brokers that are measured, in the order of the page."""

from brokers.catalogue import (
    activemq,
    amqtt,
    ejabberd,
    mosquitto,
    nats,
    node_js,
    rabbitmq,
    rumqttd,
)

KINDS = (
    mosquitto.DYNAMIC_SECURITY,
    mosquitto.RIGHTS_FILE,
    mosquitto.SMALL_LIMITS,
    rabbitmq.KIND,
    nats.KIND,
    node_js.AEDES,
    node_js.MOSCA,
    amqtt.KIND,
    ejabberd.KIND,
    activemq.KIND,
    rumqttd.KIND,
)
