"""`fieldpost run`: a node on the desk, its sensors emulated, its console in front of the user."""
