"""The model that a stack was deployed with, which runs when its state machine is started by hand."""

from __future__ import annotations

import dataclasses
import json

from replicast.core.parameters import Signature
from replicast.core.record import NAME, RunRecord
from replicast.performing.copies import Source
from replicast.stores.objects import ObjectStore

from .by_hand import signature_from_dict
from .functions import DEPLOYED, SIGNATURE


def keep_model(bucket: ObjectStore, record: RunRecord, source: Source, signature: Signature) -> None:
    """Puts a model in the place of the one before. The record is written last: by then all of it is there."""
    old = set(bucket.documents(DEPLOYED, "model"))
    source.save(bucket, DEPLOYED)
    bucket.write(DEPLOYED, SIGNATURE, json.dumps(dataclasses.asdict(signature)).encode())
    bucket.write(DEPLOYED, NAME, dataclasses.replace(record, id=DEPLOYED).to_json())
    for name in old - {f"model/{name}" for name in source.files}:
        bucket.delete(DEPLOYED, name)


def model_of(bucket: ObjectStore) -> tuple[RunRecord, Signature] | None:
    """The record and signature of the model that a stack holds; None if it holds none."""
    content, described = bucket.read(DEPLOYED, NAME), bucket.read(DEPLOYED, SIGNATURE)
    if content is None or described is None:
        return None
    return RunRecord.from_json(content, f"{DEPLOYED}/{NAME}"), signature_from_dict(json.loads(described))
