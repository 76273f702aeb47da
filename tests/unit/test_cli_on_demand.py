"""The command line imports a command when it is called, and knows all of them."""

from __future__ import annotations

import subprocess
import sys

from lockstock_server import cli


def test_the_table_of_commands_is_what_the_modules_register() -> None:
    found = {
        (name, module)
        for module in sorted(set(cli.COMMANDS.values()))
        for name in cli.registered(module).commands
    }
    assert found == set(cli.COMMANDS.items())


def test_a_command_on_orders_does_not_wait_for_the_libraries_of_database_and_engine() -> None:
    heavy = ("sqlalchemy", "alembic", "psycopg", "pyarrow", "pydantic", "lockstock_server._core")
    program = (
        "import sys; from lockstock_server import cli; cli.registered(cli.COMMANDS['order']); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
