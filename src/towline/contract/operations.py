"""What one operation of the API is, apart from the table of them."""

from dataclasses import dataclass
from typing import Final, Literal

from towline.contract.base import Model

JSON_MEDIA_TYPE: Final = "application/json"
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
IDEMPOTENCY_KEY_PATTERN: Final = r"^[!-~]{1,128}$"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "WEBSOCKET"]
Permission = Literal[
    "anyone",
    "signed_in",
    "view_projects",
    "view_logs",
    "deploy",
    "create_previews",
    "manage_services",
    "manage_collaborators",
    "manage_project",
    "create_projects",
    "administer",
]
"""What a caller must be allowed: the permissions of the project's role, `create_projects` (every user, but no key of
one project), `administer` (instance administrators), `signed_in` (any valid key or session), and `anyone` (also
without a credential: signing in, set-up, invitations)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing the API can do.

    `path` is below `/api/v1`; `{names}` in it are path parameters, where `project` and `service` take an id or a
    name. `query` holds the query parameters, `request` the JSON body, `response` the JSON answer given with `status`
    (None: no body, or the bytes of `media_type`). `stream_media_type` is that of the followed form, where there is one.
    """

    id: str
    method: Method
    path: str
    summary: str
    permission: Permission
    request: type[Model] | None = None
    query: type[Model] | None = None
    response: type[Model] | None = None
    status: int = 200
    media_type: str = JSON_MEDIA_TYPE
    request_media_type: str = JSON_MEDIA_TYPE
    stream_media_type: str | None = None

    @property
    def is_write(self) -> bool:
        """Whether it changes something and so accepts an `Idempotency-Key`."""
        return self.method in {"POST", "PUT", "PATCH", "DELETE"}


def read(
    operation_id: str,
    path: str,
    *,
    needs: Permission,
    gives: type[Model],
    summary: str,
    query: type[Model] | None = None,
) -> Operation:
    """A GET that answers 200 with JSON."""
    return Operation(operation_id, "GET", path, summary, needs, query=query, response=gives)


def create(
    operation_id: str, path: str, *, needs: Permission, takes: type[Model], gives: type[Model], summary: str
) -> Operation:
    """A POST that answers 201 with what it made."""
    return Operation(operation_id, "POST", path, summary, needs, request=takes, response=gives, status=201)


def update(
    operation_id: str, path: str, *, needs: Permission, takes: type[Model], gives: type[Model], summary: str
) -> Operation:
    """A PATCH that answers 200 with the changed object."""
    return Operation(operation_id, "PATCH", path, summary, needs, request=takes, response=gives)


def accept(
    operation_id: str, path: str, *, gives: type[Model], summary: str, takes: type[Model] | None = None
) -> Operation:
    """A POST that needs `deploy` and answers 202: what it asked for happens afterwards."""
    return Operation(operation_id, "POST", path, summary, "deploy", request=takes, response=gives, status=202)


def delete(
    operation_id: str, path: str, *, needs: Permission, summary: str, query: type[Model] | None = None
) -> Operation:
    """A DELETE that answers 204."""
    return Operation(operation_id, "DELETE", path, summary, needs, query=query, status=204)
