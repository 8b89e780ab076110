"""A board set up from the page: its port is in the browser, what is done with it is done here."""
