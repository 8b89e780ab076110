"""Reading from an MQTT broker: its connection, the session, and sharing one."""
