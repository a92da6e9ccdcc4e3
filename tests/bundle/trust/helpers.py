"""A key id, moments, and the beginning of every trust file."""

from __future__ import annotations

from datetime import UTC, datetime

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EARLIER, LATER = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
ID = "ab" * 32
HEAD = 'format = "kolm-trust/1"\n'
