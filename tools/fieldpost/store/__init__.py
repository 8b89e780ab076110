"""Where readings are stored for good: its schema, and a writer for SQLite and for PostgreSQL."""
