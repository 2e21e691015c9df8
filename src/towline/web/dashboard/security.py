"""The page on which visitors set up their second factors and passkeys."""

from towline.actions.credentials import check_recent_proof
from towline.errors import ProofNeeded
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Visit


async def show_security(visit: Visit) -> View:
    """The visitor's second factors, with all that can be done about them."""
    factors = await visit.ask("secondFactors.list")
    values = {"factors": factors, "needs_proof": needs_proof(visit), "has_password": visit.credential.has_password}
    return View("security.html", "Security", values)


def needs_proof(visit: Visit) -> bool:
    """Whether the visitor has to prove again who they are, before anything can be changed."""
    try:
        check_recent_proof(visit.credential)
    except ProofNeeded:
        return True
    return False
