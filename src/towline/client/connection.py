"""One server and one credential: sends operations of the contract, tries again what may be, raises TowlineErrors."""

import secrets
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError

from towline.client.problems import error_from_response
from towline.client.transport import make_http_client
from towline.contract.base import API_PREFIX, Page
from towline.contract.operations import IDEMPOTENCY_HEADER, Operation
from towline.contract.problems import PROBLEM_MEDIA_TYPE
from towline.contract.routes.table import OPERATIONS
from towline.errors import InvalidInput, TimedOut, Unavailable

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

RETRY_DELAYS: Final = (0.1, 0.4, 1.0)
"""Seconds before the second, third and fourth try of a call that did not get through."""

_BY_ID: Final = {operation.id: operation for operation in OPERATIONS}
_UNREACHABLE_HINT: Final = "Start it with `towline up`, or check the address with `towline config`."


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation: what goes into its path, query and body."""

    operation: str
    path: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])
    query: BaseModel | None = None
    body: BaseModel | None = None
    idempotency_key: str | None = None

    @property
    def spec(self) -> Operation:
        """The operation's row in the contract's table."""
        return _BY_ID[self.operation]

    @property
    def url(self) -> str:
        """Path below the server's address."""
        values = {name: quote(str(value), safe="") for name, value in self.path.items()}
        return API_PREFIX + self.spec.path.format(**values)

    @property
    def parameters(self) -> dict[str, str]:
        """Query parameters that differ from their defaults."""
        if self.query is None:
            return {}
        values = self.query.model_dump(mode="json", exclude_defaults=True)
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}


class Connection:
    """Sends calls to one server; may be used by several threads at once."""

    def __init__(self, base_url: str, api_key: str, *, timeout: float) -> None:
        self.base_url = _checked_base_url(base_url)
        self.api_key = api_key
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.http = make_http_client(self.base_url, timeout=timeout, headers={"Accept": "application/json", **headers})

    def close(self) -> None:
        """Close all connections to the server."""
        self.http.close()

    def send(self, call: Call, gives: type[M]) -> M:
        """The answer of a call, as a model."""
        response = self._send_until_answered(call)
        try:
            return gives.model_validate_json(response.content, extra="ignore")
        except ValidationError as error:
            raise Unavailable(
                f"{self.base_url} gave an answer to {call.operation} that this client does not understand.",
                hint="Use the same version of Towline here and on the server (`towline config` shows both).",
            ) from error

    def run(self, call: Call) -> None:
        """Send a call whose answer has no body."""
        self._send_until_answered(call)

    @contextmanager
    def stream(self, call: Call, *, headers: Mapping[str, str], timeout: httpx2.Timeout) -> Generator[httpx2.Response]:
        """The answer of a call while it arrives; tried once."""
        with self.translated_errors():
            request = self.http.build_request(
                call.spec.method, call.url, params=call.parameters, headers=dict(headers), timeout=timeout
            )
            response = self.http.send(request, stream=True)
            try:
                if response.is_error:
                    response.read()
                    raise error_from_response(response)
                yield response
            finally:
                response.close()

    @contextmanager
    def translated_errors(self) -> Generator[None]:
        """Turns what the HTTP library raises into TowlineErrors."""
        try:
            yield
        except httpx2.TimeoutException as error:
            raise TimedOut(f"Towline at {self.base_url} did not answer in time.") from error
        except httpx2.UnsupportedProtocol as error:
            raise InvalidInput(f"{self.base_url} is not an address such as https://towline.example.com.") from error
        except httpx2.TransportError as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(
                f"Towline at {self.base_url} cannot be reached: {reason}.", hint=_UNREACHABLE_HINT
            ) from error

    def iterate(self, call: Call, gives: type[Page[T]]) -> Iterator[T]:
        """The objects of all pages of a list; `call.query` says how many come at once."""
        while True:
            page = self.send(call, gives)
            yield from page.items
            if page.next_cursor is None or call.query is None:
                return
            call = replace(call, query=call.query.model_copy(update={"cursor": page.next_cursor}))

    def _send_until_answered(self, call: Call) -> httpx2.Response:
        with self.translated_errors():
            request = self._request(call)
            for delay in RETRY_DELAYS:
                response = self._find_answer(request)
                if response is not None:
                    return _checked(response)
                time.sleep(delay)
            return _checked(self.http.send(request))

    def _find_answer(self, request: httpx2.Request) -> httpx2.Response | None:
        """None when the request did not get through to the API and may be sent again."""
        try:
            response = self.http.send(request)
        except (httpx2.TimeoutException, httpx2.UnsupportedProtocol):
            raise
        except httpx2.TransportError:
            return None
        is_problem = response.headers.get("content-type", "").startswith(PROBLEM_MEDIA_TYPE)
        is_worth_another = response.status_code == 503 or (response.status_code in {502, 504} and not is_problem)
        return None if is_worth_another else response

    def _request(self, call: Call) -> httpx2.Request:
        """Every write carries an Idempotency-Key, so that trying again cannot do it twice."""
        headers: dict[str, str] = {}
        if call.spec.is_write:
            headers[IDEMPOTENCY_HEADER] = call.idempotency_key or secrets.token_urlsafe(24)
        content = None
        if call.body is not None:
            headers["Content-Type"] = call.spec.request_media_type
            content = call.body.model_dump_json(exclude_unset=True).encode()
        return self.http.build_request(
            call.spec.method, call.url, params=call.parameters, headers=headers, content=content
        )


def _checked(response: httpx2.Response) -> httpx2.Response:
    if response.is_success:
        return response
    raise error_from_response(response)


def _checked_base_url(value: str) -> str:
    url = value.strip().rstrip("/")
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise InvalidInput(f"{value!r} is not an address such as https://towline.example.com.", field="url") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host or "%" in parsed.host:
        raise InvalidInput(f"{value!r} is not an address such as https://towline.example.com.", field="url")
    return url
