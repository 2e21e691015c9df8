"""The permission check, against a matrix written by hand."""

import pytest

from towline.actions.access import ANONYMOUS, Caller, Permission, check, may
from towline.errors import Forbidden, NotFound, Unauthenticated

MATRIX = {
    "owner": {
        "view_projects",
        "view_logs",
        "deploy",
        "create_previews",
        "manage_services",
        "manage_collaborators",
        "manage_project",
    },
    "admin": {"view_projects", "view_logs", "deploy", "create_previews", "manage_services", "manage_collaborators"},
    "developer": {"view_projects", "view_logs", "deploy", "create_previews"},
    "viewer": {"view_projects", "view_logs"},
}
USER = Caller(user_id="usr_1")
PROJECT_PERMISSIONS = [item for item in Permission if item not in {"administer", "create_projects"}]


@pytest.mark.parametrize("role", MATRIX)
def test_each_role_may_what_the_matrix_says_and_nothing_else(role: str) -> None:
    assert {permission.value for permission in PROJECT_PERMISSIONS if may(USER, permission, role=role)} == MATRIX[role]


def test_without_a_role_nothing_of_a_project_exists() -> None:
    for permission in PROJECT_PERMISSIONS:
        assert not may(USER, permission, role=None)
        with pytest.raises(NotFound):
            check(USER, permission, role=None)


def test_nobody_may_anything() -> None:
    for permission in Permission:
        with pytest.raises(Unauthenticated):
            check(ANONYMOUS, permission, role="owner")


def test_an_administrator_may_everything_but_not_beyond_the_key() -> None:
    administrator = Caller(user_id="usr_1", is_administrator=True)
    assert all(may(administrator, permission, role=None) for permission in Permission)
    narrow = Caller(user_id="usr_1", is_administrator=True, scopes=frozenset({"view_projects"}))
    assert [permission for permission in Permission if may(narrow, permission, role="owner")] == ["view_projects"]
    with pytest.raises(Forbidden):
        check(narrow, Permission.DEPLOY, role="owner")


def test_a_key_of_one_project_sees_no_other_and_nothing_of_the_instance() -> None:
    key = Caller(user_id="usr_1", is_administrator=True, project_id="prj_1")
    check(key, Permission.DEPLOY, role="owner", project_id="prj_1")
    with pytest.raises(NotFound):
        check(key, Permission.DEPLOY, role="owner", project_id="prj_2")
    with pytest.raises(Forbidden):
        check(key, Permission.ADMINISTER, role=None)
