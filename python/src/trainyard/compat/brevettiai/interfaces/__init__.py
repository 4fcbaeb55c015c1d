"""brevettiai.interfaces."""

from . import vue_schema_utils

__all__ = ["vue_schema_utils"]
