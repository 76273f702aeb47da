"""`python -m lockstock_server.cli` is the command `lockstock`."""

from lockstock_server.cli import main

main()
