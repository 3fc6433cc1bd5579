"""Uses the package for Python with a running server: SOCKET is its operator socket, OPERATOR the URL of its operator listener and
KEY an operator key with the role verify."""

import os

from toksta import Toksta, TokstaError

admin = Toksta(socket=os.environ["SOCKET"], operator="journey")
remote = Toksta(os.environ["OPERATOR"], key=os.environ["KEY"])


def failure(call, **request):
    """failure returns status and code of the error of a call."""
    try:
        call(**request)
    except TokstaError as error:
        return error.status, error.code
    raise AssertionError("the call succeeded")


account = admin.accounts.create(name="Python", plan="API_PAYG")["account"]["id"]
admin.credits.top_up(account=account, credits=50, idempotency_key="python")
made = admin.keys.create(account=account, name="CI")
key, secret = made["key"]["id"], made["secret"]

decision = remote.verify(key=secret, method="POST", target="/v1/creators/search")
assert decision.admitted and decision.principal.account_id == account, decision
assert (decision.credits["charged"], decision.operation) == (1, "searchCreators"), decision
assert decision.response.headers["X-Toksta-Credit-Cost"] == "1", decision

first, second, third = remote.verify_batch([{"key": secret, "operation": "getCreator"}, {"operation": "getCreator"}, {"key": 7}])
assert (first.admitted, second.reason, third.code) == (True, "key_missing", "BAD_REQUEST")

held = remote.verify(key=secret, operation="searchCreators", credits=20, hold={"job": "j1", "expires_in_seconds": 60})
settled = remote.credits.settle(account=account, reservation=held.credits["reservation"]["id"], credits=5, idempotency_key="j1-done")
assert (settled["reservation"]["state"], settled["reservation"]["charged"]["total"]) == ("settled", 5), settled

assert failure(remote.keys.revoke, key=key) == (403, "FORBIDDEN")
assert failure(admin.accounts.show, account="none") == (404, "NOT_FOUND")
admin.keys.revoke(key=key)
revoked = remote.verify(authorization=f"Bearer {secret}", operation="getCreator")
assert (revoked.admitted, revoked.reason, revoked.response.status) == (False, "key_revoked", 401), revoked
assert revoked.response.body.startswith(b'{"success":false,"error":{"code":"UNAUTHORIZED"'), revoked.response.body

assert admin.server.audit(account=account)["changes"][0]["actor"]["name"] == "journey"
csv = admin.usage.table(from_="2026-01-01T00:00:00Z", to="2026-01-02T00:00:00Z")
assert "," in csv.splitlines()[0], csv
assert remote.server.whoami()["name"] == "journeys"
print("done")
