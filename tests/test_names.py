"""Rules for names."""

import pytest

from towline.actions.deployments.make import check_labels
from towline.errors import BuildFailed, InvalidInput
from towline.names import find_reserved_labels
from towline.values import Image


def test_labels_that_would_speak_for_towline_traefik_or_docker_are_found() -> None:
    labels = {
        "maintainer": "ann",
        "towline.project": "shop",
        "towline.command": "cmd_1",
        "Traefik.http.routers.x.rule": "",
        "com.docker.compose.project": "db",
        "com.docker.compose.service": "",
    }
    assert find_reserved_labels(labels) == (
        "Traefik.http.routers.x.rule",
        "com.docker.compose.project",
        "towline.command",
    )


def test_an_image_with_such_a_label_is_refused_by_name_and_with_the_way_out() -> None:
    image = Image("sha256:1", "sha256:1", reserved_labels=("traefik.enable", "traefik.http.routers.x.rule"))
    with pytest.raises(BuildFailed, match=r"'traefik.enable' and 1 more") as built:
        check_labels(image, is_built=True)
    assert "LABEL traefik.enable" in built.value.hint
    with pytest.raises(InvalidInput) as pulled:
        check_labels(image, is_built=False)
    assert pulled.value.field == "image"
    check_labels(Image("sha256:1", "sha256:1"), is_built=True)
