"""Ctrl-C between rollouts: a run stops where its state is complete, and then goes on as if nothing had been."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from stable_baselines3.common.callbacks import BaseCallback

_log = logging.getLogger(__name__)
_Handler = Callable[[int, FrameType | None], object]


class InterruptCallback(BaseCallback):
    """Holds back the first interrupt until the rollout at hand and its update are complete; the second ends at once.

    In the middle of a rollout, random numbers are drawn and networks half updated that the step count, of whole
    rollouts, knows nothing of: what is saved then can be trained on, but ends elsewhere than a run that was never
    stopped. To stand before all other callbacks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[int, _Handler] = {}
        self._pending: int | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Holds back SIGINT and SIGTERM, as far as they have handlers; elsewhere than in the main thread, none."""
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
            self._handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
        for number in self._handlers:
            signal.signal(number, self._hold_back)
        try:
            yield
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        self._let_go()

    def _hold_back(self, number: int, frame: FrameType | None) -> None:
        if self._pending is not None:
            self._handlers[number](number, frame)
        self._pending = number
        _log.info("Stops before the next rollout; another interrupt stops at once.")

    def _let_go(self) -> None:
        if self._pending is not None:
            number, self._pending = self._pending, None
            self._handlers[number](number, None)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._let_go()
