"""Synthetic patient records by reinforcement learning."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlsyn.synthesizer import RLSyn

__all__ = ["RLSyn"]


def __getattr__(name: str) -> Any:
    """The public class, imported when it is asked for: schemas and scores do not wait for torch."""
    if name == "RLSyn":
        from rlsyn.synthesizer import RLSyn

        return RLSyn
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
