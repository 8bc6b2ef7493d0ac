from __future__ import annotations

from workspace import fresh_redaction, workspace

__all__ = ["fresh_redaction", "workspace"]
