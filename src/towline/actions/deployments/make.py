"""From a source to a release: fetch, build (or skip it), freeze."""

from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from towline.actions.capacity import build_cpus, build_memory
from towline.actions.configuration.resolving import Target, resolve_variables
from towline.actions.deployments.attempt import Attempt
from towline.actions.deployments.credentials import find_fetch_credential
from towline.actions.deployments.job import Job
from towline.actions.deployments.request_heads import find_request_ref
from towline.actions.private_images import pull_for_project
from towline.actions.registries import find_credential, list_credentials
from towline.actions.settings import build_fingerprint, build_spec
from towline.actions.sharing import is_of_fork
from towline.actions.variables import open_variables, seal_variables
from towline.errors import BuildFailed, ImageNotFound, InvalidInput, NotFound
from towline.infra.disk_reserve import DiskReserve
from towline.models.base import utc_now
from towline.models.deployments import Build, Release
from towline.models.services import Service, Workload
from towline.names import new_id
from towline.sources.base import FetchRequest
from towline.values import BuildSpec, Bundle, Credential, Image, Step


def build_secrets_context(service: Service) -> str:
    """What a service's sealed build secrets are bound to."""
    return f"build-secrets:{service.id}"


async def make_release(attempt: Attempt, job: Job) -> Release:
    """The release this deployment puts live: a kept one for a rollback or a resumed attempt, else a new one."""
    release_id = attempt.deployment.release_id or attempt.deployment.rollback_to
    if release_id is not None:
        return await _get_kept_release(attempt, release_id)
    reserve = DiskReserve(attempt.platform.settings.data_dir)
    reserve.check("The deployment")
    image_name = attempt.deployment.source_config.get("image")
    if attempt.deployment.source_type == "custom" and image_name:
        image, bundle = await _pull(attempt, job, str(image_name)), None
    else:
        bundle = await _fetch(attempt, job)
        reserve.check("The build")
        image = await _build(attempt, job, bundle)
    check_labels(image, is_built=bundle is not None)
    return await _freeze(attempt, job, image, bundle=bundle)


def check_labels(image: Image, *, is_built: bool) -> None:
    """Refuse an image whose labels would speak for Towline: instances inherit what they do not set themselves."""
    if not image.reserved_labels:
        return
    name, *others = image.reserved_labels
    more = f" and {len(others)} more" if others else ""
    message = f"The image has the label {name!r}{more}, which is for Towline and Docker alone to set."
    if is_built:
        raise BuildFailed(message, hint=f"Take `LABEL {name}` out of the Dockerfile; routes and ports are settings.")
    hint = "Use an image without that label; routes and ports are settings of the service."
    raise InvalidInput(message, hint=hint, field="image")


async def _get_kept_release(attempt: Attempt, release_id: str) -> Release:
    async with attempt.platform.database.transaction() as work:
        release = await work.session.get(Release, release_id)
    if release is None:
        raise NotFound("The release to roll back to is no longer kept.", hint="`towline releases` lists the kept ones.")
    _, secrets = open_variables(attempt.platform, release.variables, release_id=release.id)
    attempt.log.masker.add(secrets)
    check_labels(await attempt.platform.orchestrator.get_image(release.image), is_built=bool(release.bundle_digest))
    await attempt.record(release_id=release.id, image=release.image, commit_sha=release.commit_sha)
    return release


async def _pull(attempt: Attempt, job: Job, reference: str) -> Image:
    await attempt.enter(Step.BUILD, note=f"image {reference}")
    platform = attempt.platform
    credential = await find_credential(platform, project_id=job.project.id, reference=reference)
    if credential is not None:
        attempt.log.masker.add([credential.password])
    repository = _tag(attempt, job, "").rstrip(":")
    image = await pull_for_project(
        platform, project_id=job.project.id, reference=reference, repository=repository, report=attempt.log.report
    )
    await attempt.record(image=image.reference)
    return image


async def _fetch(attempt: Attempt, job: Job) -> Bundle:
    deployment = attempt.deployment
    if deployment.bundle_digest and await attempt.platform.storage.has_bundle(deployment.bundle_digest):
        return Bundle(deployment.bundle_digest, deployment.commit_sha, 0, message=deployment.commit_message)
    await attempt.enter(Step.FETCH)
    source = attempt.platform.sources.get(deployment.source_type)
    if source is None:
        raise InvalidInput(f"The source {deployment.source_type!r} is not available here.", field="source")
    credential = await find_fetch_credential(attempt, job)
    async with attempt.platform.database.transaction() as work:
        request_ref = await find_request_ref(attempt.platform, work, job, deployment)
        is_foreign = await is_of_fork(work, job.environment)
    request = replace(_fetch_request(attempt, credential), request_ref=request_ref, is_foreign=is_foreign)
    return await source.fetch_source(request, attempt.log.report)


def _fetch_request(attempt: Attempt, credential: Credential | None) -> FetchRequest:
    platform, deployment = attempt.platform, attempt.deployment
    return FetchRequest(
        config=deployment.source_config,
        ref=deployment.ref,
        credential=credential,
        allows_local=deployment.allows_local,
        closed_networks=tuple(filter(None, (platform.settings.network_pool, platform.settings.internal_address))),
        timeout=platform.settings.fetch_timeout,
        max_bytes=platform.settings.fetch_max_bytes,
        max_files=platform.settings.fetch_max_files,
        service_id=deployment.service_id,
    )


async def _build(attempt: Attempt, job: Job, bundle: Bundle) -> Image:
    await attempt.enter(
        Step.BUILD,
        bundle_digest=bundle.digest,
        commit_sha=bundle.revision,
        commit_message=bundle.message.replace("\0", "")[:2000],
    )
    async with attempt.platform.database.transaction() as work:
        is_fork = await is_of_fork(work, job.environment)
    spec = _build_spec(attempt, job, is_fork=is_fork)
    if not is_fork:
        spec = replace(spec, registries=await list_credentials(attempt.platform, project_id=job.project.id))
    fingerprint = build_fingerprint(spec, bundle_digest=bundle.digest, is_fork=is_fork)
    image = None if attempt.deployment.no_cache else await _find_built(attempt, job, fingerprint)
    if image is not None:
        await attempt.log.write("The same tree with the same settings was built before: the build is skipped.")
        await attempt.record(image=image.reference, is_cached=True)
        return image
    image = await _run_build(attempt, job, bundle, spec=spec, tag=_tag(attempt, job, fingerprint))
    await _remember_build(attempt, job, image, fingerprint=fingerprint)
    return image


def _build_spec(attempt: Attempt, job: Job, *, is_fork: bool) -> BuildSpec:
    platform, service = attempt.platform, job.service
    secrets: dict[str, str] = {}
    if service.build_secrets is not None and not is_fork:
        secrets = orjson.loads(platform.secrets.open(service.build_secrets, context=build_secrets_context(service)))
        attempt.log.masker.add(secrets.values())
    spec = build_spec(
        service.build,
        platform.settings,
        dockerfile_path=service.dockerfile_path,
        secrets=secrets,
        memory_bytes=build_memory(platform.settings),
        cpus=build_cpus(platform.settings),
        use_cache=not attempt.deployment.no_cache,
    )
    # What a stranger's build leaves in the cache is not for builds of the project itself.
    spec = replace(spec, cache_scope=f"{job.project.id}-forks" if is_fork else job.project.id)
    if attempt.deployment.source_type == "custom":
        return replace(spec, dockerfile_path="Dockerfile", context=".")
    return spec


async def _find_built(attempt: Attempt, job: Job, fingerprint: str) -> Image | None:
    statement = (
        update(Build)
        .where(Build.project_id == job.project.id, Build.fingerprint == fingerprint)
        .values(used_at=utc_now())
        .returning(Build)
    )
    async with attempt.platform.database.transaction() as work:
        build = (await work.session.scalars(statement)).one_or_none()
    if build is None:
        return None
    try:
        image = await attempt.platform.orchestrator.get_image(build.image)
    except ImageNotFound:
        return None
    return replace(image, reference=build.image, is_cached=True)


async def _run_build(attempt: Attempt, job: Job, bundle: Bundle, *, spec: BuildSpec, tag: str) -> Image:
    platform = attempt.platform
    labels = [
        f"towline.instance-of={platform.settings.installation_id}",
        f"towline.project={job.project.name}",
        f"towline.service={job.service.name}",
    ]

    async def tell(reason: str) -> None:
        await attempt.record(queue_reason=reason)

    attempt.log.masker.add(credential.password for credential in spec.registries.values())
    slot = platform.build_slots.slot(tell, project_id=job.project.id)
    async with slot, platform.storage.open_bundle(bundle.digest) as tree:
        image = await platform.builder.build(tree, spec, tag=tag, labels=labels, report=attempt.log.report)
    # At once, since the janitor removes images that no row names, and a push may take long.
    await attempt.record(is_told=False, image=image.reference)
    if platform.settings.registry_repository:
        await _push(attempt, job, image)
    return image


async def _push(attempt: Attempt, job: Job, image: Image) -> None:
    platform = attempt.platform
    repository = f"{platform.settings.registry_repository}/{job.project.name}-{job.service.name}"
    credential = await find_credential(platform, project_id=job.project.id, reference=repository)
    pushed = await platform.orchestrator.push_image(
        image, repository=repository, credential=credential, report=attempt.log.report
    )
    await attempt.log.write(f"Pushed as {pushed.reference}")


async def _remember_build(attempt: Attempt, job: Job, image: Image, *, fingerprint: str) -> None:
    facts = {
        "image": image.reference,
        "image_digest": image.digest,
        "image_port": image.port,
        "has_healthcheck": image.has_healthcheck,
        "used_at": utc_now(),
    }
    values: dict[str, Any] = {
        "id": new_id("bld"),
        "created_at": utc_now(),
        "project_id": job.project.id,
        "fingerprint": fingerprint,
        **facts,
    }
    statement = insert(Build).values(values)
    async with attempt.platform.database.transaction() as work:
        await work.session.execute(
            statement.on_conflict_do_update(index_elements=["project_id", "fingerprint"], set_=facts)
        )
        await attempt.write(work, image=image.reference, is_cached=False)


async def _freeze(attempt: Attempt, job: Job, image: Image, *, bundle: Bundle | None) -> Release:
    """Number a release: image, settings and variables as they are now; in one transaction with the fence."""
    platform, release_id = attempt.platform, new_id("rel")
    async with platform.database.transaction() as work:
        service = (await work.session.scalars(select(Service).where(Service.id == job.service.id))).one()
        target = Target(job.project, service, job.environment, attempt.deployment.commit_sha)
        variables = await resolve_variables(platform, work, target)
        number = await work.session.scalar(
            update(Workload)
            .where(Workload.id == job.workload.id)
            .values(next_release_number=Workload.next_release_number + 1)
            .returning(Workload.next_release_number - 1)
        )
        release = Release(
            id=release_id,
            created_at=await work.session.scalar(select(func.now())),
            workload_id=job.workload.id,
            number=number,
            deployment_id=attempt.deployment.id,
            image=image.reference,
            image_digest=image.digest,
            image_port=image.port,
            has_healthcheck=image.has_healthcheck,
            commit_sha=attempt.deployment.commit_sha,
            commit_message=attempt.deployment.commit_message,
            bundle_digest=bundle.digest if bundle is not None else "",
            port=service.port,
            run=dict(service.run),
            variables=seal_variables(platform, variables, release_id=release_id),
        )
        work.session.add(release)
        await attempt.write(work, is_told=False, release_id=release_id)
    attempt.log.masker.add(variable.value for variable in variables.values() if variable.is_secret)
    return release


def _tag(attempt: Attempt, job: Job, version: str) -> str:
    installation = attempt.platform.settings.installation_id or "local"
    return f"towline-{installation}/{job.project.name}-{job.service.name}:{version[:20]}"
