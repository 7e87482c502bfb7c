"""The pure machine: ``step(state, event, now, random)`` changes the state and returns effects."""

from .step import deliverable, initial, step

__all__ = ["deliverable", "initial", "step"]
