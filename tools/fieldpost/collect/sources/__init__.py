"""What a collector reads from: an MQTT session, or the queue of a cluster."""
