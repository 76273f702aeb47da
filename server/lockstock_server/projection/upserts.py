"""The statements that put a batch's rows into a table, built from the schema."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, MetaData, Table, bindparam, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

from lockstock_server.projection import schema

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause, Select
    from sqlalchemy.sql.dml import Insert

ROWS: Final = "rows"
"""The parameter of the statements for SQLite: the rows as a JSON array of arrays."""

_STAGING: Final = MetaData()


@cache
def staging(table: Table) -> Table:
    """A temporary table for a batch's rows: the same columns, nothing that could refuse a row."""
    return Table(
        f"staged_{table.name}",
        _STAGING,
        *(Column(column.name, column.type, nullable=True) for column in table.columns),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DELETE ROWS",
    )


@cache
def merged_staging(table: Table) -> Insert:
    """PostgreSQL: merges the staged rows into the table."""
    staged = staging(table)
    insert = postgresql.insert(table).from_select(list(table.columns.keys()), select(*staged.columns))
    return insert.on_conflict_do_update(index_elements=_keys(table), set_=_merged(table, insert.excluded))


@cache
def appended_json(table: Table) -> sqlite.Insert:
    """SQLite: appends rows from the parameter `rows` to the table."""
    return sqlite.insert(table).from_select(list(table.columns.keys()), _json_rows(table))


@cache
def merged_json(table: Table) -> Insert:
    """SQLite: merges rows from the parameter `rows` into the table."""
    insert = appended_json(table)
    return insert.on_conflict_do_update(index_elements=_keys(table), set_=_merged(table, insert.excluded))


def _json_rows(table: Table) -> Select[Any]:
    rows: FromClause = func.json_each(bindparam(ROWS)).table_valued("value")
    values = (func.json_extract(rows.c.value, f"$[{at}]") for at in range(len(table.columns)))
    # SQLite reads `SELECT ... FROM x ON CONFLICT` as a join unless a WHERE stands between.
    return select(*values).select_from(rows).where(literal_column("true"))


def _keys(table: Table) -> list[Column[Any]]:
    return schema.columns_of(table, schema.KEY)


def _merged(table: Table, excluded: Any) -> dict[str, ColumnElement[Any]]:
    """What stands where a row is already there: a NULL keeps, a counter is added to."""
    kept = {
        column.name: func.coalesce(excluded[column.name], column)
        for column in schema.columns_of(table, schema.SET)
    }
    added = {column.name: column + excluded[column.name] for column in schema.columns_of(table, schema.ADD)}
    return kept | added
