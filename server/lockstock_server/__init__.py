"""The Lockstock server: planners, doors and projection in Python around a stock core in Rust."""

import os

__version__ = "0.1.0"

# Milliseconds until the core's allocator gives freed memory back to the system; it reads them when the core is loaded.
# After its own second a steady load had just freed what it takes next, and each time the system had to zero it first:
# 1,400 page faults a second under batches became 30.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "10000")
