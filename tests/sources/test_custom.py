"""Prebuilt images and inline Dockerfiles."""

from pathlib import Path

import pytest
from tests.sources.conftest import Reported
from tests.sources.requests import fetched_paths, is_empty

from towline.errors import InvalidInput
from towline.sources.base import FetchRequest
from towline.sources.custom import CustomSource, image_of
from towline.sources.references import check_image_reference
from towline.storage.local import LocalStorage


@pytest.fixture
def custom(storage: LocalStorage, scratch: Path) -> CustomSource:
    return CustomSource(storage.store_tree, scratch)


async def test_image_has_an_empty_bundle(
    custom: CustomSource, storage: LocalStorage, report: Reported, scratch: Path
) -> None:
    config = custom.validate_config({"image": "nginx:1.29"})
    bundle = await custom.fetch_source(FetchRequest(config=config), report)
    assert image_of(config) == "nginx:1.29" == bundle.revision
    assert await fetched_paths(storage, bundle.digest) == set()
    assert is_empty(scratch)


async def test_inline_dockerfile_is_all_there_is(custom: CustomSource, storage: LocalStorage, report: Reported) -> None:
    text = "FROM scratch\r\nLABEL name=ünïcode\n"
    config = custom.validate_config({"dockerfile": text})
    assert image_of(config) is None
    bundle = await custom.fetch_source(FetchRequest(config=config), report)
    async with storage.open_bundle(bundle.digest) as tree:
        assert (tree / "Dockerfile").read_bytes() == text.encode()
    assert bundle.revision.startswith("sha256:")


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "image"),
        ({"image": "a", "dockerfile": "FROM a"}, "image"),
        ({"image": ""}, "image"),
        ({"image": 1}, "image"),
        ({"image": "-x"}, "image"),
        ({"dockerfile": " \n"}, "image"),
        ({"dockerfile": "x\0"}, "dockerfile"),
        ({"dockerfile": "x" * 70_000}, "dockerfile"),
        ({"dockerfile": "\ud800"}, "dockerfile"),
        ({"tag": "x"}, "tag"),
    ],
)
def test_configuration_names_the_field_at_fault(custom: CustomSource, config: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        custom.validate_config(config)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "reference",
    [
        *("nginx", "nginx:1.29-alpine", "library/nginx", "ghcr.io/shop/api:v1", "localhost:5000/a__b/c--d.e"),
        *("[2001:db8::1]:5000/x", "a@sha256:" + "0" * 64, "Host.example.com/a:T_a-g.1@sha256:" + "f" * 64),
    ],
)
def test_image_names_are_accepted(reference: str) -> None:
    assert check_image_reference(reference) == reference


@pytest.mark.parametrize(
    "reference",
    [
        *(
            "",
            " ",
            "Nginx",
            "a:",
            "a:-x",
            ":x",
            "a//b",
            "/a",
            "a/",
            "-a",
            "a_-b",
            "a..b",
            "a___b",
            "a b",
            "a\n",
            "a:b:c",
        ),
        *(
            "a@sha256:0",
            "a@md5:" + "0" * 64,
            "f" * 64,
            "http://a/b",
            "a" * 256,
            "a:" + "x" * 129,
            "é",
            "a@sha256:" + "F" * 64,
        ),
        # What would be an image of whichever project that is on the machine already.
        *("sha256:" + "0" * 64, "0" * 12, "towline-twl0/shop-web:1", "docker.io/towline-twl0/shop-web:1"),
    ],
)
def test_other_names_are_refused(reference: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_image_reference(reference)
    assert refused.value.field == "image"
