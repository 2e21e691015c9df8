"""What callers get of an operation, in words: who is let in, and who hears what."""

from dataclasses import dataclass, replace
from typing import Final

OK: Final = 0
"""Any answer but 401, 403, 404 and those from 500 on: the caller was let in, whatever came of it."""


@dataclass(frozen=True)
class Answers:
    """What everyone gets. `narrow` are keys of one scope alone, but for the one whose scope is `scope`.

    Keys and sessions that hold no more get what nobody gets, and so do those of a disabled user.
    """

    nobody: int
    stranger: int
    viewer: int
    developer: int
    admin: int
    owner: int
    foreign: int
    root: int
    session: int
    elsewhere: int
    narrow: int
    scope: str = ""
    scope_gets: int = OK

    def expected_of(self, name: str) -> int:
        """The answer for one of the crowd."""
        kind, _, scope = name.partition(" ")
        if kind == "ended":
            return self.nobody
        if kind == "outside":
            return 403 if self.nobody == 401 else OK
        return (self.scope_gets if scope == self.scope else self.narrow) if kind == "only" else getattr(self, name)


#          nobody stranger viewer developer admin owner foreign root session elsewhere narrow scope
OPEN: Final = Answers(OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK)
EVERYONE: Final = Answers(401, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK)
UNLIMITED: Final = Answers(401, OK, OK, OK, OK, OK, OK, OK, OK, 403, 403)
NOTHING_THERE: Final = Answers(401, 404, 404, 404, 404, 404, 404, 404, 404, 403, 403)
SESSIONS_ONLY: Final = Answers(401, 403, 403, 403, 403, 403, 403, 403, OK, 403, 403)
NO_SUCH_OF_MINE: Final = Answers(401, 403, 403, 403, 403, 403, 403, 403, 404, 403, 403)
CREATES: Final = Answers(401, OK, OK, OK, OK, OK, OK, OK, OK, 403, 403, "create_projects")
VIEWS: Final = Answers(401, 404, OK, OK, OK, OK, 404, OK, OK, 404, 403, "view_projects")
READS_LOGS: Final = Answers(401, 404, OK, OK, OK, OK, 404, OK, OK, 404, 403, "view_logs")
LEAVES: Final = Answers(401, 404, OK, OK, OK, OK, 404, 404, OK, 404, 403)
DEPLOYS: Final = Answers(401, 404, 403, OK, OK, OK, 404, OK, OK, 404, 403, "deploy")
PREVIEWS: Final = replace(DEPLOYS, scope="create_previews")
MANAGES: Final = Answers(401, 404, 403, 403, OK, OK, 404, OK, OK, 404, 403, "manage_services")
RESTORES: Final = replace(MANAGES, scope="")
"""What manages services and deploys them: no key of one scope may."""
INVITES: Final = Answers(401, 404, 403, 403, OK, OK, 404, OK, OK, 404, 403, "manage_collaborators")
OWNS: Final = Answers(401, 404, 403, 403, 403, OK, 404, OK, OK, 404, 403, "manage_project")
GRANTS: Final = replace(INVITES, scope="")
HANDS_OVER: Final = replace(OWNS, scope="")
"""Nobody gives more than they hold: a key must hold all that the role does."""
ADMINISTERS: Final = Answers(401, 403, 403, 403, 403, 403, 403, OK, 403, 403, 403, "administer")
LETS_IN: Final = replace(ADMINISTERS, scope="")
"""What can make a way into an account: no limited key may."""
