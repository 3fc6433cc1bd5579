"""The operations of the operator API as methods: toksta.<noun>.<verb>(field=value, …). A field with the name of a keyword gets an
underscore: from_."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Call = Callable[[str, dict[str, Any]], Any]


def fields(request: dict[str, Any]) -> dict[str, Any]:
    """fields returns keyword arguments as the fields of a request."""
    return {name.removesuffix("_"): value for name, value in request.items()}


class _Noun:
    def __init__(self, call: Call) -> None:
        self._call = call


class _Operation:
    """A method that calls one operation with its keyword arguments as the fields of the request."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, noun: _Noun, _: type[_Noun]) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            return noun._call(self.name, fields(request))

        call.__name__ = self.name
        return call


class Accounts(_Noun):
    create = _Operation("accounts/create")
    list = _Operation("accounts/list")
    show = _Operation("accounts/show")
    rename = _Operation("accounts/rename")
    set_plan = _Operation("accounts/set-plan")
    set_status = _Operation("accounts/set-status")
    set_entitlement = _Operation("accounts/set-entitlement")
    set_external_id = _Operation("accounts/set-external-id")
    set_metadata = _Operation("accounts/set-metadata")
    close = _Operation("accounts/close")
    reopen = _Operation("accounts/reopen")
    erase = _Operation("accounts/erase")
    invite = _Operation("accounts/invite")
    add_member = _Operation("accounts/add-member")
    set_password = _Operation("accounts/set-password")


class Members(_Noun):
    list = _Operation("members/list")
    invite = _Operation("members/invite")
    set_role = _Operation("members/set-role")
    disable = _Operation("members/disable")
    enable = _Operation("members/enable")
    remove = _Operation("members/remove")
    reset_factors = _Operation("members/reset-factors")
    sessions = _Operation("members/sessions")
    end_sessions = _Operation("members/end-sessions")
    erase = _Operation("members/erase")


class Invitations(_Noun):
    list = _Operation("invitations/list")
    revoke = _Operation("invitations/revoke")


class Keys(_Noun):
    create = _Operation("keys/create")
    list = _Operation("keys/list")
    show = _Operation("keys/show")
    rename = _Operation("keys/rename")
    set_limits = _Operation("keys/set-limits")
    set_external_id = _Operation("keys/set-external-id")
    set_metadata = _Operation("keys/set-metadata")
    rotate = _Operation("keys/rotate")
    revoke = _Operation("keys/revoke")
    revoke_many = _Operation("keys/revoke-many")
    import_ = _Operation("keys/import")


class Sessions(_Noun):
    create = _Operation("sessions/create")


class OperatorKeys(_Noun):
    create = _Operation("operator-keys/create")
    list = _Operation("operator-keys/list")
    show = _Operation("operator-keys/show")
    rotate = _Operation("operator-keys/rotate")
    revoke = _Operation("operator-keys/revoke")


class Credits(_Noun):
    reserve = _Operation("credits/reserve")
    settle = _Operation("credits/settle")
    refund = _Operation("credits/refund")
    top_up = _Operation("credits/top-up")
    adjust = _Operation("credits/adjust")
    entries = _Operation("credits/entries")
    reservations = _Operation("credits/reservations")
    verify = _Operation("credits/verify")


class Usage(_Noun):
    show = _Operation("usage")
    by = _Operation("usage/by")
    table = _Operation("usage/table")


class Events(_Noun):
    list = _Operation("events/list")
    show = _Operation("events/show")
    replay = _Operation("events/replay")
    test = _Operation("events/test")


class Server(_Noun):
    whoami = _Operation("whoami")
    audit = _Operation("audit")
    nodes = _Operation("nodes")
    health = _Operation("health")
    export_status = _Operation("export/status")
    test_mail = _Operation("mail/test")
