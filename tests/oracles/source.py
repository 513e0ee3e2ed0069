"""Reading source text as a syntax tree."""

from __future__ import annotations

import ast
import gc


def parse(source: str) -> ast.Module:
    """``ast.parse``, while the garbage collector waits.

    CPython up to 3.11.7 loses count of its recursion when a collection calls Python code while the
    tree is being made, and raises ``SystemError`` (python/cpython#106905).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if was_enabled:
            gc.enable()
