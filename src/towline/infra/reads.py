"""Statements that must be fast: compiled once, and run by asyncpg itself where no transaction has to see them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

import asyncpg
from sqlalchemy import Select, inspect
from sqlalchemy.dialects.postgresql import asyncpg as dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.dml import ReturningInsert

from towline.errors import DiskFull, Unavailable
from towline.infra.database import DRIVER_ERRORS, Database, Work

T = TypeVar("T", bound=DeclarativeBase)
_TRIES: Final = 2
_log = logging.getLogger(__name__)


class Read:
    """One SELECT with named bind parameters, or an INSERT that does no harm when it is sent twice.

    About a third of the cost of the same through an ORM session.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]] | ReturningInsert[Any]) -> None:
        compiled = statement.compile(dialect=dialect.dialect())
        whole = compiled.construct_expanded_state(compiled.params)  # lists of values, and those written into the text
        self._statement = statement
        self._sql = whole.statement
        self._names = tuple(whole.positiontup or ())
        self._defaults = dict(whole.parameters)

    async def fetch(self, database: Database, **values: Any) -> Sequence[Mapping[str, Any]]:
        """The rows; tried again once on a fresh connection, Unavailable when PostgreSQL does not answer then.

        DiskFull when there is no place for a new row.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                return await self._fetch(database, {**self._defaults, **values})
            except asyncpg.DiskFullError as error:
                raise DiskFull("The disk that PostgreSQL writes to is full.") from error
            except (*DRIVER_ERRORS, OSError, DBAPIError) as error:
                _log.warning("A read failed: %s", error)
                if not tries_left:
                    raise Unavailable("PostgreSQL does not answer.") from error
                database.doubt_connections()
        raise AssertionError

    async def fetch_in(self, work: Work, **values: Any) -> Sequence[Mapping[str, Any]]:
        """The rows, by the connection of a unit of work, and as its transaction sees them if it has one."""
        found = await self.find_in(work, values)
        if found is not None:
            return found
        rows = (await work.session.execute(self._statement, values)).mappings()
        return [{str(name): value for name, value in row.items()} for row in rows]

    async def find_in(self, work: Work, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
        """The rows straight from the driver; None where the session has to be asked, to see or to say more."""
        driver = await work.find_driver()
        if driver is None:
            return None
        given = {**self._defaults, **values}
        try:
            return await driver.fetch(self._sql, *(given[name] for name in self._names))
        except DRIVER_ERRORS:
            return None  # it is sent again by the session, which knows what each error means

    async def _fetch(self, database: Database, values: dict[str, Any]) -> Sequence[Mapping[str, Any]]:
        async with database.read_slots, database.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            try:
                return await driver.fetch(self._sql, *(values[name] for name in self._names))
            except (*DRIVER_ERRORS, OSError):
                await connection.invalidate()
                raise


class ReadRows:
    """One SELECT of models and columns, for what mostly reads: a fifth of the session's own cost."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        wanted = statement.column_descriptions
        self._parts = [_Part(one["expr"]) for one in wanted]
        self._is_plain = not any(part.is_model for part in self._parts)
        self._row = _named([one["name"] for one in wanted])
        self._statement = statement
        self._read = Read(statement.with_only_columns(*(column for part in self._parts for column in part.columns)))

    async def fetch_in(self, work: Work, **values: Any) -> Sequence[Any]:
        """The rows, by place and by name: models as the session keeps them in a transaction, else in nobody's keeping.

        A model whose row an outer join did not find is None.
        """
        found = await self._read.find_in(work, values)
        if found is None:
            return (await work.session.execute(self._statement, values)).all()
        if self._is_plain:
            return [self._row(record.values()) for record in found]
        return [self._row(self._take(iter(record.values()))) for record in found]

    def _take(self, values: Iterator[Any]) -> Iterator[Any]:
        return (part.take(values) for part in self._parts)


class ReadModels(Generic[T]):
    """One SELECT of a model."""

    def __init__(self, statement: Select[T]) -> None:
        self._rows = ReadRows(statement)

    async def fetch_in(self, work: Work, **values: Any) -> Sequence[T]:
        """The models, as `ReadRows` gives them."""
        return [row[0] for row in await self._rows.fetch_in(work, **values)]


class _Part:
    """A column, or a model with all of its own."""

    def __init__(self, expression: Any) -> None:
        mapper = inspect(expression).mapper if _is_model(expression) else None
        self._keys = [] if mapper is None else [attribute.key for attribute in mapper.column_attrs]
        self._id_key = "" if mapper is None else mapper.get_property_by_column(mapper.primary_key[0]).key
        self._new = None if mapper is None else mapper.class_manager.new_instance
        self.is_model = mapper is not None
        self.columns = [getattr(expression, key) for key in self._keys] or [expression]

    def take(self, values: Iterator[Any]) -> Any:
        """What the next of a row's values make."""
        if self._new is None:
            return next(values)
        given = dict(zip(self._keys, values, strict=False))  # keys first: no value is taken beyond them
        if given[self._id_key] is None:
            return None
        made = self._new()
        made.__dict__.update(given)
        return made


def _is_model(expression: Any) -> bool:
    found = inspect(expression)
    return bool(getattr(found, "is_mapper", False) or getattr(found, "is_aliased_class", False))


def _named(names: Sequence[str]) -> type[Any]:
    """Tuples whose values have these names."""
    return type("Row", (tuple,), {name: property(itemgetter(place)) for place, name in enumerate(names)})
