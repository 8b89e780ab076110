"""The battery estimate: the boards' figures, the sums, and how they are shown."""
