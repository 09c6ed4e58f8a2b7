"""The version, where even the core can read it."""

__version__ = "0.2.0"
