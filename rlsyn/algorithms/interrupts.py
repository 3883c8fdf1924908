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
        self._handler: _Handler = signal.default_int_handler
        self._is_pending = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Holds back SIGINT if it has a handler; elsewhere than in the main thread, nothing."""
        # Not SIGTERM: whoever sends it kills soon after, and what the run has by then must have been saved.
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(handler):
            yield
            return
        self._handler = handler
        signal.signal(signal.SIGINT, self._hold_back)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, handler)
        self._let_go()

    def _hold_back(self, number: int, frame: FrameType | None) -> None:
        if self._is_pending:
            self._handler(number, frame)
            return
        self._is_pending = True
        _log.warning("Stops before the next rollout; another interrupt stops at once.")

    def _let_go(self) -> None:
        if self._is_pending:
            self._is_pending = False
            self._handler(signal.SIGINT, None)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._let_go()
