"""The generated messages of `lockstock.internal.v1`; not public."""
