"""N replications of any simulation model, in parallel; every result kept, every number reproducible."""

__version__ = "0.1.0"
