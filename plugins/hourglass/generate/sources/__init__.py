"""One module a source, named like it: `rows(draw, partition, count)` yields distinct good records.

A module may also have `BREAK`, which maps the reason of an `expression` rule to a function that changes a
record so that it breaks the rule, and `table_of(record)`, the table of a `database_cdc` record.
"""
