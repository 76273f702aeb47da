"""The column table of the core and the schema of SQLAlchemy are the same list."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lockstock_server import _core
from lockstock_server.projection import schema, upserts
from sqlalchemy import Table, create_engine

COLUMNS: dict[str, dict[str, Any]] = json.loads(_core.columns())
SQLITE = create_engine("sqlite://").dialect
POSTGRESQL = create_engine("postgresql+psycopg://").dialect
PYTHON = {"text": str, "integer": int, "boolean": bool}


def names(table: Table, role: str) -> list[str]:
    return [column.name for column in schema.columns_of(table, role)]


def test_the_tables_are_the_same() -> None:
    assert set(COLUMNS) == set(schema.PROJECTED)
    assert set(schema.metadata.tables) == {*COLUMNS, schema.projection.name}


@pytest.mark.parametrize("table", schema.PROJECTED.values(), ids=str)
def test_a_table_has_the_same_columns_in_the_same_order_with_the_same_roles(table: Table) -> None:
    core = COLUMNS[table.name]
    for role in (schema.KEY, schema.SET, schema.ADD):
        assert names(table, role) == core[role]
    assert list(table.columns.keys()) == core[schema.KEY] + core[schema.SET] + core[schema.ADD]
    assert bool(table.info.get(schema.HISTORY)) == core["history"]
    assert [column.name for column in table.primary_key.columns] == core[schema.KEY]


@pytest.mark.parametrize("table", schema.PROJECTED.values(), ids=str)
def test_a_column_holds_the_same_on_both_sides(table: Table) -> None:
    holds = COLUMNS[table.name]["holds"]
    for column in table.columns:
        assert column.type.python_type is PYTHON[holds.get(column.name, "integer")]


@pytest.mark.parametrize("table", schema.PROJECTED.values(), ids=str)
def test_nothing_but_the_key_can_refuse_a_row(table: Table) -> None:
    assert [constraint for constraint in table.constraints if constraint is not table.primary_key] == []
    assert not any(index.unique for index in table.indexes)
    assert all(column.nullable for column in schema.columns_of(table, schema.SET))


@pytest.mark.parametrize("table", schema.PROJECTED.values(), ids=str)
def test_every_column_that_is_not_a_key_is_merged(table: Table) -> None:
    assert "ON CONFLICT" not in str(upserts.appended_json(table).compile(dialect=SQLITE))
    if table.info.get(schema.HISTORY):
        return
    statements = [
        upserts.merged_json(table).compile(dialect=SQLITE),
        upserts.merged_staging(table).compile(dialect=POSTGRESQL),
    ]
    for statement in map(str, statements):
        merged = statement.split("DO UPDATE SET", maxsplit=1)[1]
        for column in schema.columns_of(table, schema.SET):
            assert f"coalesce(excluded.{column.name}, {table.name}.{column.name})" in merged
        assert merged.count(" + excluded.") == len(schema.columns_of(table, schema.ADD))
