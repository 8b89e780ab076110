"""A release for updates over the air: what nodes are offered, with its manifest and signature."""
