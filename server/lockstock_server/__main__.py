"""`python -m lockstock_server`: serve with the settings of the environment."""

from __future__ import annotations

import asyncio
import sys

from lockstock_server import logs, settings
from lockstock_server.compose import serve
from lockstock_server.errors import StartError


def main() -> int:
    """Serve; the exit code is one of `errors.ExitCode`."""
    try:
        chosen = settings.load()
        logs.configure(chosen.log_level, chosen.log_format)
        return int(asyncio.run(serve(chosen)))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return error.code


if __name__ == "__main__":
    sys.exit(main())
