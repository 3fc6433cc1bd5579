from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._errors import WebhookError

_TOLERANCE = 300  # seconds, in either direction


@dataclass(frozen=True)
class Webhook:
    """A verified webhook. id is the same for every attempt: process an id only once. timestamp is RFC 3339."""

    id: str
    type: str
    timestamp: str
    data: Any


def verify_webhook(headers: Mapping[str, str], raw_body: bytes, secrets: str | Sequence[str], now: float | None = None) -> Webhook:
    """Verifies a webhook and returns its content.

    The header and the body must be as received; names of fields are compared without regard to case. One signature must match
    one secret ("whsec_…"), and the timestamp may differ from the clock by 5 minutes. now is the Unix time at the receiver. The
    function raises WebhookError for an invalid webhook, and ValueError for a malformed secret.
    """
    keys = [_signing_key(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    fields = {name.lower(): value for name, value in headers.items()}
    identifier, timestamp = fields.get("webhook-id", ""), fields.get("webhook-timestamp", "")
    if not identifier or "." in identifier or re.fullmatch(r"0|-?[1-9][0-9]{0,14}", timestamp) is None:
        raise WebhookError("The id or the timestamp of the webhook is missing or malformed.")
    off = abs((time.time() if now is None else now) - int(timestamp))
    if not off <= _TOLERANCE:
        raise WebhookError(f"The timestamp of the webhook differs from the clock by {off:.0f} s.")
    signed = False
    for key in keys:
        mac = hmac.new(key, f"{identifier}.{timestamp}.".encode() + raw_body, hashlib.sha256)
        want = b"v1," + base64.b64encode(mac.digest())
        for got in fields.get("webhook-signature", "").split():
            signed = hmac.compare_digest(got.encode(), want) or signed
    if not signed:
        raise WebhookError("No signature of the webhook matches a secret.")
    try:
        event = json.loads(raw_body)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise WebhookError("The body of the webhook is not a JSON object.")
    return Webhook(identifier, str(event.get("type", "")), str(event.get("timestamp", "")), event.get("data"))


def _signing_key(text: str) -> bytes:
    """_signing_key parses "whsec_" and a key of 24 to 64 bytes in base64. Its error holds no part of the text."""
    try:
        key = base64.b64decode(text[6:], validate=True) if text.startswith("whsec_") else b""
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError("A signing secret is whsec_ and 24 to 64 bytes in base64.")
    return key
