"""Stacks beside a stack, which are made only where they are asked for: `<stack>-batch`, `<stack>-build`."""

from __future__ import annotations

from typing import ClassVar, Self

from .stack import Stack


class Beside(Stack):
    suffix: ClassVar[str]
    of: str

    @classmethod
    def beside(cls, stack: Stack) -> Self:
        """Of `stack`, as which it tells, waits and is tagged."""
        made = cls(stack.aws, stack.name, stack.tell)
        made.of, made.name = stack.name, f"{stack.name}-{cls.suffix}"
        made.poll_seconds, made.tags = stack.poll_seconds, stack.tags
        return made

    def remove(self) -> bool:
        """False if there is none."""
        if not self.state().exists:
            return False
        self._delete()
        return True
