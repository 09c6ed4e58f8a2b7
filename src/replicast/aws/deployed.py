"""The model that a stack was deployed with, which runs when its state machine is started by hand."""

from __future__ import annotations

import dataclasses
import json

from replicast.core.parameters import Signature
from replicast.core.record import NAME, RunRecord
from replicast.performing.copies import Source
from replicast.stores.objects import ObjectStore

from .functions import DEPLOYED, SIGNATURE


def keep_model(bucket: ObjectStore, record: RunRecord, source: Source, signature: Signature) -> None:
    """Puts a model in the place of the one before. The record is written last: by then all of it is there."""
    old = set(bucket.documents(DEPLOYED, "model"))
    source.save(bucket, DEPLOYED)
    bucket.write(DEPLOYED, SIGNATURE, json.dumps(dataclasses.asdict(signature)).encode())
    bucket.write(DEPLOYED, NAME, dataclasses.replace(record, id=DEPLOYED).to_json())
    for name in old - {f"model/{name}" for name in source.files}:
        bucket.delete(DEPLOYED, name)
