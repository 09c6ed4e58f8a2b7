"""Text as a terminal may be given it: what others have named, said or logged commands nothing there."""

from __future__ import annotations

KEPT = "\n\t"


def harmless(text: str) -> str:
    """With what a terminal would take for a command, and what turns the order of letters round, shown as its code."""
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in KEPT else code_of(c) for c in text)


def code_of(sign: str) -> str:
    """`\\x1b`, `\\u202e`; a space that is no plain one stays a space."""
    if sign.isspace() and sign not in "\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029":
        return " "
    return f"\\x{ord(sign):02x}" if ord(sign) < 256 else f"\\u{ord(sign):04x}"
