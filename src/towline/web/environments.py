"""HTTP: environments."""

from towline.web.operations import OperationRouter

router = OperationRouter()
