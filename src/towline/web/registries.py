"""HTTP: registries."""

from towline.web.operations import OperationRouter

router = OperationRouter()
