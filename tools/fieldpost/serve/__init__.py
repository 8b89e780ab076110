"""`fieldpost serve`: the page at the bench. A broker, a collector and a page on loopback."""
