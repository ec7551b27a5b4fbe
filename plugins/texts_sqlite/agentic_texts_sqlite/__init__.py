"""Full text in SQLite's FTS5."""

from pathlib import Path
from typing import Any

from agentic import TextIndex, hookimpl


@hookimpl
def agentic_text_indexes(settings: Any, data_dir: Path) -> TextIndex:
    """The index ``sqlite``; its folder, ``texts`` in the data folder, is made at the first use."""
    from agentic_texts_sqlite.index import SqliteTextIndex

    return SqliteTextIndex(data_dir / "texts")
