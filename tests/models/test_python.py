"""Python models: a replication depends on its number alone, whatever the others did and however they are cut."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicast.core.errors import ModelError
from replicast.core.experiment import Experiment, ModelReference, Streams
from replicast.core.parameters import fit_parameters
from replicast.core.replication import WARNINGS_KEPT, Outcome
from replicast.core.scenarios import Scenario
from replicast.core.streams import model_seed, seed_sequence
from replicast.models import python_simulate
from replicast.models.capture import Log, captured
from replicast.models.python import PythonModel
from replicast.stores.parts import fingerprints

SEED = 42


class Bench:
    """A folder with a model in it, which is simulated in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.log = folder / "log"

    def write(self, text: str, name: str = "model.py") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    @contextmanager
    def capturing(self) -> Iterator[Log]:
        """As in a worker, where nothing stands between `print` and the file descriptor."""
        with (
            captured(self.log) as log,
            open(1, "w", closefd=False) as out,
            open(2, "w", closefd=False, buffering=1) as err,
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            yield log

    def experiment(self, reference: ModelReference, streams: Streams, parameters: dict[str, Any]) -> Experiment:
        return Experiment(reference, (Scenario("base", parameters),), SEED, streams)

    @contextmanager
    def started(
        self,
        *,
        reference: ModelReference = ModelReference("python", "model.py"),  # noqa: B008 - a frozen value
        streams: Streams = Streams(),  # noqa: B008
        function: Callable[..., Any] | None = None,
        **parameters: Any,
    ) -> Iterator[Callable[[int, int], list[Outcome]]]:
        experiment = self.experiment(reference, streams, parameters)
        with (
            self.capturing() as log,
            PythonModel(self.folder, experiment, log=log, function=function).start() as simulate,
        ):
            yield lambda first, last: list(simulate(experiment.scenarios[0], first, last, lambda _number: None))

    def run(self, text: str, last: int = 5, **options: Any) -> list[Outcome]:
        self.write(text)
        with self.started(**options) as perform:
            return perform(1, last)

    def values(self, text: str, last: int = 5, **options: Any) -> list[Any]:
        outcomes = self.run(text, last, **options)
        assert [o.failure for o in outcomes if o.failure] == []
        return [outcome.metrics["value"] for outcome in outcomes]

    def describe(self, reference: ModelReference = ModelReference("python", "model.py")) -> Any:  # noqa: B008
        experiment = self.experiment(reference, Streams(), {})
        with self.capturing() as log:
            return PythonModel(self.folder, experiment, log=log).describe()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def first_draws(replications: int) -> list[float]:
    """What a user gets who spawns the streams by hand."""
    return [np.random.default_rng(child).random() for child in np.random.SeedSequence(SEED).spawn(replications)]


class TestArguments:
    def test_rng_is_the_stream_of_the_replication(self, bench: Bench) -> None:
        assert bench.values("def simulate(rng): return rng.random()", 50) == first_draws(50)

    def test_seed_and_replication_are_those_of_the_replication(self, bench: Bench) -> None:
        outcomes = bench.run("def simulate(seed, replication): return {'s': seed, 'r': replication}", 30)
        assert [o.metrics["s"] for o in outcomes] == [model_seed(SEED, i) for i in range(1, 31)]
        assert [o.metrics["r"] for o in outcomes] == list(range(1, 31))

    def test_rng_spawns_what_its_seed_sequence_spawns(self, bench: Bench) -> None:
        found = bench.values("def simulate(rng): return rng.spawn(3)[2].random()", 4)
        children = [seed_sequence(SEED, i).spawn(3)[2] for i in range(1, 5)]
        assert found == [np.random.default_rng(child).random() for child in children]

    def test_scenarios_have_streams_of_their_own_where_they_are_parted(self, bench: Bench) -> None:
        bench.write("def simulate(rng): return rng.random()")
        scenarios = (Scenario("a", {}, 0), Scenario("b", {}, 1))
        experiment = Experiment(ModelReference("python", "model.py"), scenarios, SEED, Streams(common=False))
        with bench.capturing() as log, PythonModel(bench.folder, experiment, log=log).start() as simulate:
            found = [o.metrics["value"] for s in scenarios for o in simulate(s, 1, 3, lambda _number: None)]
        expected = [np.random.SeedSequence(SEED, spawn_key=(j, i)) for j in (0, 1) for i in (0, 1, 2)]
        assert found == [np.random.default_rng(sequence).random() for sequence in expected]

    def test_arguments_go_by_name_in_any_order(self, bench: Bench) -> None:
        text = (
            "def simulate(beds=2, *, rate=1.5, replication, doctors=3): return beds + 10 * doctors + rate + replication"
        )
        assert bench.values(text, 2, beds=4, rate=0.5) == [4 + 30 + 0.5 + 1, 4 + 30 + 0.5 + 2]

    def test_params_holds_every_parameter_and_the_rest_go_by_name(self, bench: Bench) -> None:
        text = "def simulate(params, beds=1): return {'sum': sum(params.values()), 'beds': beds}"
        assert bench.run(text, 1, beds=5, other=7)[0].metrics == {"sum": 12, "beds": 5}

    def test_keyword_arguments_hold_what_has_no_name(self, bench: Bench) -> None:
        text = "def simulate(beds=1, **more): return {'beds': beds, **more}"
        assert bench.run(text, 1, beds=5, x=7)[0].metrics == {"beds": 5, "x": 7}

    def test_a_callable_that_was_handed_over_is_called(self, bench: Bench) -> None:
        with bench.started(function=lambda rng, k=2: k * rng.random(), k=4) as perform:
            assert [o.metrics["value"] for o in perform(1, 3)] == [4 * value for value in first_draws(3)]

    def test_a_method_of_a_class_is_a_model(self, bench: Bench) -> None:
        text = "class Ward:\n    @staticmethod\n    def simulate(rng): return rng.random()"
        reference = ModelReference("python", "model.py", "Ward.simulate")
        assert bench.values(text, 2, reference=reference) == first_draws(2)


PURE: dict[str, str] = {
    "draws from random": """
        import random
        def simulate(): return random.random()
    """,
    "draws from numpy.random": """
        import numpy as np
        def simulate(): return np.random.normal()
    """,
    "draws from all three, and seeded two while loading": """
        import random, numpy as np
        random.seed(1); np.random.seed(1)
        def simulate(rng): return rng.random() + random.gauss(0, 1) + np.random.rand()
    """,
    "draws from random in some replications only": """
        import random
        def simulate(rng, replication):
            return rng.random() + (random.random() if replication > 7 else 0)
    """,
    "prints in some replications only": """
        def simulate(rng, replication):
            drawn = rng.random()
            if replication % 5 == 0: print(drawn)
            return drawn
    """,
    "changes its directory once": """
        import os
        def simulate(rng, replication):
            drawn = rng.random() + len(os.listdir("."))
            if replication == 6: os.chdir("/")
            return drawn
    """,
    "appends to a default list": """
        def simulate(rng, seen=[]):
            seen.append(rng.random())
            return sum(seen)
    """,
    "adds to a default dict": """
        def simulate(rng, seen={"n": 0}):
            seen["n"] += rng.random()
            return seen["n"]
    """,
    "adds to a default set": """
        def simulate(rng, *, seen=set()):
            seen.add(rng.random())
            return sum(seen)
    """,
    "appends to a parameter": """
        def simulate(rng, queue):
            queue.append(rng.random())
            return sum(queue)
    """,
    "appends to one of params": """
        def simulate(rng, params):
            params["queue"].append(rng.random())
            return sum(params["queue"])
    """,
    "appends to one of its keyword arguments": """
        def simulate(rng, **more):
            more["queue"].append(rng.random())
            return sum(more["queue"])
    """,
    "returns the same array each time": """
        import numpy as np
        buffer = np.zeros(2)
        def simulate(rng):
            buffer[:] = rng.random(2)
            return {"value": buffer[0], "t": {"x": buffer}}
    """,
    "replaces its output once": """
        import io, sys
        def simulate(rng, replication):
            if replication == 4: sys.stdout = io.StringIO()
            return rng.random()
    """,
}


class TestPurity:
    """Numbers do not depend on which replications ran before in the same process."""

    @staticmethod
    def performed(bench: Bench, text: str, cuts: Sequence[tuple[int, int]]) -> dict[int, Any]:
        bench.write(text)
        with bench.started(queue=[0.25]) as perform:
            outcomes = [outcome for first, last in cuts for outcome in perform(first, last)]
        assert [o.failure for o in outcomes if o.failure] == []
        return {
            o.replication: (o.metrics, {n: t.column(0).to_pylist() for n, t in o.tables.items()}, o.draws, o.log)
            for o in outcomes
        }

    @pytest.mark.parametrize("text", PURE.values(), ids=PURE)
    def test_however_replications_are_cut_into_batches(self, bench: Bench, text: str) -> None:
        alone: dict[int, Any] = {}
        for i in (1, 7, 8, 40):
            alone |= self.performed(bench, text, [(i, i)])
        whole = self.performed(bench, text, [(1, 40)])
        back = self.performed(bench, text, [(21, 40), (1, 3), (4, 20)])
        assert {i: whole[i] for i in alone} == alone
        assert back == whole

    def test_the_global_generators_are_seeded_with_the_seed_of_the_replication(self, bench: Bench) -> None:
        import random

        text = "import random, numpy as np\ndef simulate(): return {'a': random.random(), 'b': np.random.rand()}"
        for i, outcome in enumerate(bench.run(text, 20), 1):
            seed = model_seed(SEED, i)
            expected = random.Random(seed).random(), np.random.RandomState(seed & 0xFFFFFFFF).rand()
            assert (outcome.metrics["a"], outcome.metrics["b"]) == expected

    def test_a_model_that_seeds_itself_is_left_alone(self, bench: Bench) -> None:
        text = "import random\nrandom.seed(7)\ndef simulate(replication): return random.random()"
        import random

        expected = random.Random(7)
        assert bench.values(text, 5, streams=Streams("own")) == [expected.random() for _ in range(5)]

    def test_slow_replications_give_the_same_as_quick_ones(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        text = "import random\ndef simulate(rng): return rng.random() + random.random()"
        quick = bench.values(text, 30)
        monkeypatch.setattr(python_simulate, "QUICK_SECONDS", 0.0)
        assert bench.values(text, 30) == quick

    def test_the_culprit_is_named_before_it_is_simulated(self, bench: Bench) -> None:
        bench.write("def simulate(replication): return replication")
        experiment = bench.experiment(ModelReference("python", "model.py"), Streams(), {})
        named: list[int] = []
        with bench.capturing() as log, PythonModel(bench.folder, experiment, log=log).start() as simulate:
            list(simulate(experiment.scenarios[0], 3, 60, named.append))
        assert named == list(range(3, 61))


class TestFailures:
    def test_an_error_is_a_result_and_costs_no_other_replication(self, bench: Bench) -> None:
        text = """
            def simulate(rng, replication):
                if replication % 3 == 0: raise ValueError(f"no beds in {replication}")
                return rng.random()
        """
        outcomes = bench.run(text, 30)
        assert [o.replication for o in outcomes if o.failure] == list(range(3, 31, 3))
        failure = outcomes[2].failure
        assert failure is not None
        assert (failure.kind, failure.type, failure.message) == ("error", "ValueError", "no beds in 3")
        assert [o.metrics["value"] for o in outcomes if not o.failure] == [
            value for i, value in enumerate(first_draws(30), 1) if i % 3
        ]

    @pytest.mark.parametrize(
        ("statement", "kind"),
        [
            ("import sys; sys.exit(3)", "SystemExit"),
            ("raise SystemExit", "SystemExit"),
            ("raise KeyboardInterrupt", "KeyboardInterrupt"),
            ("exit()", "SystemExit"),
            ("return {}['wait']", "KeyError"),
            ("return 1 / 0", "ZeroDivisionError"),
            ("return simulate()", "RecursionError"),
            ("raise MemoryError", "MemoryError"),
            ("raise StopIteration", "StopIteration"),
            ("raise ExceptionGroup('several', [ValueError('a'), KeyError('b')])", "ExceptionGroup"),
            ("assert False", "AssertionError"),
            ("return object()", "UnusableResult"),
            ("return None", "UnusableResult"),
        ],
    )
    def test_whatever_the_model_raises(self, bench: Bench, statement: str, kind: str) -> None:
        outcomes = bench.run(f"def simulate():\n    {statement}", 3)
        assert [o.failure.type for o in outcomes if o.failure] == [kind] * 3
        assert [o.metrics for o in outcomes] == [{}] * 3

    def test_an_error_that_cannot_be_shown_is_stored_all_the_same(self, bench: Bench) -> None:
        text = """
            class Odd(Exception):
                def __str__(self): raise RuntimeError("no text")
            def simulate(): raise Odd
        """
        (outcome,) = bench.run(text, 1)
        assert outcome.failure is not None
        assert outcome.failure.type == "Odd"

    def test_the_traceback_holds_the_model_s_frames_alone(self, bench: Bench) -> None:
        bench.write("def inner(x):\n    return 1 / x\n", "helper.py")
        (outcome,) = bench.run("import helper\n\ndef simulate(): return helper.inner(0)\n", 1)
        assert outcome.failure is not None
        lines = outcome.failure.traceback.splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert [line for line in lines if "File " in line] == [
            '  File "model.py", line 3, in simulate',
            '  File "helper.py", line 2, in inner',
        ]
        assert lines[-1] == "ZeroDivisionError: division by zero"
        assert "replicast" not in outcome.failure.traceback

    def test_the_traceback_tells_of_the_cause_and_of_notes(self, bench: Bench) -> None:
        text = """
            def simulate():
                try:
                    {}["beds"]
                except KeyError as error:
                    failed = ValueError("no ward")
                    failed.add_note("look into wards.csv")
                    raise failed from error
        """
        (outcome,) = bench.run(text, 1)
        assert outcome.failure is not None
        shown = outcome.failure.traceback
        assert shown.index("KeyError: 'beds'") < shown.index("direct cause") < shown.index("ValueError: no ward")
        assert "look into wards.csv" in shown

    def test_a_slow_failure_in_the_middle_of_quick_ones_is_that_of_its_number(self, bench: Bench) -> None:
        text = """
            def simulate(replication):
                print(replication)
                if replication == 17: raise ValueError
                return 1
        """
        outcomes = bench.run(text, 30)
        assert [o.replication for o in outcomes if o.failure] == [17]
        assert [o.log for o in outcomes] == [f"{i}\n" for i in range(1, 31)]


class TestLogAndWarnings:
    def test_each_replication_has_what_it_printed(self, bench: Bench) -> None:
        text = """
            import os, subprocess, sys
            def simulate(replication):
                print("out", replication)
                sys.stdout.flush()
                sys.stderr.write(f"err {replication}")
                sys.stderr.flush()
                subprocess.run(["echo", " child", str(replication)])
                os.write(1, b"raw, ")
                print("and no end of line", end="")
                return replication
        """
        for i, outcome in enumerate(bench.run(text, 25), 1):
            assert outcome.log == f"out {i}\nerr {i} child {i}\nraw, and no end of line"

    def test_printing_now_and_then_does_not_change_what_is_printed(self, bench: Bench) -> None:
        text = "def simulate(replication):\n    if replication % 10 == 0: print('tenth', replication)\n    return 1"
        logs = [outcome.log for outcome in bench.run(text, 40)]
        assert logs == [f"tenth {i}\n" if i % 10 == 0 else "" for i in range(1, 41)]

    def test_warnings_are_counted_and_the_first_are_kept(self, bench: Bench) -> None:
        text = """
            import warnings
            def simulate(replication):
                for i in range(replication):
                    warnings.warn(f"slow {i}")
                return 1
        """
        outcomes = bench.run(text, 30)
        assert [o.warning_count for o in outcomes] == list(range(1, 31))
        assert [len(o.warnings) for o in outcomes] == [min(i, WARNINGS_KEPT) for i in range(1, 31)]
        assert outcomes[2].warnings == ("UserWarning: slow 0", "UserWarning: slow 1", "UserWarning: slow 2")

    def test_warnings_of_numpy_are_among_them(self, bench: Bench) -> None:
        outcomes = bench.run("import numpy as np\ndef simulate(): return np.float64(1) / np.float64(0)", 3)
        assert [o.warning_count for o in outcomes] == [1] * 3
        assert outcomes[0].metrics == {"value": float("inf")}
        assert outcomes[0].warnings[0].startswith("RuntimeWarning: divide by zero")

    def test_a_million_warnings_are_a_number(self, bench: Bench) -> None:
        text = "import warnings\ndef simulate():\n    for _ in range(50_000): warnings.warn('x')\n    return 1"
        (outcome,) = bench.run(text, 1)
        assert (outcome.warning_count, len(outcome.warnings)) == (50_000, WARNINGS_KEPT)

    def test_a_model_may_turn_its_warnings_into_errors(self, bench: Bench) -> None:
        text = """
            import warnings
            def simulate():
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    warnings.warn("too slow")
        """
        (outcome,) = bench.run(text, 1)
        assert outcome.failure is not None
        assert (outcome.failure.type, outcome.failure.message) == ("UserWarning", "too slow")

    def test_warnings_are_shown_as_before_when_the_model_is_done(self, bench: Bench) -> None:
        before, filters = warnings.showwarning, list(warnings.filters)
        bench.run("def simulate(): return 1", 1)
        assert warnings.showwarning is before
        assert warnings.filters == filters

    def test_a_model_that_closes_its_output_ends_no_one_else(self, bench: Bench) -> None:
        text = """
            import io, sys
            def simulate(rng):
                sys.stdout = io.StringIO()
                sys.stdout.close()
                return rng.random()
        """
        assert bench.values(text, 10) == first_draws(10)


class TestSurroundings:
    @pytest.mark.long
    def test_data_and_helpers_beside_the_model_are_found(self, bench: Bench) -> None:
        bench.write("12\n", "beds.csv")
        bench.write("from dataclasses import dataclass\n@dataclass\nclass Ward:\n    beds: int\n", "wards/ward.py")
        bench.write("", "wards/__init__.py")
        text = """
            from __future__ import annotations
            from dataclasses import dataclass
            from pathlib import Path
            from wards.ward import Ward
            BEDS = int(Path("beds.csv").read_text())
            @dataclass
            class Result:
                value: int
            def simulate():
                assert Path(__file__).with_name("beds.csv").exists()
                return Result(Ward(BEDS).beds + int(Path("beds.csv").read_text())).value
        """
        assert bench.values(text, 2) == [24, 24]
        assert bench.describe().parameters == ()

    def test_a_module_of_a_package_is_a_model(self, bench: Bench) -> None:
        bench.write("def simulate(rng): return rng.random()", "hospital/model.py")
        bench.write("", "hospital/__init__.py")
        with bench.started(reference=ModelReference("python", module="hospital.model")) as perform:
            assert [o.metrics["value"] for o in perform(1, 3)] == first_draws(3)

    def test_directory_path_and_modules_are_as_before_when_the_model_is_done(self, bench: Bench) -> None:
        bench.write("", "beside_the_model.py")
        before, path, modules = Path.cwd(), list(sys.path), set(sys.modules)
        text = """
            import os, sys, beside_the_model
            def simulate():
                os.chdir("/")
                sys.path.append("x")
                return 1
        """
        bench.run(text, 3)
        bench.describe()
        assert (Path.cwd(), sys.path) == (before, path)
        assert not {"model", "beside_the_model"} & (set(sys.modules) - modules)

    def test_each_replication_starts_in_the_model_s_folder(self, bench: Bench) -> None:
        text = """
            import os
            def simulate(replication):
                here = os.getcwd()
                os.chdir("/")
                return [{"here": here}] * 2
        """
        folders = {o.tables["table"].column("here").to_pylist()[0] for o in bench.run(text, 20)}
        assert folders == {os.path.realpath(bench.folder)}

    def test_another_project_s_helper_of_the_same_name_is_not_taken(self, bench: Bench, tmp_path: Path) -> None:
        text = "import helper_of_both\ndef simulate(): return helper_of_both.VALUE"
        bench.write("VALUE = 1", "helper_of_both.py")
        assert bench.values(text, 1) == [1]
        other = Bench(tmp_path / "other") if (tmp_path / "other").mkdir() is None else bench
        other.write("VALUE = 2", "helper_of_both.py")
        assert other.values(text, 1) == [2]
        assert bench.values(text, 1) == [1]

    def test_a_helper_that_the_caller_had_imported_from_elsewhere_is_left_to_the_caller(
        self, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "helper_imported_before.py").write_text("VALUE = 1")
        monkeypatch.syspath_prepend(str(tmp_path))
        import helper_imported_before  # type: ignore[import-not-found]

        bench.write("VALUE = 2", "helper_imported_before.py")
        text = "import helper_imported_before as helper\ndef simulate(): return helper.VALUE"
        assert bench.values(text, 1) == [2]
        assert sys.modules["helper_imported_before"] is helper_imported_before
        assert helper_imported_before.VALUE == 1
        del sys.modules["helper_imported_before"]

    @pytest.mark.parametrize("name", ["queue.py", "random.py", "numpy.py", "my model.py", "a-b.py", "types.py"])
    def test_a_model_may_be_called_like_a_module_of_python(self, bench: Bench, name: str) -> None:
        bench.write(
            "from dataclasses import dataclass\n@dataclass\nclass A: x: int\ndef simulate(rng): return rng.random()",
            name,
        )
        before = {module: sys.modules.get(module) for module in ("queue", "random", "numpy", "types")}
        with bench.started(reference=ModelReference("python", name)) as perform:
            assert [o.metrics["value"] for o in perform(1, 2)] == first_draws(2)
            assert {module: sys.modules.get(module) for module in before} == before

    def test_a_changed_file_is_read_anew(self, bench: Bench) -> None:
        for value in (1, 2, 3):
            assert bench.values(f"def simulate(): return {value}", 1) == [value]


class TestDescription:
    def test_parameters_with_their_types_and_defaults(self, bench: Bench) -> None:
        bench.write("""
            def simulate(rng, beds, n=3, rate=1.5, on=True, name="x", none=None, some=(1, 2), odd=object()): return 1
            def collate(run): return None
        """)
        signature = bench.describe()
        assert [(p.name, p.required, p.type, p.default) for p in signature.parameters] == [
            ("beds", True, "other", None), ("n", False, "integer", 3), ("rate", False, "double", 1.5),
            ("on", False, "boolean", True), ("name", False, "string", "x"), ("none", False, "null", None),
            ("some", False, "list", None), ("odd", False, "other", None),
        ]  # fmt: skip
        assert signature.uses == ("rng",)
        assert signature.has_collate
        assert not signature.takes_any
        assert signature.versions["numpy"] == np.__version__

    @pytest.mark.long
    @pytest.mark.parametrize("arguments", ["params", "**more", "a=1, *, params", "rng, **kwargs"])
    def test_models_that_take_any_parameter(self, bench: Bench, arguments: str) -> None:
        bench.write(f"def simulate({arguments}): return 1")
        signature = bench.describe()
        assert signature.takes_any
        assert fit_parameters({"whatever": 1}, signature, "model.py") == {"whatever": 1}

    @pytest.mark.long
    def test_arguments_that_cannot_go_by_name_are_refused(self, bench: Bench) -> None:
        bench.write("def simulate(x, /): return 1")
        with pytest.raises(ModelError, match="'x' of the model is positional only"):
            bench.describe()

    @pytest.mark.long
    def test_data_read_while_loading_is_found_beside_the_model(self, bench: Bench) -> None:
        bench.write("5", "data.txt")
        bench.write(
            "from pathlib import Path\nBEDS = int(Path('data.txt').read_text())\ndef simulate(beds=BEDS): return beds"
        )
        assert bench.describe().parameters[0].default == 5

    @pytest.mark.parametrize(
        ("text", "message", "detail"),
        [
            ("def simulate(:\n", "model.py has a syntax error in line 1", 'File "model.py", line 1'),
            ("import no_such_module\n", "install it with: python -m pip install no_such_module", "line 1"),
            ("x = {}['beds']\n", "model.py cannot be loaded: KeyError: 'beds'", 'File "model.py", line 1, in <module>'),
            ("import sys\nsys.exit(2)\n", "model.py cannot be loaded: SystemExit: 2", "line 2"),
            ("def simulat(): pass\n", "model.py has no function 'simulate' .did you mean 'simulat'?", ""),
            ("simulate = 5\n", "model.py has no function 'simulate' .it defines no function.", ""),
            ("from math import sin\n", "it defines no function", ""),
            ("", "it defines no function", ""),
        ],
    )  # fmt: skip
    def test_a_model_that_does_not_load_says_why(self, bench: Bench, text: str, message: str, detail: str) -> None:
        bench.write(text)
        path = list(sys.path)
        for attempt in (bench.describe, lambda: bench.run(text, 1)):
            with pytest.raises(ModelError, match=message) as refused:
                attempt()
            assert detail in refused.value.detail
            assert "replicast" not in refused.value.detail
        assert sys.path == path

    def test_a_file_that_is_not_there(self, bench: Bench) -> None:
        with pytest.raises(ModelError, match=r"model\.py cannot be loaded: FileNotFoundError"):
            bench.describe()


class TestCopies:
    """The fingerprints by which the summary finds replications that are copies of one another."""

    @staticmethod
    def distinct(outcomes: list[Outcome]) -> int:
        return len({int(mark) for mark in fingerprints(outcomes)})

    @pytest.mark.parametrize(
        "text",
        [
            "import random\ndef simulate():\n    random.seed(1)\n    return random.random()",
            "import numpy as np\ndef simulate():\n    np.random.seed(1)\n    return np.random.rand()",
            "import numpy as np\ndef simulate(): return np.random.default_rng(1).random()",
            "import numpy as np\ndef simulate(rng): return np.random.default_rng(1).random()",
            "import numpy as np\ndef simulate(seed): return np.random.default_rng(1).random()",
            "import numpy as np\ndef simulate(replication): return np.random.default_rng(1).random()",
            "import numpy as np\ndef simulate(seed=None): return {'t': {'x': np.random.default_rng(1).random(5)}}",
            "import random\ndef simulate(): return {'t': {'x': [random.Random(1).random()] * 3}}",
            "import random\ndef simulate(rng, replication):\n    random.seed(1)\n    return random.random()",
            "def simulate(): return 3",
            "def simulate(rng): return {'t': [{'who': 'x'}] * 3}",
        ],
    )
    def test_a_model_seeded_with_a_constant_gives_copies(self, bench: Bench, text: str) -> None:
        assert self.distinct(bench.run(text, 20)) == 1

    def test_a_model_with_five_seeds_gives_five(self, bench: Bench) -> None:
        text = "import numpy as np\ndef simulate(replication): return np.random.default_rng(replication % 5).normal()"
        assert self.distinct(bench.run(text, 40)) == 5
        text = "import numpy as np\ndef simulate(seed): return np.random.default_rng(seed % 5).normal()"
        assert 2 <= self.distinct(bench.run(text, 40)) <= 5

    @pytest.mark.long
    @pytest.mark.parametrize(
        "draw",
        [
            "rng.integers(2)",
            "int(rng.random() < 0.5)",
            "rng.binomial(20, 0.5) / 20",
            "rng.spawn(2)[0].integers(2)",
            "round(rng.random(), 1)",
            "{'t': [{'died': bool(rng.integers(2))}] * 2}",
            "{'a': rng.integers(2), 'b': 0.0}",
        ],
    )
    def test_results_that_repeat_by_chance_are_no_copies(self, bench: Bench, draw: str) -> None:
        assert self.distinct(bench.run(f"def simulate(rng): return {draw}", 60)) == 60
        for argument in ("seed", "replication"):
            text = f"""
                import numpy as np
                def simulate({argument}):
                    rng = np.random.default_rng({argument})
                    return {draw}
            """
            assert self.distinct(bench.run(text, 60)) == 60

    def test_results_of_the_global_generators_that_repeat_by_chance_are_no_copies(self, bench: Bench) -> None:
        for module, draw in (("random", "random.randrange(2)"), ("numpy as np", "int(np.random.randint(2))")):
            assert self.distinct(bench.run(f"import {module}\ndef simulate(): return {draw}", 60)) == 60


def test_a_model_with_threads_is_a_model(bench: Bench) -> None:
    text = """
        import threading
        def simulate(rng):
            found = []
            thread = threading.Thread(target=lambda: found.append(rng.random()))
            thread.start(); thread.join()
            return found[0]
    """
    before = threading.active_count()
    assert bench.values(text, 10) == first_draws(10)
    assert threading.active_count() == before
