"""A fresh interpreter that performs N replications as any of our workers does, and stores them or throws them away.

python one_worker.py stored|discarded MODEL.py N FOLDER
"""

import sys
from pathlib import Path

from replicast.core.experiment import Experiment, ModelReference
from replicast.core.replication import Batch
from replicast.core.scenarios import Scenario
from replicast.models import open_model
from replicast.models.capture import Log
from replicast.performing.worker import Assignment, started
from replicast.stores import open_store

WAY, MODEL, N, FOLDER = sys.argv[1], Path(sys.argv[2]).absolute(), int(sys.argv[3]), Path(sys.argv[4])


class Discarding:
    """A store that keeps nothing."""

    def save(self, _run, _outcomes):
        pass

    def write(self, _run, _name, _content, *, new=False):
        return new


reference = ModelReference(language="python", file=MODEL.name, function="simulate")
experiment = Experiment(model=reference, scenarios=(Scenario("base", {}),), seed=42)
FOLDER.mkdir(exist_ok=True)
log = Log(FOLDER / "log")
model = open_model(MODEL.parent, experiment, scratch=FOLDER, log=log)
store = open_store(str(FOLDER / "runs")) if WAY == "stored" else Discarding()
with started(Assignment("x", experiment), model, store) as worker:
    worker.perform(Batch("base", 1, N))
