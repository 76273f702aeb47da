"""The Lockstock server: planners, doors and projection in Python around a stock core in Rust."""

import os

__version__ = "0.1.0"

# Milliseconds until the core's allocator gives freed memory back to the system; it reads them when the core is loaded.
# After its own second a steady load had just freed what it takes next, and each time the system had to zero it first:
# 1,400 page faults a second under batches became 30.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "10000")

# Nor does it take memory two megabytes at once: zeroing them takes up to 2.5 ms, in which nobody is answered, and where
# memory is full the system first looks for so much in one piece. Of 40,000 locks a second p99.9 was 9 to 450 ms with
# such pages and 6 to 7 without, and batches were no slower.
os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")
