"""HTTP: account."""

from towline.web.operations import OperationRouter

router = OperationRouter()
