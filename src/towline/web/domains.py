"""HTTP: domains."""

from towline.web.operations import OperationRouter

router = OperationRouter()
