"""The Bigtable instance, and the migration of its table's families and garbage collection rules.

Families are what the feature sets declare. A missing one is made by the first push; what may lose data (other
versions, a family that no set has any more) waits for `python -m hourglass features migrate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hourglass.cloud.retry import Patiently
from hourglass.features.heads import FAMILY as HEAD
from hourglass.features.heads import TABLE
from hourglass.partition.features import head_key

if TYPE_CHECKING:
    from google.cloud.bigtable.instance import Instance
    from google.cloud.bigtable.table import Table

    from hourglass.config.serving import FeatureSet

Action = Literal["create", "rebuild", "drop"]


def instance(project: str, instance_id: str, gcp_conn_id: str = "google_cloud_default") -> Instance:
    """The Bigtable instance of an Airflow connection; BIGTABLE_EMULATOR_HOST redirects it."""
    from airflow.providers.google.cloud.hooks.bigtable import BigtableHook

    client = BigtableHook(gcp_conn_id=gcp_conn_id)._get_client(project_id=project)
    found: Instance = client.instance(instance_id)
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """One step from the table as it is to the table as it is declared.

    Args:
        action: `create` a family; `rebuild` one whose layout changed, which empties it; `drop` one that no
            feature set has.
        family: The family.
        versions: How many versions of a cell it keeps; 0 when it is dropped.
        reason: Why.
    """

    action: Action
    family: str
    versions: int
    reason: str

    @property
    def loses(self) -> bool:
        """Whether features are lost until they are pushed again."""
        return self.action != "create"


def declared(sets: Iterable[FeatureSet]) -> dict[str, int]:
    """The families that feature sets need, with the versions that they keep."""
    return {HEAD: 1, **{s.name: s.versions for s in sets}}


def changes(table: Table, wanted: Mapping[str, int]) -> list[Change]:
    """What must change so that the table has the wanted families.

    Args:
        table: The table, which need not exist.
        wanted: Families and their versions.
    """
    there = _families(table)
    found = []
    for family, versions in wanted.items():
        if family not in there:
            found.append(Change("create", family, versions, "it is not there"))
        elif there[family] != versions:
            kept = there[family] or "another rule's"
            found.append(Change("rebuild", family, versions, f"it keeps {kept} versions, not {versions}"))
    for family in there.keys() - wanted.keys():
        found.append(Change("drop", family, 0, "no feature set has this name"))
    return found


def apply(table: Table, change: Change) -> None:
    """Make one change; a family that is there already, or gone already, is no error."""
    from google.api_core.exceptions import AlreadyExists, NotFound
    from google.cloud.bigtable.column_family import MaxVersionsGCRule

    ask = Patiently(f"Bigtable for family {change.family} of table {table.name}")
    if change.loses:
        with suppress(NotFound):
            ask(table.column_family(change.family).delete)()
        head = table.direct_row(head_key(change.family))
        head.delete()
        head.commit()
    if change.action == "drop":
        return
    rule = MaxVersionsGCRule(change.versions)
    try:
        ask(table.create)(column_families={change.family: rule})
    except AlreadyExists:
        with suppress(AlreadyExists):
            ask(table.column_family(change.family, rule).create)()


def _families(table: Table) -> dict[str, int | None]:
    """The families of a table with their versions; None where a rule is no number of versions."""
    from google.api_core.exceptions import NotFound

    try:
        ask = Patiently(f"Bigtable for the families of table {table.name}")
        found: dict[str, Any] = ask(table.list_column_families)()
    except NotFound:
        return {}
    return {name: getattr(family.gc_rule, "max_num_versions", None) for name, family in found.items()}


def ensure(table: Table, feature_set: FeatureSet) -> Change | None:
    """Make the families of one set unless they are there.

    Returns:
        What stands in the way of a push: a change that would lose data.
    """
    for change in changes(table, declared([feature_set])):
        if change.action == "create":
            apply(table, change)
        elif change.action == "rebuild":
            return change
    return None


def features_table(found: Instance) -> Table:
    """The table of the features."""
    table: Table = found.table(TABLE)
    return table
