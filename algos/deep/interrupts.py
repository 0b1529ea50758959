"""Ctrl-C that waits for the end of the episode, where a checkpoint resumes exactly."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Interrupt:
    """Remember that Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.pending = False

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """Note the first Ctrl-C; the second one interrupts at once, in case an episode never ends."""
        if self.pending:
            signal.default_int_handler(signum, frame)
        self.pending = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.pending:
            raise KeyboardInterrupt


@contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Hold back KeyboardInterrupt until `check` is called.

    Only Python's own handler, in the main thread, is stood in for: a program that handles SIGINT itself keeps doing so.
    """
    interrupt = Interrupt()
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, interrupt.handle)
    try:
        yield interrupt
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
