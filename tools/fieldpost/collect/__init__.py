"""`fieldpost collect`: what nodes publish comes into a store, each reading exactly once."""
