"""What simulates: Python functions, R functions, command models, and what plug-ins bring."""

from .registry import (
    LanguageKind,
    check_seed,
    language_by_suffix,
    language_of,
    language_of_file,
    language_or_any,
    open_model,
    suffixes,
)

__all__ = [
    "LanguageKind", "check_seed", "language_by_suffix", "language_of", "language_of_file", "language_or_any",
    "open_model", "suffixes",
]  # fmt: skip
