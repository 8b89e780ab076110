"""A node's configuration on the host: read, checked by the firmware's own code, explained."""
