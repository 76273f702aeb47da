"""Logs: structured events, one line each, on standard error. What is logged is named, never dumped."""

from __future__ import annotations

import logging
import sys

import structlog

from lockstock_server.masking import masked
from lockstock_server.settings import LogFormat, LogLevel

_LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}

Log = structlog.stdlib.BoundLogger


def configure(level: LogLevel, form: LogFormat) -> None:
    """Set up the logs of the process, those of libraries included."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if form is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries speak of themselves at INFO; of theirs only what an operator should look at is shown.
    root.setLevel(max(_LEVELS[level], logging.WARNING))
    logging.getLogger("lockstock_server").setLevel(_LEVELS[level])


def _mask(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Whatever a library says: no password of a URL goes out with it."""
    return {key: masked(value) if isinstance(value, str) else value for key, value in event.items()}


def get(name: str) -> Log:
    """Give the logger of a module."""
    log: Log = structlog.stdlib.get_logger(name)
    return log
