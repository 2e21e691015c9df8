"""HTTP: variables."""

from towline.web.operations import OperationRouter

router = OperationRouter()
