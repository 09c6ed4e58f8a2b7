import json
import os
import shlex
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from arro3.core import Table

from replicast.core.errors import ModelError
from replicast.core.experiment import Collation, Experiment, ModelReference, Streams
from replicast.core.replication import LOG_LIMIT, Outcome
from replicast.core.scenarios import Scenario
from replicast.core.streams import model_seed
from replicast.models.command import CommandModel, find_program
from replicast.models.tables import LEFT_OUT

SEED = 42


def experiment(*command: str, parameters: dict | None = None, collate: tuple[str, ...] = ()) -> Experiment:
    reference = ModelReference("command", command=command)
    collation = Collation(command=collate) if collate else None
    return Experiment(reference, (Scenario("base", parameters or {}),), SEED, collation=collation)


class Bench:
    """A command model in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.folder, self.scratch = root / "model", root / "scratch"
        self.folder.mkdir()

    def model(self, *command: str, timeout: float | None = None, **more: object) -> CommandModel:
        own = experiment(*command, **more)  # type: ignore[arg-type]
        return CommandModel(self.folder, own, timeout_seconds=timeout, scratch=self.scratch)

    def run(self, *command: str, first: int = 1, last: int = 1, **more: object) -> list[Outcome]:
        model = self.model(*command, **more)  # type: ignore[arg-type]
        with model.start() as simulate:
            return list(simulate(model.experiment.scenarios[0], first, last, lambda _replication: None))

    def once(self, *command: str, **more: object) -> Outcome:
        (outcome,) = self.run(*command, **more)
        return outcome

    def shell(self, script: str, **more: object) -> Outcome:
        return self.once("sh", "-c", script.replace("{", "{{").replace("}", "}}").replace("OUT", "{out}"), **more)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def columns_of(table: Table) -> dict[str, list]:
    return {name: table.column(name).to_pylist() for name in table.column_names}


def kept(outcome: Outcome) -> dict[str, bytes]:
    assert outcome.folder is not None
    folder = Path(outcome.folder)
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_placeholder_is_filled_wherever_it_stands_in_an_argument(bench: Bench) -> None:
    code = "import json, sys; json.dump(sys.argv[1:], open(sys.argv[1] + '/arguments.txt', 'w'))"
    arguments = ["{out}", "--id={replication}:{scenario}", "{seed}", "{params.beds}", "{params.name}{params.slow}",
                 "{params_json}", "{{literal}}", "", "two words; $HOME"]  # fmt: skip
    parameters = {"beds": 12, "rate": 1.0, "name": "ward A", "slow": True, "none": None}
    outcome = bench.once(sys.executable, "-c", code, *arguments, parameters=parameters, first=17, last=17)
    assert outcome.failure is None
    given = json.loads(kept(outcome)["arguments.txt"])
    assert given[0] == outcome.folder
    assert given[1:5] == ["--id=17:base", str(model_seed(SEED, 17)), "12", "ward Atrue"]
    assert json.loads(given[5]) == parameters
    assert given[6:] == ["{literal}", "", "two words; $HOME"]


def test_the_parameters_file_holds_the_scenarios_parameters_as_json(bench: Bench) -> None:
    parameters = {"beds": 12, "rate": 1.0, "names": ["a", "ü"]}
    outcome = bench.once("sh", "-c", 'cp "$0" "$1/copy.txt"', "{params_file}", "{out}", parameters=parameters)
    assert json.loads(kept(outcome)["copy.txt"]) == parameters


def test_the_seed_is_the_integer_seed_of_the_replication_and_differs_between_replications(bench: Bench) -> None:
    outcomes = bench.run("echo", "{seed}", first=1, last=3)
    assert [outcome.metrics["value"] for outcome in outcomes] == [model_seed(SEED, i) for i in (1, 2, 3)]


def test_separate_streams_give_each_scenario_other_seeds(bench: Bench) -> None:
    scenarios = (Scenario("a", {}, 0), Scenario("b", {}, 1))
    own = Experiment(ModelReference("command", command=("echo", "{seed}")), scenarios, SEED, Streams(common=False))
    with CommandModel(bench.folder, own, timeout_seconds=None, scratch=bench.scratch).start() as simulate:
        found = [next(iter(simulate(s, 1, 1, lambda _: None))).metrics["value"] for s in scenarios]
    assert found == [model_seed(SEED, 1, 0, False), model_seed(SEED, 1, 1, False)]


def test_a_seed_for_r_fits_into_31_bits(bench: Bench) -> None:
    program = bench.folder / "Rscript"
    program.write_text('#!/bin/sh\necho "$1"\n')
    program.chmod(0o755)
    outcomes = bench.run(str(program), "{seed}", first=1, last=20)
    assert [outcome.metrics["value"] for outcome in outcomes] == [model_seed(SEED, i) % 2**31 for i in range(1, 21)]


def test_the_environment_says_replication_and_seed_and_keeps_threads_at_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    monkeypatch.setenv("REPLICAST_WORKER", "token.1")
    outcome = bench.once("sh", "-c", "env > {out}/env.txt", first=5, last=5)
    lines = kept(outcome)["env.txt"].decode().splitlines()
    assert "REPLICAST_REPLICATION=5" in lines
    assert f"REPLICAST_SEED={model_seed(SEED, 5)}" in lines
    assert "OMP_NUM_THREADS=1" in lines
    assert "MKL_NUM_THREADS=3" in lines
    assert "REPLICAST_WORKER=token.1" in lines


def test_the_command_runs_in_the_model_folder_with_no_input(bench: Bench) -> None:
    outcome = bench.once("sh", "-c", "pwd -P; cat; echo 1")
    assert outcome.metrics == {"value": 1}
    assert outcome.log == f"{bench.folder.resolve()}\n1\n"


def test_files_in_out_become_metrics_tables_and_artefacts(bench: Bench) -> None:
    script = """
        echo '{"wait": 1.5, "n": 3}' > OUT/metrics.json
        printf 'arrival,ward\\n0.5,A\\n1.5,B\\n' > OUT/patients.csv
        mkdir OUT/plots; echo picture > OUT/plots/day.svg; echo object > OUT/1.envs.RDS
    """
    outcome = bench.shell(script)
    assert outcome.metrics == {"wait": 1.5, "n": 3}
    assert columns_of(outcome.tables["patients"]) == {"arrival": [0.5, 1.5], "ward": ["A", "B"]}
    assert kept(outcome) == {"1.envs.RDS": b"object\n", "plots/day.svg": b"picture\n"}


def test_what_a_command_s_table_calls_as_we_do_is_left_out_with_a_note(bench: Bench) -> None:
    outcome = bench.shell("printf 'replication,scenario,x\\n5,base,1\\n5,base,2\\n' > OUT/t.csv")
    assert outcome.tables["t"].column_names == ["x"]
    assert outcome.notes == (f"the model's own column 'replication' of table 't' {LEFT_OUT}",)


def test_every_replication_has_an_empty_folder_of_its_own(bench: Bench) -> None:
    outcomes = bench.run("sh", "-c", "ls {out} > {out}/before.txt", first=1, last=3)
    assert len({outcome.folder for outcome in outcomes}) == 3
    assert all(kept(outcome) == {"before.txt": b"before.txt\n"} for outcome in outcomes)


def test_a_replication_without_artefacts_leaves_no_folder(bench: Bench) -> None:
    outcome = bench.shell("echo '{\"x\": 1}' > OUT/metrics.json")
    assert outcome.folder is None
    assert not list(bench.scratch.glob("out-*"))


def test_a_number_on_the_last_line_is_the_metric_value(bench: Bench) -> None:
    outcome = bench.once("sh", "-c", "echo starting; echo 2.5; echo noise 7 >&2; echo")
    assert outcome.metrics == {"value": 2.5}


def test_a_number_on_standard_error_is_not_taken_for_the_result(bench: Bench) -> None:
    outcome = bench.once("sh", "-c", "echo done; echo 99 >&2")
    assert outcome.failure is not None
    assert outcome.failure.type == "UnusableResult"
    assert "'done'" in outcome.failure.message


def test_a_printed_number_counts_only_where_no_file_was_left(bench: Bench) -> None:
    assert bench.shell("echo x > OUT/model.bin; echo 5").metrics == {}


def test_a_command_that_leaves_nothing_at_all_fails(bench: Bench) -> None:
    failure = bench.once("true").failure
    assert failure is not None
    assert (failure.kind, failure.type) == ("error", "UnusableResult")
    assert "left no file in {out}" in failure.message


def test_an_exit_status_other_than_0_is_a_failure_with_the_end_of_the_log(bench: Bench) -> None:
    outcome = bench.shell("echo '{\"x\": 1}' > OUT/metrics.json; echo opened; echo no such ward >&2; exit 3")
    failure = outcome.failure
    assert failure is not None
    assert (failure.kind, failure.type) == ("error", "ExitStatus")
    assert failure.message == "the command ended with exit status 3"
    assert failure.traceback == "opened\nno such ward"
    assert outcome.metrics == {}
    assert outcome.folder is None


def test_the_other_replications_of_a_batch_go_on_after_a_failure(bench: Bench) -> None:
    script = "test {replication} -ne 2 && echo {replication}"
    outcomes = bench.run("sh", "-c", script, first=1, last=3)
    assert [outcome.failure is None for outcome in outcomes] == [True, False, True]
    assert outcomes[2].metrics == {"value": 3}


def test_a_command_that_a_signal_ends_has_died_of_it(bench: Bench) -> None:
    failure = bench.once("sh", "-c", "kill -SEGV $$").failure
    assert failure is not None
    assert (failure.kind, failure.type) == ("died", "SIGSEGV")
    assert failure.message == "the command was ended by SIGSEGV"


def test_running_out_of_memory_is_hinted_at(bench: Bench) -> None:
    failure = bench.once("sh", "-c", "kill -KILL $$").failure
    assert failure is not None
    assert "memory" in failure.message


def test_a_command_that_cannot_be_executed_is_a_failure_that_says_why(bench: Bench) -> None:
    program = bench.folder / "model"
    program.write_bytes(b"\x00\x01 no program")
    program.chmod(0o755)
    failure = bench.once("./model").failure
    assert failure is not None
    assert (failure.kind, failure.type) == ("error", "CannotStart")
    assert "Exec format error" in failure.message


def test_at_the_timeout_the_whole_tree_is_ended(bench: Bench, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = f"(exec 3> {shlex.quote(str(fifo))}; sleep 600 & sleep 600) & echo started; wait"
    ends_of_file: list[bytes] = []
    reader = threading.Thread(target=lambda: ends_of_file.append(fifo.read_bytes()))
    reader.start()
    outcome = bench.once("sh", "-c", script, timeout=0.5)
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.type) == ("timeout", "Timeout")
    assert outcome.failure.message == "the replication took longer than 0.5 seconds"
    assert outcome.log == "started\n"
    reader.join(timeout=30)
    assert ends_of_file == [b""], "a descendant still holds the pipe"


def test_what_a_command_leaves_running_is_ended_with_it(bench: Bench, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    ends_of_file: list[bytes] = []
    reader = threading.Thread(target=lambda: ends_of_file.append(fifo.read_bytes()))
    reader.start()
    outcome = bench.once("sh", "-c", f"exec 3> {shlex.quote(str(fifo))}; sleep 600 & exec 3>&-; echo 1")
    assert outcome.metrics == {"value": 1}
    reader.join(timeout=30)
    assert ends_of_file == [b""], "a descendant still holds the pipe"


class Stopped(BaseException):
    pass


def test_a_worker_that_is_told_to_stop_ends_its_command(bench: Bench, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    ends_of_file: list[bytes] = []

    def interrupt_when_started() -> None:
        with fifo.open("rb") as pipe:
            pipe.readline()
            os.kill(os.getpid(), signal.SIGUSR1)
            ends_of_file.append(pipe.read())

    def stop(*_: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGUSR1, stop)
    reader = threading.Thread(target=interrupt_when_started)
    reader.start()
    try:
        with pytest.raises(Stopped):
            bench.once("sh", "-c", f"exec 3> {shlex.quote(str(fifo))}; echo started >&3; sleep 600")
        reader.join(timeout=30)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ends_of_file == [b""], "the command still holds the pipe"


def test_the_log_keeps_the_end_of_what_was_printed(bench: Bench) -> None:
    outcome = bench.once("sh", "-c", "yes line | head -n 100000; echo last 1>&2; echo 7")
    assert outcome.metrics == {"value": 7}
    assert len(outcome.log) <= LOG_LIMIT
    assert outcome.log.endswith("line\n7\nlast\n")


def test_a_log_in_another_encoding_is_still_shown(bench: Bench) -> None:
    outcome = bench.once("sh", "-c", r"printf 'caf\351\n'; echo 1")
    assert outcome.log == "caf\ufffd\n1\n"


def test_each_replication_is_announced_right_before_it_starts(bench: Bench) -> None:
    model = bench.model("echo", "{replication}")
    events: list[tuple[str, int]] = []
    with model.start() as simulate:
        outcomes = simulate(model.experiment.scenarios[0], 3, 5, lambda i: events.append(("start", i)))
        events.extend(("end", outcome.replication) for outcome in outcomes)
    assert events == [(kind, i) for i in (3, 4, 5) for kind in ("start", "end")]


def test_seconds_are_those_of_the_command(bench: Bench) -> None:
    start = time.perf_counter()
    outcome = bench.once("echo", "1")
    assert 0 < outcome.seconds < time.perf_counter() - start


def test_equal_results_of_different_seeds_are_no_copies(bench: Bench) -> None:
    seeded = bench.run("sh", "-c", "echo 1", "{seed}", first=1, last=2)
    assert seeded[0].draws != seeded[1].draws
    unseeded = bench.run("sh", "-c", "echo 1", first=1, last=2)
    assert unseeded[0].draws == unseeded[1].draws == 0


def test_a_command_takes_the_parameters_that_it_names_and_no_others(bench: Bench) -> None:
    signature = bench.model("echo", "{params.beds}", "{seed}", "{params.beds}").describe()
    assert [(p.name, p.required) for p in signature.parameters] == [("beds", True)]
    assert not signature.takes_any
    assert signature.uses == ("seed",)
    assert not signature.has_collate


@pytest.mark.parametrize("placeholder", ["{params_json}", "{params_file}"])
def test_a_command_that_takes_all_parameters_takes_any(bench: Bench, placeholder: str) -> None:
    assert bench.model("echo", placeholder).describe().takes_any


def test_what_the_collate_command_takes_is_taken_too(bench: Bench) -> None:
    signature = bench.model("echo", "1", collate=("cat", "{params.level}", "{params_file}")).describe()
    assert [p.name for p in signature.parameters] == ["level"]
    assert signature.takes_any
    assert signature.has_collate


def test_a_parameter_that_the_scenario_does_not_have_is_refused_before_anything_runs(bench: Bench) -> None:
    with (
        pytest.raises(ModelError, match=r"'\{params.bed\}' .*did you mean 'beds'"),
        bench.model("touch", "ran", "{params.bed}", parameters={"beds": 3}).start(),
    ):
        pass
    assert not (bench.folder / "ran").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ((), "the command is empty"),
        (("",), "the command is empty"),
        (("echo", "{replicaton}"), r"'\{replicaton\}' is no placeholder \(did you mean 'replication'\?\)"),
        (("echo", "{params.}"), "is no placeholder"),
        (("awk", "{ print $1 }"), r"'\{ print \$1 \}' is no placeholder .*a literal brace is written \{\{ or \}\}"),
        (("echo", "a } b"), "a brace without its partner"),
        (("no-such-program-at-all",), "there is no program 'no-such-program-at-all'"),
        (("./missing.sh",), "there is no program './missing.sh'"),
    ],
)
def test_a_command_that_cannot_be_right_is_refused(bench: Bench, command: tuple[str, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        bench.model(*command).describe()


def test_the_collate_command_is_checked_as_well(bench: Bench) -> None:
    with pytest.raises(ModelError, match=r"'\{artifacts\}' is no placeholder \(did you mean 'artefacts'\?\)"):
        bench.model("echo", "1", collate=("cat", "{artifacts}")).describe()
    with pytest.raises(ModelError, match="there is no program 'no-such-combine'"):
        bench.model("echo", "1", collate=("no-such-combine",)).describe()


def test_a_program_is_looked_for_on_the_path_and_then_beside_the_model(bench: Bench) -> None:
    (bench.folder / "walk").write_text("#!/bin/sh\necho 4\n")
    (bench.folder / "walk").chmod(0o755)
    (bench.folder / "echo").write_text("#!/bin/sh\necho 5\n")
    (bench.folder / "echo").chmod(0o755)
    assert bench.once("walk").metrics == {"value": 4}
    assert bench.once("echo", "6").metrics == {"value": 6}
    assert bench.once("./echo", "6").metrics == {"value": 5}
    with pytest.raises(ModelError, match=r"did you mean 'walk'"):
        find_program("wlak", bench.folder)


def test_a_program_of_the_model_that_lost_its_permission_on_the_way_is_given_it_back(bench: Bench) -> None:
    (bench.folder / "walk").write_text("#!/bin/sh\necho 4\n")
    (bench.folder / "walk").chmod(0o644)
    assert bench.once("./walk").metrics == {"value": 4}


def test_the_collate_command_gets_artefacts_parameters_and_a_folder_for_its_results(
    bench: Bench, tmp_path: Path
) -> None:
    artefacts = tmp_path / "artefacts"
    artefacts.mkdir()
    for i in (1, 2):
        (artefacts / f"{i}.txt").write_text(f"{i}\n")
    script = 'cat "$0"/*.txt > "$2/results.csv"; cp "$1" "$2/parameters.txt"; echo "$3" "$4" > "$2/given.txt"'
    collate = ("sh", "-c", script, "{artefacts}", "{params_file}", "{out}", "{params.beds}", "{scenario}")
    parameters = {"beds": 12}
    out = tmp_path / "results"
    bench.model("true", collate=collate, parameters=parameters).collate(artefacts, out, parameters, "base")
    assert (out / "results.csv").read_text() == "1\n2\n"
    assert json.loads((out / "parameters.txt").read_text()) == parameters
    assert (out / "given.txt").read_text() == "12 base\n"


def test_a_collate_command_that_fails_says_so_with_its_log(bench: Bench, tmp_path: Path) -> None:
    model = bench.model("true", collate=("sh", "-c", "echo no objects >&2; exit 4"))
    with pytest.raises(ModelError, match="the collate command ended with exit status 4") as caught:
        model.collate(tmp_path, tmp_path / "out", {})
    assert caught.value.detail == "no objects\n"
