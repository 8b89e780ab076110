"""All that a store holds goes into another, of the other kind or of the same."""
