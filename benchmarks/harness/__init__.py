"""The harness: runs, counts, draws. What is loaded stands in `peers` and in `cases.py`."""
