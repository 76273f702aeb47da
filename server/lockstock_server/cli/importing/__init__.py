"""The command `import`: master data and opening stock from CSV files, in pieces, resumable, with a preview."""

from lockstock_server.cli.importing.command import register

__all__ = ["register"]
