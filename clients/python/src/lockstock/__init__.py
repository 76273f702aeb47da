"""The Python client of Lockstock."""

from lockstock.client import Client, connect
from lockstock.errors import LockstockError
from lockstock.request_id import new_request_id
from lockstock.retry import Retries

__all__ = ["Client", "LockstockError", "Retries", "connect", "new_request_id"]
