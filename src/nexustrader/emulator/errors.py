"""A refusal, as every emulated venue raises it inside; its wire writes it in the venue's own form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class VenueError(Exception):
    """A refusal with its code, text and HTTP status, and the headers and data that go with it.

    A `page` is sent instead of the JSON on REST. Without a status it has the venue's usual one of its code.
    """

    usual_status: ClassVar[Mapping[int, int]] = {}
    plain_status = 400

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, object] | None = None,
        page: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = self.usual_status.get(code, self.plain_status) if status is None else status
        self.headers = dict(headers or {})
        self.data = dict(data) if data is not None else None
        self.page = page
