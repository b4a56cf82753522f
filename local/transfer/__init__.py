"""A stand-in for Storage Transfer Service: the buckets of other clouds are buckets of the local GCS."""
