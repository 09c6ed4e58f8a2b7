"""Random number streams of Python models: replication i of seed s runs on `SeedSequence(s, spawn_key=(i-1,))`.

Separate streams (`common = false`) put the scenario's place first: `spawn_key=(j, i-1)` for scenario j, from 0.

numpy takes 20 µs to build one such generator. `stream_states` computes the same words for many replications at once,
by the algorithm of numpy's `SeedSequence` (O'Neill's seed_seq_fe, `numpy/random/bit_generator.pyx`).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.random.bit_generator import ISpawnableSeedSequence
from numpy.typing import NDArray

from .antithetic import is_mirrored, stream_of

POOL_SIZE = 4
INIT_A, MULTIPLY_A = 0x43B0D7E5, 0x931E8875
INIT_B, MULTIPLY_B = 0x8B51F9DD, 0x58F38DED
MIX_LEFT, MIX_RIGHT = 0xCA01F9DD, 0x4973F715
MASK_32 = 0xFFFFFFFF
MASK_63 = (1 << 63) - 1
PCG_HIGH, PCG_LOW = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)

Words = NDArray[np.uint32]
Words64 = NDArray[np.uint64]
Halves = tuple[Words64, Words64]
"""The upper and the lower 64 bits of numbers of 128."""


def spawn_key(replication: int, scenario_index: int, common: bool) -> tuple[int, ...]:
    return (replication - 1,) if common else (scenario_index, replication - 1)


def seed_sequence(seed: int, replication: int, scenario_index: int = 0, common: bool = True) -> SeedSequence:
    return SeedSequence(seed, spawn_key=spawn_key(replication, scenario_index, common))


def model_seed(seed: int, replication: int, scenario_index: int = 0, common: bool = True) -> int:
    """The integer `seed` of one replication: 63 bits, not negative. A negative experiment seed counts modulo 2³²."""
    sequence = seed_sequence(seed % 2**32 if seed < 0 else seed, replication, scenario_index, common)
    return int(sequence.generate_state(1, np.uint64)[0]) & MASK_63


@dataclass(frozen=True, slots=True)
class StreamBlock:
    """What the streams of consecutive replications start from, a row each.

    `words` seed a PCG64, `first_outputs` are the first it draws, and `spawn_key(place)` tells it from the others.
    """

    entropy: int
    before: tuple[int, ...]
    first: int
    words: Words64
    first_outputs: list[int]

    def spawn_key(self, place: int) -> tuple[int, ...]:
        return (*self.before, self.first - 1 + place)


class LazySeedSequence(ISpawnableSeedSequence):
    """Stands for the `SeedSequence` of one place of a block, with the words that seed a PCG64 computed beforehand.

    Whatever else is asked of it (`spawn`, `entropy`, other words, a copy) goes to the real one, built when first
    needed.
    """

    __slots__ = ("_block", "_place", "_real")

    def __init__(self, block: StreamBlock, place: int) -> None:
        self._block, self._place = block, place
        self._real: SeedSequence | None = None

    @property
    def real(self) -> SeedSequence:
        if self._real is None:
            self._real = SeedSequence(self._block.entropy, spawn_key=self._block.spawn_key(self._place))
        return self._real

    def generate_state(self, n_words, dtype=np.uint32):  # type: ignore[no-untyped-def]
        if n_words == POOL_SIZE and dtype is np.uint64:
            return self._block.words[self._place]
        return self.real.generate_state(n_words, dtype)

    def spawn(self, n_children):  # type: ignore[no-untyped-def]
        return self.real.spawn(n_children)

    def __reduce__(self) -> str | tuple[object, ...]:
        return self.real.__reduce__()

    def is_untouched(self, output: int) -> bool:
        """Whether `output` is the first of its generator, and no other streams may have been derived from it."""
        return output == self._block.first_outputs[self._place] and self._real is None

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


class StreamGenerator(Generator):
    """What a model is given as `rng`: numpy's Generator, draw for draw, that also has streams by name."""

    def stream(self, name: str) -> StreamGenerator:
        """The stream of that name: the same object each time, which goes on where it was.

        Its spawn key is this one's and the eight 32-bit words of SHA-256(name), so that another source that is added,
        before or after, changes no draw of this one.
        """
        if not isinstance(name, str) or not name:
            raise TypeError(f"a stream has a name, such as 'arrivals', and {name!r} is none")
        streams: dict[str, StreamGenerator] = self.__dict__.setdefault("_streams", {})
        if name not in streams:
            sequence: Any = self.bit_generator.seed_seq
            key = (*sequence.spawn_key, *name_words(name))
            made = StreamGenerator(type(self.bit_generator)(SeedSequence(sequence.entropy, spawn_key=key)))
            mirrored(made, self)
            streams[name] = made
        return streams[name]

    def uniforms(self, size: int | tuple[int, ...] | None = None) -> Any:
        """Uniforms between 0 and 1, neither included, for a model that draws by inversion; one, if no size is given.

        In a mirrored replication (`antithetic`) they are 1 less what its other half draws, to the last bit.
        """
        drawn = np.maximum(self.random(size), LEAST_UNIFORM)
        found = 1.0 - drawn if self.__dict__.get("_mirrored") else drawn
        return float(found) if size is None else found

    def spawn(self, n_children: int) -> list[Generator]:
        """Children, as numpy's; those of a mirrored one are mirrored."""
        return [mirrored(child, self) for child in super().spawn(n_children)]

    def __reduce__(self) -> Any:
        return restored, (self.bit_generator, dict(self.__dict__))


LEAST_UNIFORM = 2.0**-53
"""What stands for a uniform of 0, so that 1 less it is exact and below 1."""


def mirrored(rng: Generator, other: Generator) -> Generator:
    """`rng`, which mirrors its uniforms if the other does."""
    if other.__dict__.get("_mirrored"):
        rng.__dict__["_mirrored"] = True
    return rng


def restored(bit_generator: Any, own: dict[str, Any]) -> StreamGenerator:
    """A copied or unpickled one."""
    rng = StreamGenerator(bit_generator)
    rng.__dict__.update(own)
    return rng


def name_words(name: str) -> tuple[int, ...]:
    """The eight words of a name's SHA-256, the first bytes first."""
    return struct.unpack(">8I", hashlib.sha256(name.encode()).digest())


def drawn(rng: Generator) -> int:
    """A 63-bit fingerprint of a generator from `generators`: 0 if nothing was drawn from it or from its children.

    It is the generator's next output, which is drawn: only a generator that nobody needs any more may be asked.
    """
    generator = rng.bit_generator
    output: int = generator.random_raw()
    return 0 if generator.seed_seq.is_untouched(output) else output & MASK_63  # type: ignore[attr-defined]


def first_outputs(words: Words64) -> Words64:
    """The first 64 bits of PCG64s that are seeded with rows of four words (`pcg_setseq_128_srandom_r`, XSL-RR)."""
    start, increment = (words[:, 0], words[:, 1]), _doubled_plus_one(words[:, 2], words[:, 3])
    high, low = _next_state(_next_state(_sum(start, increment), increment), increment)
    right, mixed = high >> np.uint64(58), high ^ low
    turned: Words64 = np.bitwise_or(mixed >> right, mixed << ((np.uint64(64) - right) & np.uint64(63)))
    return turned


def _next_state(state: Halves, increment: Halves) -> Halves:
    """state * PCG_MULTIPLIER + increment, modulo 2**128."""
    high, low = state
    product = _high_half(low, PCG_LOW) + high * PCG_LOW + low * PCG_HIGH, low * PCG_LOW
    return _sum(product, increment)


def _sum(left: Halves, right: Halves) -> Halves:
    low = left[1] + right[1]
    return left[0] + right[0] + (low < left[1]).astype(np.uint64), low


def _doubled_plus_one(high: Words64, low: Words64) -> Halves:
    return high << np.uint64(1) | low >> np.uint64(63), low << np.uint64(1) | np.uint64(1)


def _high_half(left: Words64, right: np.uint64) -> Words64:
    """The upper 64 bits of each product, from products of 32 bits each."""
    half, mask = np.uint64(32), np.uint64(MASK_32)
    left_high, left_low, right_high, right_low = left >> half, left & mask, right >> half, right & mask
    middle = left_high * right_low + (left_low * right_low >> half)
    other = left_low * right_high + (middle & mask)
    upper: Words64 = left_high * right_high + (middle >> half) + (other >> half)
    return upper


def generators(
    seed: int, first: int, last: int, scenario_index: int = 0, common: bool = True, antithetic: bool = False
) -> tuple[Iterator[Generator], list[int]]:
    """For replications first..last: the generator `rng`, made when its turn comes, and the integer `seed` of each.

    `antithetic`: those of 2i are mirrored ones of 2i - 1.
    """
    start = stream_of(first, antithetic)
    states = stream_states(seed, start, last, scenario_index, common)
    block = StreamBlock(seed, () if common else (scenario_index,), start, states, first_outputs(states).tolist())
    numbers, seeds = range(first, last + 1), _seeds(states)
    if not antithetic:
        # written out: for a quick model, each call made here is a tenth of its time
        return (StreamGenerator(PCG64(LazySeedSequence(block, i))) for i in range(len(states))), seeds  # type: ignore[arg-type]
    made = (_generator(block, stream_of(i, antithetic) - start, is_mirrored(i, antithetic)) for i in numbers)
    return made, [seeds[stream_of(i, antithetic) - start] for i in numbers]


def _generator(block: StreamBlock, place: int, is_other_half: bool) -> StreamGenerator:
    made = StreamGenerator(PCG64(LazySeedSequence(block, place)))  # type: ignore[arg-type]
    if is_other_half:
        made.__dict__["_mirrored"] = True
    return made


def stream_seeds(
    seed: int, first: int, last: int, scenario_index: int = 0, common: bool = True, antithetic: bool = False
) -> list[int]:
    """The integer `seed` of replications first..last, as `model_seed` gives each that of `stream_of` it."""
    entropy, start = seed % 2**32 if seed < 0 else seed, stream_of(first, antithetic)
    seeds = _seeds(stream_states(entropy, start, last, scenario_index, common))
    return [seeds[stream_of(i, antithetic) - start] for i in range(first, last + 1)] if antithetic else seeds


def _seeds(states: Words64) -> list[int]:
    return (states[:, 0] & np.uint64(MASK_63)).tolist()  # type: ignore[no-any-return]


def stream_states(seed: int, first: int, last: int, scenario_index: int = 0, common: bool = True) -> Words64:
    """The words `SeedSequence(...).generate_state(4, uint64)` of replications first..last: shape (last-first+1, 4)."""
    if last > 2**32:
        raise ValueError("replications are numbered up to 2**32")
    head = _words_of(seed)
    head += [0] * (POOL_SIZE - len(head))
    if not common:
        head += _words_of(scenario_index)
    pool, constant = _mix_scalars(head)
    return _generate(_absorb(pool, constant, np.arange(first - 1, last, dtype=np.uint32)))


def _words_of(number: int) -> list[int]:
    words = [number & MASK_32]
    while number := number >> 32:
        words.append(number & MASK_32)
    return words


def _hash(value: int, constant: int) -> tuple[int, int]:
    value ^= constant
    constant = constant * MULTIPLY_A & MASK_32
    value = value * constant & MASK_32
    return value ^ value >> 16, constant


def _mix(left: int, right: int) -> int:
    mixed = (MIX_LEFT * left - MIX_RIGHT * right) & MASK_32
    return mixed ^ mixed >> 16


def _mix_scalars(entropy: Sequence[int]) -> tuple[list[int], int]:
    """The pool after all words that the replications share, and the running hash constant."""
    constant, pool = INIT_A, [0] * POOL_SIZE
    for i in range(POOL_SIZE):
        pool[i], constant = _hash(entropy[i], constant)
    for source in range(POOL_SIZE):
        for target in range(POOL_SIZE):
            if source != target:
                hashed, constant = _hash(pool[source], constant)
                pool[target] = _mix(pool[target], hashed)
    for word in entropy[POOL_SIZE:]:
        for target in range(POOL_SIZE):
            hashed, constant = _hash(word, constant)
            pool[target] = _mix(pool[target], hashed)
    return pool, constant


def _absorb(pool: Sequence[int], constant: int, last_word: Words) -> list[Words]:
    """The pools of many sequences that differ in their last word alone."""
    pools = []
    for target in range(POOL_SIZE):
        value = last_word ^ np.uint32(constant)
        constant = constant * MULTIPLY_A & MASK_32
        value *= np.uint32(constant)
        value ^= value >> np.uint32(16)
        mixed = np.uint32(MIX_LEFT * pool[target] & MASK_32) - np.uint32(MIX_RIGHT) * value
        pools.append(mixed ^ mixed >> np.uint32(16))
    return pools


def _generate(pools: Sequence[Words]) -> Words64:
    constant = INIT_B
    words = np.empty((len(pools[0]), 2 * POOL_SIZE), dtype="<u4")
    for i in range(2 * POOL_SIZE):
        value = pools[i % POOL_SIZE] ^ np.uint32(constant)
        constant = constant * MULTIPLY_B & MASK_32
        value *= np.uint32(constant)
        words[:, i] = value ^ value >> np.uint32(16)
    return words.view("<u8").astype(np.uint64, copy=False)
