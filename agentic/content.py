"""What people, models and tools say, for the log: nothing of it is written unless LOG_CONTENT=true.

Whoever logs text goes through :func:`log`, so that one switch holds for all of it.
"""

from __future__ import annotations

import logging

_OFF = logging.CRITICAL + 1
logger = logging.getLogger(__name__)
logger.setLevel(_OFF)


def log(message: str, *args: object) -> None:
    """Log text at INFO, if the operator wants text in the log. Formatted as by :mod:`logging`, only when it is."""
    logger.info(message, *args)


def is_allowed() -> bool:
    """Whether text is logged at all, for those who would have to put it together first."""
    return logger.isEnabledFor(logging.INFO)


def allow(allowed: bool) -> None:
    """Switch text in the log on or off; it is off at first."""
    logger.setLevel(logging.INFO if allowed else _OFF)
