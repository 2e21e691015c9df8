"""What the page of a deployment works out by itself."""

from towline.web.dashboard.deployments import steps_ahead


def test_a_wait_that_never_was_does_not_lie_ahead_of_what_is_being_built() -> None:
    assert steps_ahead([]) == ["wait", "fetch", "build", "start", "health", "switch", "retire"]
    assert steps_ahead(["fetch", "build"]) == ["start", "health", "switch", "retire"]
    assert steps_ahead(["wait", "fetch", "build", "release_command"]) == ["start", "health", "switch", "retire"]
    assert steps_ahead(["fetch", "build", "wait"]) == ["start", "health", "switch", "retire"]
