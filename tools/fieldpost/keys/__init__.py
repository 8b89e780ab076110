"""The keys that updates are signed with, and what a node is given of them."""
