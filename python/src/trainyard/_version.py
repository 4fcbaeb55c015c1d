"""The version of this package, which is that of its gateway."""

VERSION = "0.1.0"
