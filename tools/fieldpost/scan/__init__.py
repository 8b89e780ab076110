"""What is wired to a board."""
