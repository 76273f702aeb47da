"""The Lockstock server: planners, doors and projection in Python around a stock core in Rust."""

__version__ = "0.1.0"
