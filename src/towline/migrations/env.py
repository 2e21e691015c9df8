"""Runs migrations on the connection that towline.actions.schema hands over (or that `alembic` opens by itself)."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from towline.models.tables import all_tables


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=all_tables(), compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def _run_alone() -> None:
    engine = create_async_engine(os.environ["TOWLINE_DATABASE_URL"])
    async with engine.connect() as connection:
        await connection.run_sync(_run)
        await connection.commit()
    await engine.dispose()


handed_over = context.config.attributes.get("connection")
if handed_over is None:
    asyncio.run(_run_alone())
else:
    _run(handed_over)
