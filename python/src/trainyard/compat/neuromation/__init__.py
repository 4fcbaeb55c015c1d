"""neuromation's client library, on Trainyard: `async with neuromation.api.get() as client`."""

from . import api

__all__ = ["api"]
