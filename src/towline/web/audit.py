"""HTTP: audit."""

from towline.web.operations import OperationRouter

router = OperationRouter()
