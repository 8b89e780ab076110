"""`fieldpost setup`: what a checkout or an installation needs and does not bring."""
