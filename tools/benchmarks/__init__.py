"""The benchmarks of docs/benchmarks.md: `make bench`, or `python -m benchmarks` in tools/."""
