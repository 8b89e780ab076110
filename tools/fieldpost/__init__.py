"""The host command `fieldpost`: runs, watches and provisions the nodes whose firmware is here."""
