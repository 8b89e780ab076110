"""Many boards made what one file says."""
