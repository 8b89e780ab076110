"""From the radio to the broker: Wi-Fi, the MQTT session, TLS, the time, and recovery."""
