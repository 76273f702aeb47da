"""The Python door: gRPC over asyncio. Bytes in, bytes out; the same answers as the fast lane."""
