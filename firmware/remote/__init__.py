"""What is asked of a node and told by it: commands, health, Home Assistant."""
