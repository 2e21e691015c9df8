"""HTTP: services."""

from towline.web.operations import OperationRouter

router = OperationRouter()
