"""The model that a stack was deployed with, which runs when its state machine is started by hand."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from replicast.core.errors import ReplicastError
from replicast.core.parameters import Signature
from replicast.core.record import NAME, RunRecord
from replicast.performing.copies import FOLDER, Source, code_hash
from replicast.stores.objects import ObjectStore

from .by_hand import signature_from_dict
from .functions import DEPLOYED, SIGNATURE


def keep_model(bucket: ObjectStore, record: RunRecord, source: Source, signature: Signature) -> None:
    """Puts a model in the place of the one before, unless that is the same.

    The record is written last: by then all of it is there. It names the hashes of what is put there, which are those of
    a file that was written to meanwhile, too.
    """
    contents = {name: (source.folder / name).read_bytes() for name in source.files}
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    code, parts = code_hash(files), record.segments
    segments = tuple(dataclasses.replace(segment, code_hash=code) for segment in parts)
    record = dataclasses.replace(record, id=DEPLOYED, files=files, code_hash=code, segments=segments)
    if is_kept(bucket, record, signature):
        return
    old = set(bucket.documents(DEPLOYED, "model"))
    for name, content in contents.items():
        bucket.write(DEPLOYED, f"{FOLDER}/{name}", content)
    bucket.write(DEPLOYED, SIGNATURE, described(signature))
    bucket.write(DEPLOYED, NAME, record.to_json())
    for name in old - {f"{FOLDER}/{name}" for name in contents}:
        bucket.delete(DEPLOYED, name)


def is_kept(bucket: ObjectStore, record: RunRecord, signature: Signature) -> bool:
    """Whether the stack holds this very model."""
    try:
        known = model_of(bucket)
    except (ReplicastError, ValueError, KeyError, TypeError):
        return False
    if known is None:
        return False
    return (timeless(record), described(signature)) == (timeless(known[0]), described(known[1]))


def described(signature: Signature) -> bytes:
    return json.dumps(dataclasses.asdict(signature)).encode()


def timeless(record: RunRecord) -> bytes:
    """The record without when it was made, and without its seed, which starts by hand have their own of."""
    experiment = dataclasses.replace(record.experiment, seed=0)
    return dataclasses.replace(record, created="", experiment=experiment, digests={}, segments=()).to_json()


def model_of(bucket: ObjectStore) -> tuple[RunRecord, Signature] | None:
    """The record and signature of the model that a stack holds; None if it holds none."""
    content, described = bucket.read(DEPLOYED, NAME), bucket.read(DEPLOYED, SIGNATURE)
    if content is None or described is None:
        return None
    return RunRecord.from_json(content, f"{DEPLOYED}/{NAME}"), signature_from_dict(json.loads(described))
