"""The settings in force, for commands that serve or read a data directory."""

from typing import Any

from lockstock_server.cli.output import Exit, fail
from lockstock_server.errors import StartError
from lockstock_server.settings import Settings, load


def settings_in_force(**given: Any) -> Settings:
    """The settings; what is wrong with them ends the command with a sentence."""
    try:
        return load(**given)
    except StartError as wrong:
        fail(str(wrong), Exit.USAGE)
