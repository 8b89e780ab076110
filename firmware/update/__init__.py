"""Updates over the air: taken in, checked, fetched, tried, and taken back. See docs/updates.md."""
