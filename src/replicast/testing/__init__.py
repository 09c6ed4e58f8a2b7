"""Public conformance suites: what every store must do, to be run against one's own."""

from .stores import CHECKS as STORE_CHECKS
from .stores import check_store

__all__ = ["STORE_CHECKS", "check_store"]
