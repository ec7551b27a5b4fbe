"""The JSON values that a storage backend keeps, as bytes and back: every backend takes and gives the same ones."""

from __future__ import annotations

import json
import logging
from typing import Any

from agentic.errors import StorageError

logger = logging.getLogger(__name__)

_UNUSUAL = b" "
"""Begins what json must read as well: orjson would make floats of integers over 64 bits."""


def encode_value(value: Any) -> bytes:
    """The value as JSON in UTF-8, on one line. Raises TypeError or ValueError for what is not JSON."""
    import orjson

    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
    try:
        return orjson.dumps(value, option=options)
    except TypeError as refusal:
        return _encode_unusual(value, refusal)


def decode_value(data: bytes) -> Any:
    """The value that was encoded. Raises StorageError if the bytes are no JSON."""
    import orjson

    if not data.startswith(_UNUSUAL):
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            logger.debug("[Values] Read again: not for orjson")
    try:
        return json.loads(data)
    except ValueError as error:
        raise StorageError("A stored value is damaged: restore the storage from a backup.") from error


def _encode_unusual(value: Any, refusal: TypeError) -> bytes:
    """JSON that orjson refuses: integers over 64 bits, halves of emoji, which clients do send, and deep nesting."""
    try:
        text = json.dumps(value, allow_nan=False)
        is_same = json.loads(text) == value
    except RecursionError:
        raise refusal from None
    # json writes keys such as 1 and None as strings: what would come back changed is refused.
    if not is_same:
        raise refusal
    return _UNUSUAL + text.encode()
