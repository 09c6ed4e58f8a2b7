"""R's L'Ecuyer-CMRG streams, computed without R.

The generator is MRG32k3a: two linear recurrences of order three, one modulo M1 and one modulo M2. A jump of any length
is a product of matrices, so stream 10⁶ costs microseconds. Sources: L'Ecuyer, Simard, Chen and Kelton (2002), "An
object-oriented random-number package with many long streams and substreams", Operations Research 50(6); R's own
`parallel::nextRNGStream` and `RNG_Init` (R sources, src/main/RNG.c), which tests hold this file to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .antithetic import stream_of

if TYPE_CHECKING:
    from .experiment import StreamKind

State = tuple[int, int, int, int, int, int]
"""Three values below M1, then three below M2: R's `.Random.seed` without its first element, unsigned."""
RandomSeed = tuple[int, int, int, int, int, int, int]
"""R's `.Random.seed`: the code of the generators, then the state as signed 32-bit integers."""
Matrix = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]

M1 = 4294967087
M2 = 4294944443
STEP_1: Matrix = ((0, 1, 0), (0, 0, 1), (M1 - 810728, 1403580, 0))
STEP_2: Matrix = ((0, 1, 0), (0, 0, 1), (M2 - 1370589, 0, 527612))
STREAM = 127
"""A stream is 2**127 steps long."""
SUBSTREAM = 76
"""A sub-stream is 2**76 steps long."""
FIRST_NAMED = 2**20
"""The sub-stream of a name is this one, and more by 30 bits of the name's SHA-256."""
SCENARIO = 40
"""Where streams are separate, scenarios are 2**40 streams apart."""
GENERATORS = 10407
"""R's code for kind "L'Ecuyer-CMRG", normal.kind "Inversion", sample.kind "Rejection"."""


def seed_state(seed: int) -> State:
    """The state after `RNGkind("L'Ecuyer-CMRG"); set.seed(seed)`. Any integer counts by its lowest 32 bits."""
    value = seed % 2**32
    for _ in range(50):
        value = _scramble(value)
    state = []
    for _ in range(6):
        value = _scramble(value)
        while value >= M2:
            value = _scramble(value)
        state.append(value)
    return (state[0], state[1], state[2], state[3], state[4], state[5])


def _scramble(value: int) -> int:
    return (69069 * value + 1) % 2**32


def nth_stream(state: State, k: int) -> State:
    """The state after `parallel::nextRNGStream` k times."""
    return _jump(state, STREAM, k)


def nth_substream(state: State, k: int) -> State:
    """The state after `parallel::nextRNGSubStream` k times."""
    return _jump(state, SUBSTREAM, k)


def named_seed(seed: RandomSeed, name: str) -> RandomSeed:
    """Where the stream of a name begins, in a replication that begins at `seed`: r_streams.R has the same in R."""
    number = FIRST_NAMED + (int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) >> 2)
    a, b, c, d, e, f = (word % 2**32 for word in seed[1:])
    return _signed(nth_substream((a, b, c, d, e, f), number))


def _jump(state: State, power: int, times: int) -> State:
    if times < 0:
        raise ValueError(f"a stream cannot be jumped {times} times")
    while times:
        if times & 1:
            state = _apply(_squared(STEP_1, M1, power), _squared(STEP_2, M2, power), state)
        times >>= 1
        power += 1
    return state


def _apply(first: Matrix, second: Matrix, state: State) -> State:
    a, b, c, d, e, f = state
    (p, q, r), (s, t, u), (v, w, x) = first
    (g, h, i), (j, k, m), (n, o, y) = second
    return (
        (p * a + q * b + r * c) % M1, (s * a + t * b + u * c) % M1, (v * a + w * b + x * c) % M1,
        (g * d + h * e + i * f) % M2, (j * d + k * e + m * f) % M2, (n * d + o * e + y * f) % M2,
    )  # fmt: skip


@cache
def _squared(step: Matrix, modulus: int, times: int) -> Matrix:
    """`step` to the power of 2**times."""
    if times == 0:
        return step
    root = _squared(step, modulus, times - 1)
    columns = tuple(zip(*root, strict=True))
    rows = [[sum(a * b for a, b in zip(row, column, strict=True)) % modulus for column in columns] for row in root]
    return (
        (rows[0][0], rows[0][1], rows[0][2]),
        (rows[1][0], rows[1][1], rows[1][2]),
        (rows[2][0], rows[2][1], rows[2][2]),
    )


def random_seed(
    seed: int, kind: StreamKind, replication: int, scenario_index: int, common: bool, antithetic: bool = False
) -> RandomSeed | None:
    """R's `.Random.seed` for a replication, or None where the model seeds itself.

    Where scenarios do not share random numbers, scenario j (from 0) begins j·2⁴⁰ streams further on, so that the first
    scenario keeps the shared ones. It is never a sub-stream: a model takes those for sources of its own.
    """
    if kind == "own":
        return None
    return _signed(_start(seed, kind, stream_of(replication, antithetic), scenario_index, common))


def random_seeds(
    seed: int, kind: StreamKind, first: int, last: int, scenario_index: int, common: bool
) -> Iterator[RandomSeed | None]:
    """`random_seed` of the replications first to last, both included, one jump each."""
    if kind == "own":
        yield from (None for _ in range(first, last + 1))
        return
    state = _start(seed, kind, first, scenario_index, common)
    jump_1, jump_2 = _squared(STEP_1, M1, STREAM), _squared(STEP_2, M2, STREAM)
    for replication in range(first, last + 1):
        yield _signed(state)
        if replication < last:
            state = _apply(jump_1, jump_2, state)


def random_seed_block(
    seed: int, kind: StreamKind, first: int, last: int, scenario_index: int, common: bool, antithetic: bool = False
) -> NDArray[np.int32]:
    """`random_seed` of the replications first to last as rows of seven; for thousands of them 10 times as fast."""
    if antithetic:
        start = stream_of(first, antithetic)
        block = random_seed_block(seed, kind, start, last, scenario_index, common)
        return block[[stream_of(number, antithetic) - start for number in range(first, last + 1)]]
    count = last - first + 1
    states = np.empty((6, count), dtype=np.uint64)
    states[:, 0] = _start(seed, kind, first, scenario_index, common)
    known, power = 1, STREAM
    while known < count:
        more = min(known, count - known)
        states[:, known : known + more] = _apply_all(power, states[:, :more])
        known, power = known + more, power + 1
    block = np.empty((count, 7), dtype=np.int32)
    block[:, 0] = GENERATORS
    block[:, 1:] = states.T.astype(np.uint32).view(np.int32)
    return block


def _apply_all(power: int, states: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`states`, in columns, 2**power steps on. A product of two values fits into 64 bits, a sum of two may not."""
    rows = []
    for step, modulus, values in ((STEP_1, M1, states[:3]), (STEP_2, M2, states[3:])):
        matrix = np.array(_squared(step, modulus, power), dtype=np.uint64)
        rows += [(row[:, None] * values % np.uint64(modulus)).sum(axis=0) % np.uint64(modulus) for row in matrix]
    return np.array(rows)


def _start(seed: int, kind: StreamKind, replication: int, scenario_index: int, common: bool) -> State:
    streams = replication if kind == "parallel" else replication - 1
    streams += 0 if common else scenario_index << SCENARIO
    return nth_substream(nth_stream(seed_state(seed), streams), 1 if kind == "future" else 0)


def _signed(state: State) -> RandomSeed:
    a, b, c, d, e, f = ((value + 2**31) % 2**32 - 2**31 for value in state)
    return (GENERATORS, a, b, c, d, e, f)
