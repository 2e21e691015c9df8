"""Doors of Towline's own that Traefik sends requests to: pages, the waker of what sleeps, and the gates.

Beside the platform's own host, Towline's API is reached by these three ways only:

- `GET /_towline/pages/{name}`: the page that is shown for a status, fetched by Traefik without the request's body;
- `/_towline/waking/{key}/…`: a whole request to a route whose servers sleep, with the door key in a header, since it
  is passed on to an instance and nobody else than Traefik may have that done;
- `GET /_towline/gates/{owner}`: Traefik asks whether a request to a guarded route may pass (forwardAuth).
"""

from dataclasses import dataclass

from towline.errors import InvalidInput
from towline.routing.checks import check_owner
from towline.values import Route

Config = dict[str, object]

DOOR_KEY_HEADER = "X-Towline-Door-Key"
_PAGES = {"down": "503", "maintenance": "maintenance"}


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors of one owner's routes; without a `url` there are none."""

    owner: str
    url: str
    key: str

    @property
    def service(self) -> str:
        """Name of the service that leads to Towline."""
        return f"{self.owner}_doors"

    def is_waking(self, route: Route) -> bool:
        """Whether requests to a route go to the waker."""
        return bool(self.url and self.key) and route.absence == "waking" and not route.servers

    def before(self, route: Route) -> Config:
        """What a request meets before anything else: the gate, which sees the path as the visitor sent it."""
        if not route.is_guarded:
            return {}
        if not self.url:
            raise InvalidInput(f"Nothing can guard {route.host} here.", field="is_guarded")
        # A header that the gate does not answer with is taken away by Traefik: so the app never gets the gate's cookie,
        # only those that are the app's own.
        gate: Config = {
            "address": f"{self.url}/_towline/gates/{check_owner(self.owner)}",
            "trustForwardHeader": True,
            "authResponseHeaders": ["Cookie"],
            "maxResponseBodySize": 65_536,
        }
        return {f"{self.owner}_gate": {"forwardAuth": gate}}

    def after(self, route: Route) -> Config:
        """What a request to a route without servers meets last."""
        if route.servers or not self.url:
            return {}
        if self.is_waking(route):
            place: Config = {"prefix": f"/_towline/waking/{route.key}"}
            key: Config = {"customRequestHeaders": {DOOR_KEY_HEADER: self.key}}
            return {f"{route.key}_place": {"addPrefix": place}, f"{self.owner}_key": {"headers": key}}
        absence = route.absence if route.absence in _PAGES else "down"
        return {f"{self.owner}_{absence}": error_page(503, pages=self.service, page=_PAGES[absence])}


def error_page(status: int, *, pages: str, page: str, answers: int = 0) -> Config:
    """A middleware that shows a page of Towline's for a status, answering with another status if `answers` is given."""
    shown: Config = {
        "status": [str(status)],
        "service": pages,
        "query": f"/_towline/pages/{page}",
        "errorRequestHeaders": ["Accept", "Accept-Language"],
    }
    return {"errors": {**shown, "statusRewrites": {str(status): answers}} if answers else shown}
