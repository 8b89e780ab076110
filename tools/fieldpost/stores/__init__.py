"""`fieldpost stores`: whether a store and its broker would lose something, and what is too old."""
