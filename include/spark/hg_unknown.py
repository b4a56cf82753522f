"""Which fields of a line the schema does not name, as SQL.

Spark's parser drops them without a word. The top level's keys come from json_object_keys. The keys inside
RECORDs come from one more parse per level of nesting, in which the records of that level are maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hg_schema import is_record
from hg_spec import Field
from hg_sql import VALUE, from_json, literal, quoted

KEYS = "__hg_keys"
Make = Callable[[str, tuple[Field, ...], str, int], str]


def key_columns(fields: tuple[Field, ...]) -> dict[str, str]:
    """The helper columns that `paths` refers to, SQL by name: top-level keys, and the records of each level."""
    columns = {KEYS: f"CASE WHEN __hg_fits THEN json_object_keys({VALUE}) END"}
    for depth in range(1, _depth(fields) + 1):
        columns[_column(depth)] = f"CASE WHEN __hg_fits THEN {from_json(VALUE, _ddl(fields, depth))} END"
    return columns


def paths(fields: tuple[Field, ...]) -> str:
    """SQL for the sorted, distinct dotted paths of the fields the schema does not name; NULL when none."""
    found = [_unnamed(KEYS, fields)]
    quiet = [_named(KEYS, fields)]
    for depth in range(1, _depth(fields) + 1):
        found += list(_nested(fields, depth, _column(depth), _unnamed_in))
        quiet += list(_nested(fields, depth, _column(depth), _named_in))
    everything = found[0] if len(found) == 1 else f"concat({', '.join(found)})"
    # Nearly every line has no such field: telling that is a third of the cost of listing them.
    return (
        f"CASE WHEN {' AND '.join(quiet)} THEN CAST(NULL AS array<string>) ELSE array_sort({everything}) END"
    )


def _named(keys: str, fields: tuple[Field, ...]) -> str:
    """SQL for: all keys are in the schema (or there is no record). The usual order is compared first."""
    names = _names(fields)
    return f"({keys} IS NULL OR {keys} = {names} OR size(array_except({keys}, {names})) = 0)"


def _unnamed(keys: str, fields: tuple[Field, ...]) -> str:
    return f"array_except({keys}, {_names(fields)})"


def _column(depth: int) -> str:
    return f"__hg_level{depth}"


def _names(fields: tuple[Field, ...]) -> str:
    return f"array({', '.join(literal(f.name) for f in fields)})"


def _depth(fields: tuple[Field, ...]) -> int:
    return max((1 + _depth(f.fields) for f in fields if is_record(f)), default=0)


def _ddl(fields: tuple[Field, ...], depth: int) -> str:
    """The type in which every record at `depth` is a map and only what leads there is named."""
    parts = []
    for field in _leading(fields, depth):
        inner = "map<string,string>" if depth == 1 else _ddl(field.fields, depth - 1)
        parts.append(f"{quoted(field.name)}:{f'array<{inner}>' if field.repeated else inner}")
    return f"struct<{','.join(parts)}>"


def _leading(fields: tuple[Field, ...], depth: int) -> list[Field]:
    """The records at this level below which there are records `depth` levels deep."""
    return [f for f in fields if is_record(f) and _depth(f.fields) >= depth - 1]


def _nested(
    fields: tuple[Field, ...], depth: int, at: str, make: Make, path: str = "", lists: int = 0
) -> Iterator[str]:
    """What `make` says of each record at `depth`, lifted out of the lists that lead to it."""
    for field in _leading(fields, depth):
        here, name = f"{at}.{quoted(field.name)}", f"{path}{field.name}."
        item, inner = (f"x{lists}", lists + 1) if field.repeated else (here, lists)
        if depth == 1:
            found = iter([make(item, field.fields, name, inner)])
        else:
            found = _nested(field.fields, depth - 1, item, make, name, inner)
        for one in found:
            yield LIFT[make](here, item, one) if field.repeated else one


def _named_in(record: str, fields: tuple[Field, ...], path: str, lists: int) -> str:
    return _named(f"map_keys({record})", fields)


def _unnamed_in(record: str, fields: tuple[Field, ...], path: str, lists: int) -> str:
    keys = _unnamed(f"map_keys({record})", fields)
    return f"coalesce(transform({keys}, k{lists} -> concat({literal(path)}, k{lists})), array())"


LIFT: dict[Make, Callable[[str, str, str], str]] = {
    _named_in: lambda here, item, one: f"coalesce(forall({here}, {item} -> {one}), true)",
    _unnamed_in: lambda here, item, one: (
        f"array_distinct(coalesce(flatten(transform({here}, {item} -> {one})), array()))"
    ),
}
