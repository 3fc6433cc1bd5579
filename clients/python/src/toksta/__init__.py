"""Require and manage API keys with a Toksta server, with the standard library only.

Toksta is a client of the operator API, verify_webhook verifies webhooks of the server, and toksta.wsgi and toksta.asgi have
middleware for Flask, Django, Starlette, FastAPI and other frameworks.
"""

from ._client import Toksta
from ._decision import Decision, Principal, Rate, Reply
from ._errors import TokstaError, WebhookError
from ._webhook import Webhook, verify_webhook

__version__ = "0.1.0"

__all__ = ["Decision", "Principal", "Rate", "Reply", "Toksta", "TokstaError", "Webhook", "WebhookError", "verify_webhook"]
