"""HTTP: keys."""

from towline.web.operations import OperationRouter

router = OperationRouter()
