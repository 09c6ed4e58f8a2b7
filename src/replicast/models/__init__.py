"""What simulates: Python functions, R functions, command models, and what plug-ins bring."""

from .registry import LanguageKind, language_of, open_model

__all__ = ["LanguageKind", "language_of", "open_model"]
