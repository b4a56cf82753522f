"""Dataproc Serverless on the laptop: batches over gRPC, run by spark-submit."""
