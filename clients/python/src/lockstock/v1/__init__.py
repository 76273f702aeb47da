"""The generated messages and stubs of `lockstock.v1`."""
