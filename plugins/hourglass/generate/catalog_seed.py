"""The dbt seed product_catalog: what gold joins payments with, made from the same products as all generated data.

`python -m hourglass.generate.catalog_seed` writes it; with `--check` it only says whether it is up to date.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence

from hourglass.config.platform import include_folder
from hourglass.generate import pools

COLUMNS = ("product_id", "product_name", "category", "brand", "list_price", "is_active", "released_on")
_PATH = "dbt/seeds/product_catalog.csv"
_COMMAND = "python -m hourglass.generate.catalog_seed"


def text() -> str:
    """The seed's CSV: every product of the pool with its list price; what it costs the shop stays out."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for product in map(pools.product, range(pools.PRODUCTS)):
        active = str(product.is_active).lower()
        writer.writerow(
            (
                product.id,
                product.name,
                product.category,
                product.brand,
                product.price,
                active,
                product.released_on,
            )
        )
    return out.getvalue()


def main(arguments: Sequence[str]) -> int:
    """Write the seed, or check it.

    Args:
        arguments: Nothing, or `--check`.

    Returns:
        The exit status: 1 when the file is not up to date, 2 for other arguments.
    """
    path = include_folder() / _PATH
    if not arguments:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(), "utf-8")
        return 0
    if list(arguments) != ["--check"]:
        sys.stderr.write(f"{' '.join(arguments)}: not known; write {_COMMAND} [--check]\n")
        return 2
    if path.is_file() and path.read_text("utf-8") == text():
        return 0
    sys.stderr.write(f"{path} is not what the generator makes; run PYTHONPATH=plugins {_COMMAND}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
