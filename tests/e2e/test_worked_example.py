"""The worked example of the docs is run as it stands: its answers are the server's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from support import worked_example as example

if TYPE_CHECKING:
    from conftest import Start

REWRITE = "LOCKSTOCK_REWRITE_EXAMPLE"
"""Set, the page is written anew instead of compared: for whoever changes what commands print."""


@pytest.mark.timeout(900)
def test_every_answer_of_the_worked_example_is_what_the_server_says(start: Start) -> None:
    server = start()
    page = example.PAGE.read_text(encoding="utf-8")
    parts = list(example.read(page))
    commands = [part for part in parts if isinstance(part, example.Command)]
    assert len(commands) > 20
    answers = [example.run(command, server.address, server.fast_lane) for command in commands]
    if os.environ.get(REWRITE):
        example.PAGE.write_text(example.written(parts, answers), encoding="utf-8")
    differing = {
        command.line: (command.answer, answer)
        for command, answer in zip(commands, answers, strict=True)
        if command.answer != answer
    }
    assert not differing, differing
