"""HTTP: projects."""

from towline.web.operations import OperationRouter

router = OperationRouter()
