"""Public conformance suites: what every store, executor and model must do, to be run against one's own."""

from .executors import check_executor
from .models import check_model
from .places import check_place
from .stores import CHECKS as STORE_CHECKS
from .stores import check_store

__all__ = ["STORE_CHECKS", "check_executor", "check_model", "check_place", "check_store"]
