from __future__ import annotations

import unittest

from toksta import Webhook, WebhookError, verify_webhook

# The test vector that all libraries of Standard Webhooks share.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
BODY = b'{"test": 2432232314}'
AT = 1614265330
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def verify(change: dict[str, str] | None = None, body: bytes = BODY, late: float = 0, secrets: str | list[str] = SECRET) -> Webhook:
    headers = {"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": str(AT), "WEBHOOK-SIGNATURE": GOOD}
    return verify_webhook({**headers, **(change or {})}, body, secrets, AT + late)


class WebhookTest(unittest.TestCase):
    def test_accepts(self) -> None:
        """Guarantee: the function accepts every webhook that the sender signed, with either of two secrets, within five minutes."""
        for name, arguments in {
            "the vector": {},
            "one secret of two": {"secrets": [OTHER, SECRET]},
            "one signature of 3": {"change": {"WEBHOOK-SIGNATURE": f"v1,AAAA v1a,AAAA {GOOD}"}},
            "five minutes old": {"late": 300},
            "five minutes ahead": {"late": -300},
        }.items():
            self.assertEqual(verify(**arguments).id, "msg_p5jXN8AQM9LWM0D4loKWxJek", name)

    def test_rejects(self) -> None:
        """Guarantee: a webhook without the secret or a replayed one is rejected, and no error shows a secret."""
        for name, arguments in {
            "another body": {"body": BODY + b" "},
            "another id": {"change": {"Webhook-Id": "msg_other"}},
            "no id": {"change": {"Webhook-Id": ""}},
            "another time": {"change": {"webhook-timestamp": str(AT + 1)}},
            "a time with signs": {"change": {"webhook-timestamp": f"+{AT}"}},
            "no time": {"change": {"webhook-timestamp": ""}},
            "a moved dot": {"change": {"Webhook-Id": f"msg_p5jXN8AQM9LWM0D4loKWxJek.{AT}"}},
            "no signature": {"change": {"WEBHOOK-SIGNATURE": ""}},
            "the other scheme": {"change": {"WEBHOOK-SIGNATURE": GOOD.replace("v1,", "v1a,")}},
            "a prefix": {"change": {"WEBHOOK-SIGNATURE": "v1,g0hM9SsE"}},
            "text outside ASCII": {"change": {"WEBHOOK-SIGNATURE": "v1,é"}},
            "too old": {"late": 300.5},
            "too new": {"late": -300.5},
            "another secret": {"secrets": OTHER},
            "no secret": {"secrets": []},
        }.items():
            with self.assertRaises(WebhookError, msg=name) as caught:
                verify(**arguments)
            self.assertNotIn(SECRET[6:], str(caught.exception))
        for malformed in ("hush", "whsec_", "whsec_AAAA", "whsec_!" + SECRET[7:]):
            with self.assertRaises(ValueError, msg=malformed) as wrong:
                verify(secrets=malformed)
            self.assertNotIn("hush", str(wrong.exception))
