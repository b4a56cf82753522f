"""The metrics of an aggregate: `sum(amount) as total_amount` as a value, and the type of what it computes.

A metric is `FUNCTION(ARGUMENT) as NAME`, read without regard to case:

- `count(*)`, `count(field)`, `count(distinct field)`, `approx_count_distinct(field)` give INT64;
- `countif(condition)` gives INT64; its argument is any condition in BigQuery's SQL;
- `sum(field)` keeps INT64, FLOAT64 and NUMERIC; `avg(field)` makes FLOAT64 of INT64; `stddev(field)` is FLOAT64;
- `min(field)`, `max(field)`, `any_value(field)` keep the field's type;
- `cast(ANYTHING as TYPE) as NAME` is the way out for everything else: any aggregate of BigQuery's SQL, of the
  type that it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from hourglass.config.errors import did_you_mean
from hourglass.config.expressions import imbalance

_NUMBERS = ("INT64", "FLOAT64", "NUMERIC")
_ORDERED = ("STRING", "BYTES", *_NUMBERS, "BOOL", "TIMESTAMP", "DATE")
TYPES = (*_ORDERED, "JSON")
# The types that an argument may have; None: of no account.
_TAKES: dict[str, tuple[str, ...] | None] = {
    "sum": _NUMBERS,
    "count": None,
    "avg": _NUMBERS,
    "min": _ORDERED,
    "max": _ORDERED,
    "countif": None,
    "approx_count_distinct": _ORDERED,
    "any_value": TYPES,
    "stddev": _NUMBERS,
    "cast": None,
}
_COUNTS = ("count", "countif", "approx_count_distinct")
_NAMED = re.compile(r"(.+)\s+as\s+([A-Za-z_]\w*)", re.IGNORECASE | re.DOTALL)
_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)
_CAST = re.compile(r"(.+)\s+as\s+(\w+)\s*", re.IGNORECASE | re.DOTALL)
_DISTINCT = re.compile(r"distinct\s+(.+)", re.IGNORECASE | re.DOTALL)
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Args:
        function: In lower case.
        argument: A field's dotted path; `*` of `count`; a condition of `countif`; what `cast` converts.
        alias: The name of the resulting column.
        distinct: Whether equal values count once.
        cast: The type that `cast` makes.
    """

    function: str
    argument: str
    alias: str
    distinct: bool = False
    cast: str | None = None

    @property
    def field(self) -> str | None:
        """The one field that is computed on; None when the argument is no single field."""
        return None if self.function in ("countif", "cast") or self.argument == "*" else self.argument

    @property
    def sql(self) -> str:
        """The metric in BigQuery's SQL, without its name."""
        inner = f"distinct {self.argument}" if self.distinct else self.argument
        return f"{self.function}({inner} as {self.cast})" if self.cast else f"{self.function}({inner})"

    def result_type(self, kind: str | None = None) -> str:
        """The type of the result, as in a schema file.

        Args:
            kind: The type of `field`; not needed where that is None.

        Raises:
            ValueError: The function does not take fields of this type.
        """
        takes = _TAKES[self.function]
        if takes is not None and kind not in takes:
            raise ValueError(
                f"{self.function} is for {', '.join(takes)}, but {self.argument!r} is {kind}; "
                f"write cast({self.sql} as TYPE) as {self.alias} if that is meant"
            )
        if self.cast:
            return self.cast
        if self.function in _COUNTS or kind is None:
            return "INT64"
        if self.function == "stddev" or (self.function == "avg" and kind == "INT64"):
            return "FLOAT64"
        return kind


@lru_cache(maxsize=4096)
def parse_metric(text: str) -> Metric:
    """Read a metric such as `sum(amount) as total_amount`.

    Raises:
        ValueError: It cannot be read; the message says why and what to write.
    """
    named = _NAMED.fullmatch(text.strip())
    if reason := imbalance(text):
        raise ValueError(f"{reason} in the metric {text!r}")
    if named is None or named[1].count("(") != named[1].count(")"):
        raise ValueError(f"the metric {text!r} has no name; write {text.strip()} as NAME")
    call = _CALL.fullmatch(named[1].strip())
    function = call[1].lower() if call else ""
    if call is None or not call[2].strip():
        raise ValueError(f"the metric {text!r} is no call; write one such as sum(amount) as total_amount")
    if imbalance(call[2]):
        raise ValueError(
            f"the metric {text!r} is more than one call; write cast({named[1].strip()} as TYPE) as {named[2]}"
        )
    if function not in _TAKES:
        hint = did_you_mean(function, _TAKES)
        raise ValueError(f"the metric {text!r} uses {function}, which is not known{hint}")
    return _metric(text, function, call[2].strip(), named[2])


def _metric(text: str, function: str, inside: str, alias: str) -> Metric:
    if function == "cast":
        cast = _CAST.fullmatch(inside)
        if cast is None or cast[2].upper() not in TYPES:
            raise ValueError(
                f"the metric {text!r} casts to no type; write cast(… as TYPE), one of {', '.join(TYPES)}"
            )
        return Metric(function, cast[1].strip(), alias, cast=cast[2].upper())
    distinct = _DISTINCT.fullmatch(inside) if function == "count" else None
    argument = distinct[1].strip() if distinct else inside
    if function == "countif" or (function == "count" and argument == "*" and not distinct):
        return Metric(function, argument, alias)
    if not _PATH.fullmatch(argument):
        raise ValueError(
            f"the metric {text!r} computes on {argument!r}, which is no field; "
            f"write cast({function}({inside}) as TYPE) as {alias}"
        )
    return Metric(function, argument, alias, distinct=distinct is not None)
