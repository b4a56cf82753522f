"""Checks. A row-level one becomes Spark SQL: one boolean over a row, false for a bad one, NULL passes.

A set-level one (`unique`, `referential`) judges a partition as a whole, at the gate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from hourglass.config.types import Strict, misplaced, parse_duration

Check = Literal[
    "not_null", "valid_email", "positive_number", "between", "in_set", "regex", "length",
    "not_in_future", "max_age", "expression", "unique", "referential",
]  # fmt: skip
SET_LEVEL = ("unique", "referential")

# RFC 5321 allows far more; this is the part that real addresses use, after the HTML standard's input type
# (without the apostrophe, which would have to be escaped in SQL).
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"^[A-Za-z0-9.!#$%&*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})+$"


class Rule(Strict):
    """One check, most of them on one field.

    Args:
        field: The field's dotted path; `expression` needs none.
        check: The kind of check.
        min: Lower bound (`between`, `length`), inclusive.
        max: Upper bound (`between`, `length`), inclusive.
        values: The allowed values (`in_set`).
        pattern: The regular expression, matched anywhere (`regex`).
        age: How old the field may be when the partition ends (`max_age`).
        expression: A Spark SQL boolean (`expression`).
        fields: The fields that are unique together (`unique`).
        table: The table that has every value (`referential`).
        column: The table's column (`referential`); by default it is named as the field.
        name: The reason written beside quarantined rows; made from check and field by default.
        severity: `critical` quarantines the row, or stops the partition; `warning` only counts.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    check: Check = Field(description="The kind of check.")
    field: str | None = Field(
        None,
        description="The field's dotted path, such as `actor.login`. Every check but `expression` and `unique` "
        "needs it.",
    )
    min: float | int | None = Field(None, description="Lower bound of `between` and `length`, inclusive.")
    max: float | int | None = Field(None, description="Upper bound of `between` and `length`, inclusive.")
    values: list[str | int | float | bool] | None = Field(None, description="The allowed values of `in_set`.")
    pattern: str | None = Field(None, description="The expression of `regex`, matched anywhere.")
    age: str | None = Field(None, description="The duration of `max_age`, such as `7d`.")
    expression: str | None = Field(None, description="Spark SQL; true or NULL for a good row.")
    fields: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Instead of `field`, the fields that are `unique` together."
    )
    table: Annotated[str, StringConstraints(pattern=r"^(gold|silver)\.[a-z_][a-z0-9_]*$")] | None = Field(
        None, description="The table of `referential`: `gold.NAME` or `silver.NAME`."
    )
    column: str | None = Field(
        None, description="The column of `referential`'s table; default: it is named as the field."
    )
    name: str | None = Field(
        None, description="The reason beside quarantined rows; default: check and field."
    )
    severity: Literal["critical", "warning"] = Field(
        "critical",
        description="`critical`: the row is quarantined; a set-level check stops the partition. `warning`: it "
        "is counted, and the row stays.",
    )

    @field_validator("age")
    @classmethod
    def _age_is_a_duration(cls, age: str | None) -> str | None:
        if age is not None:
            parse_duration(age)
        return age

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        needed = _PARAMETERS.get(self.check, ())
        given = [p for p in PARAMETERS if getattr(self, p) is not None]
        wanted = [p for p in needed if p not in _OPTIONAL]
        if wanted and not any(p in given for p in wanted):
            raise misplaced("check", f"check {self.check} needs {' or '.join(wanted)}")
        for extra in given:
            if extra not in needed:
                raise misplaced(extra, f"check {self.check} takes no {extra}; remove it")
        if self.check == "expression" and not self.name:
            message = "check expression needs a name, which is the reason beside quarantined rows"
            raise misplaced("check", message)
        self._check_fields()
        return self

    def _check_fields(self) -> None:
        if self.check == "unique" and (self.field is None) == (self.fields is None):
            raise misplaced("check", "check unique needs either field or fields")
        if self.check not in ("expression", "unique") and not self.field:
            raise misplaced("check", f"check {self.check} needs a field")

    @property
    def set_level(self) -> bool:
        """Whether the rule judges a partition as a whole, at the gate, rather than single rows."""
        return self.check in SET_LEVEL

    @property
    def key(self) -> list[str]:
        """The fields that are unique together, or the one field."""
        return self.fields or ([self.field] if self.field else [])

    @property
    def reason(self) -> str:
        """The reason written beside a quarantined row."""
        return self.name or f"{self.check}_{'_'.join(self.key).replace('.', '_')}"

    def to_spec(self, partition_end: str) -> dict[str, Any]:
        """The row-level rule as the refine job reads it.

        Args:
            partition_end: The end of the partition, ISO 8601, which stands for "now" so that a re-run of an
                old partition judges its rows as the first run did.
        """
        sql = self.expression or _SQL[self.check](self, _quoted(self.field or ""), partition_end)
        return {"name": self.reason, "field": self.field, "expression": sql, "severity": self.severity}


PARAMETERS = ("min", "max", "values", "pattern", "age", "expression", "fields", "table", "column")
_OPTIONAL = ("fields", "column")
_PARAMETERS: dict[str, tuple[str, ...]] = {
    "between": ("min", "max"),
    "length": ("min", "max"),
    "in_set": ("values",),
    "regex": ("pattern",),
    "max_age": ("age",),
    "expression": ("expression",),
    "unique": ("fields",),
    "referential": ("table", "column"),
}


def _quoted(path: str) -> str:
    return ".".join(f"`{part}`" for part in path.split("."))


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _bounds(rule: Rule, operand: str) -> str:
    parts = []
    if rule.min is not None:
        parts.append(f"{operand} >= {_literal(rule.min)}")
    if rule.max is not None:
        parts.append(f"{operand} <= {_literal(rule.max)}")
    return " AND ".join(parts)


def _max_age(rule: Rule, field: str, partition_end: str) -> str:
    seconds = int(parse_duration(rule.age).total_seconds())
    return f"{field} >= timestamp'{partition_end}' - interval {seconds} seconds"


_SQL: dict[str, Callable[[Rule, str, str], str]] = {
    "not_null": lambda rule, field, end: f"{field} IS NOT NULL",
    "valid_email": lambda rule, field, end: f"{field} RLIKE {_literal(EMAIL)}",
    "positive_number": lambda rule, field, end: f"{field} > 0",
    "between": lambda rule, field, end: _bounds(rule, field),
    "in_set": lambda rule, field, end: f"{field} IN ({', '.join(_literal(v) for v in rule.values or [])})",
    "regex": lambda rule, field, end: f"{field} RLIKE {_literal(rule.pattern)}",
    "length": lambda rule, field, end: _bounds(rule, f"length({field})"),
    "not_in_future": lambda rule, field, end: f"{field} <= timestamp'{end}'",
    "max_age": _max_age,
}
