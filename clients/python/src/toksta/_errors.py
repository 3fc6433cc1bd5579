from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TokstaError(Exception):
    """A failed call of the operator API. It never holds the operator key.

    code is the code of the envelope, for example NOT_FOUND, and UNAVAILABLE if there was no response of Toksta. reason is the
    cause within the code, or "": without a response it is unreachable, timeout or malformed_response. hint is the next step for
    an operator, or "". status is the HTTP status, 0 without a response.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        reason: str = "",
        hint: str = "",
        status: int = 0,
        request_id: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.reason = reason
        self.hint = hint
        self.status = status
        self.request_id = request_id
        self.details = dict(details or {})


class WebhookError(Exception):
    """An invalid webhook: respond with 401."""


def unavailable(reason: str, message: str) -> TokstaError:
    """unavailable returns the error of a call without a response of Toksta."""
    return TokstaError("UNAVAILABLE", message, reason=reason)
