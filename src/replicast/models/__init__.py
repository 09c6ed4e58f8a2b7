"""What simulates: Python functions, R functions, command models, and what plug-ins bring."""

from .registry import LanguageKind, language_by_suffix, language_of, open_model, suffixes

__all__ = ["LanguageKind", "language_by_suffix", "language_of", "open_model", "suffixes"]
