"""HTTP: which service needs which."""

from towline.actions.dependencies import delete_dependency, get_graph, put_dependency
from towline.actions.graph.order import to_levels
from towline.actions.services import get_service
from towline.contract.dependencies import Dependency, DependencyGraph, DependencySet
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("dependencies.list")
async def list_(call: Call) -> DependencyGraph:
    """The services of the project, who needs whom, and the order in which they start."""
    graph = await get_graph(call.work, call.project.id)
    names = graph.names
    return DependencyGraph(
        services=sorted(names.values()),
        dependencies=[
            Dependency(service=names[edge.service_id], depends_on=names[edge.needs_id], cascade=edge.is_cascading)
            for edge in graph.edges
        ],
        levels=[sorted(names[service_id] for service_id in level) for level in to_levels(graph.needs)],
    )


@router.operation("dependencies.set")
async def set_(call: Call, body: DependencySet) -> Dependency:
    """Let a service need another one."""
    needed = await get_service(call.session, call.project.id, call.path["dependency"])
    await put_dependency(call.platform, call.work, call.service, needed, is_cascading=body.cascade)
    call.note(call.service.id, depends_on=needed.name, cascade=body.cascade)
    return Dependency(service=call.service.name, depends_on=needed.name, cascade=body.cascade)


@router.operation("dependencies.delete")
async def delete(call: Call) -> None:
    """Let a service no longer need another one."""
    needed = await get_service(call.session, call.project.id, call.path["dependency"])
    call.note(call.service.id, depends_on=needed.name)
    await delete_dependency(call.platform, call.work, call.service, needed)
