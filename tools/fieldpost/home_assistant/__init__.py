"""What Home Assistant is told from here, and not by a node: late readings at their own time."""
