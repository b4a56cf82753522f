"""After reading and before committing: are the objects still the ones that the manifest names?

A path cannot pin a generation, so an object that was replaced while Spark read it would give rows that no
manifest accounts for. One listing per folder tells, through the same client that writes the tables' files.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

from hg_spec import RefineError, SourceObject, Spec


def verify(spark: SparkSession, spec: Spec) -> int:
    """Compare each object's generation with the manifest's.

    Args:
        spark: the session; the properties of the silver table's catalog configure the client.
        spec: the batch's spec. An object whose generation is None is not checked.

    Returns:
        The number of objects compared.

    Raises:
        RefineError: an object was replaced or is gone, or its kind of storage has no generations.
    """
    pinned = [o for o in spec.objects if o.generation is not None]
    now = _generations(spark, spec, pinned)
    changed = [o for o in pinned if now.get(o.uri) != o.generation]
    if changed:
        first = changed[0]
        found = now.get(first.uri)
        what = "is gone" if found is None else f"was replaced (generation {found}, not {first.generation})"
        raise RefineError(
            f"{spec.source} {spec.partition}: {first.uri} {what} after the manifest was written "
            f"({len(changed)} of {len(spec.objects)} objects changed); nothing was committed; clear the sense task: "
            "the next try senses a new manifest"
        )
    return len(pinned)


def _generations(spark: SparkSession, spec: Spec, objects: Iterable[SourceObject]) -> dict[str, int]:
    folders: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for item in objects:
        folders[urlsplit(item.uri).scheme][item.uri.rpartition("/")[0]].add(item.uri)
    found: dict[str, int] = {}
    for scheme, places in folders.items():
        if scheme == "gs":
            found.update(_in_cloud_storage(spark, spec, places))
        elif scheme == "file":
            found.update(_in_files(uri for uris in places.values() for uri in uris))
        else:
            raise RefineError(
                f"{spec.source} {spec.partition}: objects in {scheme}:// have no generations to compare: write the "
                "manifest with generation null for them"
            )
    return found


def _in_files(uris: Iterable[str]) -> dict[str, int]:
    """A local file's generation is its modification time in microseconds."""
    found = {}
    for uri in uris:
        path = uri.removeprefix("file://")
        if os.path.exists(path):
            found[uri] = os.stat(path).st_mtime_ns // 1000
    return found


def _in_cloud_storage(spark: SparkSession, spec: Spec, folders: dict[str, set[str]]) -> dict[str, int]:
    jvm: Any = spark._jvm
    io = jvm.org.apache.iceberg.gcp.gcs.GCSFileIO()
    io.initialize(_catalog_properties(spark, spec.silver_table.split(".")[0]))
    try:
        found = {}
        for folder, uris in folders.items():
            found.update(_listing(spark, io.client(), folder, uris))
        return found
    finally:
        io.close()


def _catalog_properties(spark: SparkSession, catalog: str) -> Any:
    prefix = f"spark.sql.catalog.{catalog}."
    properties = spark._jvm.java.util.HashMap()
    for key, value in spark.sparkContext.getConf().getAll():
        if key.startswith(prefix):
            properties.put(key.removeprefix(prefix), value)
    return properties


def _listing(spark: SparkSession, client: Any, folder: str, uris: set[str]) -> dict[str, int]:
    jvm: Any = spark._jvm
    bucket, _, path = folder.removeprefix("gs://").partition("/")
    field = getattr(jvm.com.google.cloud.storage, "Storage$BlobField")
    option = getattr(jvm.com.google.cloud.storage, "Storage$BlobListOption")
    gateway: Any = spark.sparkContext._gateway
    fields = gateway.new_array(field, 2)
    fields[0], fields[1] = field.NAME, field.GENERATION
    options = gateway.new_array(option, 3)
    options[0] = option.prefix(path + "/" if path else "")
    options[1] = option.currentDirectory()
    options[2] = option.fields(fields)
    found = {}
    blobs = client.list(bucket, options).iterateAll().iterator()
    while blobs.hasNext():
        blob = blobs.next()
        uri = f"gs://{bucket}/{blob.getName()}"
        if uri in uris and blob.getGeneration() is not None:
            found[uri] = int(blob.getGeneration())
    return found
