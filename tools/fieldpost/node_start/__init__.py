"""A node that was just restarted at the end of a cable: what it says, and how that is told."""
