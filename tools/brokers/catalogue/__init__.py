"""One module for each broker: how it is installed, and how it is started with three accounts."""
