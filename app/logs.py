"""Structured logs: one JSON object a line on standard error, uvicorn's own lines included.

A line and its end are one write, since others write to the same stream: threads here, and processes
beside this one. What Python tells of threads that fail, in pieces, becomes a line, too.
"""

from __future__ import annotations

import logging
import sys
import threading

import structlog

log = structlog.get_logger()


def configure_logs(level: str) -> None:
    """Send structlog's and the standard library's records through one JSON renderer."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    # Every request is logged by our own middleware, with its id and timings.
    logging.getLogger("uvicorn.access").disabled = True
    logging.captureWarnings(True)
    _hook()


def _hook() -> None:
    """Have faults that nobody catches told as lines, unless somebody else has asked for them."""
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _of_thread
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _unraisable


def _of_thread(fault: threading.ExceptHookArgs) -> None:
    if fault.exc_type is SystemExit or fault.exc_value is None:  # as Python does
        return
    name = fault.thread.name if fault.thread else None
    log.error("a thread has failed", thread=name, exc_info=fault.exc_value)


def _unraisable(fault: sys.UnraisableHookArgs) -> None:
    where = fault.err_msg or "Exception ignored in"
    log.error("a fault that nobody can catch", where=f"{where}: {fault.object!r}"[:500],
              exc_info=fault.exc_value)  # fmt: skip
