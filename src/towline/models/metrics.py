"""What workloads used, sampled at each health interval."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Row


class MetricSample(Row):
    """What all instances of a workload used together at a moment; a thinned one stands for the ten minutes after it.

    `cpu` is in cores, rates are per second, `failure_rate` counts answers from 500 on. Rates are null where there was
    no earlier look to compare with, or where the router cannot tell.
    """

    __tablename__ = "metric_samples"
    __table_args__ = (Index(None, "is_thinned", "sampled_at"),)

    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"), primary_key=True)
    sampled_at: Mapped[datetime] = mapped_column(primary_key=True)
    is_thinned: Mapped[bool] = mapped_column(default=False)
    instances: Mapped[int]
    cpu: Mapped[float]
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    memory_limit_bytes: Mapped[int] = mapped_column(BigInteger)
    received_rate: Mapped[float | None]
    sent_rate: Mapped[float | None]
    request_rate: Mapped[float | None]
    failure_rate: Mapped[float | None]
    request_ms: Mapped[float | None]
