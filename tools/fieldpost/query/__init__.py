"""What a store is asked: what is missing in it, and its readings for other programs."""
