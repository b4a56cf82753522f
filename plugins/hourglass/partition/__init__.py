"""The domain: partitions, manifests, completeness and accounting. Imports no Airflow and no cloud client."""

from hourglass.partition.accounting import Counts, conservation_problems
from hourglass.partition.clock import Grain, Partition
from hourglass.partition.completeness import Completeness, Readiness, assess
from hourglass.partition.manifest import Manifest, SourceObject

__all__ = [
    "Completeness",
    "Counts",
    "Grain",
    "Manifest",
    "Partition",
    "Readiness",
    "SourceObject",
    "assess",
    "conservation_problems",
]
