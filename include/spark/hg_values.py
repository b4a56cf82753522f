"""What Spark's JSON parser blurs: JSON text in a column, texts that were objects, values out of range."""

from __future__ import annotations

from collections.abc import Iterator

from hg_schema import is_record
from hg_spec import Field
from hg_sql import VALUE, from_json, literal, quoted, timestamp

FIRST, LAST = timestamp("0001-01-01T00:00:00Z"), timestamp("9999-12-31T23:59:59.999999Z")
# Half of an escaped surrogate pair: it would become a question mark, and two different keys one.
HALF_PAIR = (
    r"(?<!\\)(?:\\\\)*\\u[dD][89aAbB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89aAbB][0-9a-fA-F]{2})(?<!\\)(?:\\\\)*\\u[dD][c-fC-F]"
)

# A text of digits and commas; the first also finds what lies between two texts, as in "a",5,"b".
COMMA = r'"[0-9eE.+-]*,[0-9eE.,+-]*"'
COMMA_INSIDE = r'[\[,]"[0-9eE.+-]*,'


def half_pair() -> str:
    """SQL for: a text in the (valid) line has half of an escaped surrogate pair, so is no Unicode."""
    escape = literal("\\u")
    return f"(contains({VALUE}, {escape}) AND {VALUE} RLIKE {literal(HALF_PAIR)})"


def shaped(field: Field, row: str, rebuild: bool, path: str | None = "$[*]", lists: int = 0) -> str:
    """SQL for a field of a parsed row, under its own name and with valid JSON text in every JSON field.

    Spark gives a JSON string without its quotes. Whether the field was a string is looked up in the line, but
    only where it may have been one.

    Args:
        field: the field.
        row: SQL of the struct it is in.
        rebuild: whether the records of the data have other fields than those of the schema.
        path: JSON path of that struct in `[line, line]`; inside a list there is none.
        lists: how many lists lead to the struct.
    """
    here = ".".join([row, *map(quoted, field.source)])
    if not _has_json(field) and not (rebuild and is_record(field)):
        return here
    if field.repeated:
        item = f"x{lists}"
        inner = _record(field, item, rebuild, None, lists + 1) if is_record(field) else _json_in_list(item)
        return f"transform({here}, {item} -> {inner})"
    inside = None if path is None else path + json_path(field.source)
    if is_record(field):
        return _record(field, here, rebuild, inside, lists)
    return _json(here, inside) if inside else _json_in_list(here)


def json_path(names: tuple[str, ...]) -> str:
    """The part of a JSON path that leads down some names."""
    return "".join(f"['{n}']" if "." in n or "[" in n else f".{n}" for n in names)


def _has_json(field: Field) -> bool:
    return field.type == "JSON" or any(_has_json(f) for f in field.fields)


def _record(field: Field, here: str, rebuild: bool, path: str | None, lists: int) -> str:
    parts = ", ".join(f"{literal(f.name)}, {shaped(f, here, rebuild, path, lists)}" for f in field.fields)
    return f"CASE WHEN {here} IS NOT NULL THEN named_struct({parts}) END"


def _json(here: str, path: str) -> str:
    # A string that begins with { shows in the line as "{ (or escaped); an object never follows a quote.
    escaped = f"contains({VALUE}, {literal(chr(34) + chr(92) + 'u00')})"
    plain = [
        f"(startswith({here}, {literal(mark)}) AND NOT contains({VALUE}, {literal(chr(34) + mark)}))"
        for mark in "{["
    ]
    return (
        f"CASE WHEN {here} IS NULL THEN NULL WHEN ({' OR '.join(plain)}) AND NOT {escaped} THEN {here} "
        f"ELSE {raw_text(path)} END"
    )


def raw_text(path: str) -> str:
    """SQL for the JSON text at a path, with the quotes of a string: two matches come as a list."""
    pair = _pair(literal(path))
    return f"substring({pair}, 2, (length({pair}) - 3) div 2)"


def _pair(path: str) -> str:
    return f"get_json_object(concat('[', {VALUE}, ',', {VALUE}, ']'), {path})"


def _json_in_list(here: str) -> str:
    # Here a string such as "5" cannot be told from the number 5; the text is valid JSON either way.
    is_json = f"size({from_json(f'''concat('[', {here}, ']')''', 'array<string>')}) = 1"
    quotes = f"to_json(array({here}))"
    return f"CASE WHEN {here} IS NULL OR {is_json} THEN {here} ELSE substring({quotes}, 2, length({quotes}) - 2) END"


def bad_values(
    fields: tuple[Field, ...], row: str = "", path: str = "", lists: int = 0
) -> Iterator[tuple[str, str]]:
    """Values that Spark's parser lets through and the schema or BigQuery does not: (condition, dotted path)."""
    for field in fields:
        here = f"{row}.{quoted(field.name)}" if row else quoted(field.name)
        name = f"{path}.{field.name}" if path else field.name
        item, inner = (f"x{lists}", lists + 1) if field.repeated else (here, lists)
        cases = (
            bad_values(field.fields, item, name, inner)
            if is_record(field)
            else _bad_scalar(field, item, name)
        )
        for condition, where in cases:
            yield (f"exists({here}, {item} -> {condition})" if field.repeated else condition), where


def _bad_scalar(field: Field, here: str, name: str) -> Iterator[tuple[str, str]]:
    if field.type in ("FLOAT64", "FLOAT"):
        yield f"abs({here}) = double('Infinity')", name
    elif field.type == "JSON":
        # A number that no double holds comes back as this text.
        infinite = literal('Infinity"')
        yield f"(contains({here}, {infinite}) AND NOT contains({VALUE}, {infinite}))", name
    elif field.type == "TIMESTAMP":
        yield f"({here} < {FIRST} OR {here} > {LAST})", name


def texts_that_were_json(fields: tuple[Field, ...]) -> str:
    """SQL for the path of the first STRING field that holds an object or a list in the line, else NULL.

    Only a text that begins with { or [ is looked up. Inside lists such a value stays as its JSON text.
    """
    leaves = list(_texts(fields, "", "", "$[*]"))
    if not leaves:
        return "CAST(NULL AS STRING)"
    marked = " OR ".join(f"startswith({here}, '{mark}')" for here, _, _ in leaves for mark in "{[")
    names = ", ".join(f"struct({literal(name)} AS n, {literal(path)} AS p)" for _, name, path in leaves)
    was_json = f"substring({_pair('t.p')}, 2, 1) IN ('{{', '[')"
    return f"CASE WHEN {marked} THEN filter(array({names}), t -> {was_json})[0].n END"


def texts_with_commas(fields: tuple[Field, ...]) -> str:
    """SQL for the path of the first NUMERIC field that holds a text such as "1,5" in the line, else NULL.

    Spark leaves commas out, whatever they stand for, and reads 15.
    """
    leaves = list(_numbers(fields, "", "$[*]"))
    if not leaves:
        return "CAST(NULL AS STRING)"
    names = ", ".join(f"struct({literal(name)} AS n, {literal(path)} AS p)" for name, path in leaves)
    comma = f"{_pair('t.p')} RLIKE {literal(COMMA_INSIDE)}"
    return f"CASE WHEN {VALUE} RLIKE {literal(COMMA)} THEN filter(array({names}), t -> {comma})[0].n END"


def _numbers(fields: tuple[Field, ...], name: str, path: str) -> Iterator[tuple[str, str]]:
    """(dotted name, JSON path in the data) of every NUMERIC field, inside lists too."""
    for field in fields:
        mine = f"{name}.{field.name}" if name else field.name
        inside = path + json_path(field.source) + ("[*]" if field.repeated else "")
        if is_record(field):
            yield from _numbers(field.fields, mine, inside)
        elif field.type == "NUMERIC":
            yield mine, inside


def _texts(fields: tuple[Field, ...], row: str, name: str, path: str) -> Iterator[tuple[str, str, str]]:
    """(SQL, dotted name, JSON path in the data) of every STRING outside of lists."""
    for field in fields:
        here = f"{row}.{quoted(field.name)}" if row else quoted(field.name)
        mine = f"{name}.{field.name}" if name else field.name
        inside = path + json_path(field.source)
        if field.repeated:
            continue
        if is_record(field):
            yield from _texts(field.fields, here, mine, inside)
        elif field.type == "STRING":
            yield here, mine, inside
