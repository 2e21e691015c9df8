"""Images of this machine, pulled from and pushed to registries."""

import contextlib
from collections.abc import Sequence
from typing import Final

from towline.errors import Conflict, ImageNotFound, NotFound, SourceUnavailable
from towline.names import find_reserved_labels
from towline.orchestrators.docker.engine import Document, Engine, section
from towline.orchestrators.docker.payloads import OWNER_LABEL
from towline.orchestrators.docker.references import (
    Reference,
    check_reference,
    is_image_id,
    parse_reference,
    registry_headers,
)
from towline.orchestrators.docker.transfers import SILENCE_SECONDS, Transfer
from towline.values import Credential, Image, Report

_REFRESH_SECONDS: Final = 5.0
"""How long the registry of an image that is present may take to answer."""


class Images:
    """The Engine's images, as one installation sees them."""

    def __init__(self, engine: Engine, *, installation_id: str) -> None:
        self._engine = engine
        self._installation_id = installation_id

    async def get(self, reference: str) -> Image:
        """The image as this machine has it; ImageNotFound when it has not."""
        try:
            return image_from(await self._inspect(reference), reference=reference)
        except NotFound as error:
            raise ImageNotFound(f"The image {reference} is not on this machine.") from error

    async def pull(
        self, reference: str, *, credential: Credential | None, report: Report, allows_copy: bool = True
    ) -> Image:
        """The image pinned by digest; one that is present is used when its registry has nothing newer to say."""
        if is_image_id(reference):
            return await self.get(reference)
        parsed = parse_reference(reference)
        # A bare name of hex digits would also stand for any image whose id begins with it.
        present = await self._find(parsed.text) if allows_copy else None
        if present is not None and parsed.is_digest:
            return present
        try:
            await self._pull(parsed, credential=credential, report=report, is_present=present is not None)
        except (ImageNotFound, SourceUnavailable) as error:
            if present is None:
                raise
            await report(f"{error.message} The image on this machine is used.")
            return present
        return await self.get(parsed.text)

    async def push(self, image: Image, *, repository: str, credential: Credential | None, report: Report) -> Image:
        """Push under a tag made of the digest; the image as `repository@sha256:…`."""
        tag = image.digest.removeprefix("sha256:")[:16] or "latest"
        target = parse_reference(f"{repository}:{tag}")
        await self.tag(image.reference, f"{target.name}:{target.version}")
        transfer = Transfer(
            reference=repository,
            path=f"images/{target.name}/push",
            params={"tag": target.version},
            headers=registry_headers(target, credential),
        )
        last = await transfer.run(self._engine, report=report)
        digest = str(section(last, "aux").get("Digest", ""))
        if not digest:
            raise SourceUnavailable(f"The registry did not confirm the push of {repository}.")
        return Image(
            reference=f"{target.name}@{digest}",
            digest=digest,
            size=image.size,
            port=image.port,
            has_healthcheck=image.has_healthcheck,
        )

    async def tag(self, reference: str, tag: str) -> None:
        """Give an image another name."""
        target = parse_reference(tag)
        params = {"repo": target.name, "tag": target.version}
        try:
            await self._engine.call("POST", f"images/{check_reference(reference)}/tag", params=params)
        except NotFound as error:
            raise ImageNotFound(f"The image {reference} is not on this machine.") from error

    async def remove(self, reference: str) -> None:
        """Remove a name, or by id the installation's names and an image nobody else has named; never one in use."""
        try:
            document = await self._inspect(reference)
        except (NotFound, ImageNotFound):
            return
        if not is_image_id(reference):
            await self._delete(reference)
            return
        names = _tags(document)
        own = [name for name in names if self._is_own(document, name)]
        for name in own:
            await self._delete(name)
        if len(own) == len(names):
            await self._delete(reference)

    async def list_own(self) -> Sequence[Image]:
        """Images the installation has labelled or named, each once, by id."""
        rows: list[Document] = await self._engine.call("GET", "images/json")
        return [
            Image(reference=row["Id"], digest=row["Id"], size=row["Size"])
            for row in rows
            if self._is_labelled(row) or any(self._is_named(name) for name in _tags(row))
        ]

    async def _inspect(self, reference: str) -> Document:
        document: Document = await self._engine.call("GET", f"images/{_spelt_out(reference)}/json")
        return document

    async def _find(self, reference: str) -> Image | None:
        try:
            return await self.get(reference)
        except ImageNotFound:
            return None

    async def _delete(self, reference: str) -> None:
        with contextlib.suppress(Conflict, NotFound, ImageNotFound):
            await self._engine.call("DELETE", f"images/{_spelt_out(reference)}")

    async def _pull(
        self, reference: Reference, *, credential: Credential | None, report: Report, is_present: bool
    ) -> None:
        transfer = Transfer(
            reference=reference.text,
            path="images/create",
            params={"fromImage": reference.name, "tag": reference.version},
            headers=registry_headers(reference, credential),
            first_seconds=_REFRESH_SECONDS if is_present else SILENCE_SECONDS,
        )
        await transfer.run(self._engine, report=report)

    def _is_own(self, document: Document, name: str) -> bool:
        return self._is_named(name) or self._is_labelled(section(document, "Config"))

    def _is_labelled(self, row: Document) -> bool:
        return section(row, "Labels").get(OWNER_LABEL) == self._installation_id

    def _is_named(self, name: str) -> bool:
        return name.startswith(f"towline-{self._installation_id}/")


def image_from(document: Document, *, reference: str) -> Image:
    """The image in `GET /images/NAME/json`; its digest is the registry's where the reference names one."""
    config = section(document, "Config")
    ports = [int(port.split("/")[0]) for port in section(config, "ExposedPorts") if port.endswith("/tcp")]
    test: list[str] = section(config, "Healthcheck").get("Test") or []
    return Image(
        reference=document["Id"],
        digest=_registry_digest(document, reference) or document["Id"],
        size=document.get("Size", 0),
        port=min(ports, default=None),
        has_healthcheck=bool(test) and test[0] != "NONE",
        reserved_labels=find_reserved_labels(section(config, "Labels")),
    )


def _spelt_out(reference: str) -> str:
    """An id as it is, a name with the tag or digest that counts."""
    return reference if is_image_id(reference) else parse_reference(reference).text


def _tags(document: Document) -> list[str]:
    return document.get("RepoTags") or []


def _registry_digest(document: Document, reference: str) -> str:
    if is_image_id(reference):
        return ""
    name = parse_reference(reference).name
    digests: list[str] = document.get("RepoDigests") or []
    return next((entry.partition("@")[2] for entry in digests if entry.partition("@")[0] == name), "")
