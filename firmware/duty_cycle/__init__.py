"""The battery node: one wake after another, the sleep between them, and what it keeps over it."""
