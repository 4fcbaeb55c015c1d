"""Objects whose settings are the parameters of their `__init__`."""

from __future__ import annotations

import inspect
import json
import logging
from typing import Any, Dict, List, Mapping, Sequence, Type, TypeVar, Union, get_type_hints

log = logging.getLogger("brevettiai.utils.module")

Module = TypeVar("Module", bound="VueSettingsModule")


class VueSettingsModule:
    """The base of a class with settings. Each parameter of `__init__` is kept under its name."""

    def get_config(self) -> Dict[str, Any]:
        """The settings, with those of nested objects."""
        return {name: _to_config(getattr(self, name)) for name in parameters_of(type(self))}

    @classmethod
    def from_config(cls: Type[Module], config: Mapping[str, Any]) -> Module:
        """An object with these settings. Warns of keys that are no parameters."""
        known = parameters_of(cls)
        unknown = [name for name in config if name not in known]
        if unknown:
            log.warning("Invalid config keys: %s", ", ".join(unknown))
        given: Dict[str, Any] = {}
        for name, value in config.items():
            if name not in known:
                continue
            inner = module_of(known[name])
            is_nested = inner is not None and isinstance(value, dict)
            given[name] = inner.from_config(value) if inner and is_nested else value
        return cls(**given)


def parameters_of(cls: type) -> Dict[str, Any]:
    """The parameters of `__init__`, each with its hint."""
    signature = inspect.signature(cls)
    try:
        hints = get_type_hints(getattr(cls, "__init__"))
    except NameError:
        hints = {}  # A hint that names what is only known to a type checker.
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: hints.get(name, Any)
        for name, parameter in signature.parameters.items()
        if parameter.kind in named
    }


def module_of(hint: Any) -> Any:
    """The class with settings that a hint names. None: it names none."""
    for each in _choices(hint):
        if isinstance(each, type) and issubclass(each, VueSettingsModule):
            return each
    return None


def parse_argument(text: str, hint: Any) -> Any:
    """A value of the command line, by the hint of its parameter. Raises ValueError."""
    for each in _choices(hint):
        kind = getattr(each, "__origin__", each)
        if kind is bool:
            return text.lower() not in ("false", "0", "no", "")
        if kind in (int, float, str):
            return kind(text)
    # An object, a list and whatever has no hint are JSON.
    try:
        return json.loads(text)
    except ValueError:
        if hint is Any:
            return text
        raise


def overrides(cls: Type[VueSettingsModule], arguments: Sequence[str]) -> Dict[str, Any]:
    """The settings in a command line: `--param 1 --nested.param=2`. Leaves out what is not known.

    Raises ValueError for a value that its parameter cannot take.
    """
    config: Dict[str, Any] = {}
    left = list(arguments)
    while left:
        flag, equals, value = left.pop(0).partition("=")
        if not flag.startswith("--"):
            continue
        path = flag[2:].split(".")
        hint = _hint_at(cls, path)
        if hint is None:
            continue
        if not equals:
            if not left:
                raise ValueError(f"{flag} needs a value.")
            value = left.pop(0)
        inner = config
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        try:
            inner[path[-1]] = parse_argument(value, hint)
        except ValueError as error:
            raise ValueError(f"{flag} cannot be {value!r}: {error}") from error
    return config


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Dict[str, Any]:
    """The settings of both, those of `over` first. Nested settings are merged where both have any."""
    merged = dict(base)
    for name, value in over.items():
        kept = merged.get(name)
        is_nested = isinstance(kept, dict) and isinstance(value, dict)
        merged[name] = merge(kept, value) if is_nested else value  # pyright: ignore
    return merged


def _hint_at(cls: Any, path: Sequence[str]) -> Any:
    """The hint of a setting. None: there is no such setting."""
    hint: Any = cls
    for name in path:
        module = module_of(hint)
        if module is None:
            return None
        hint = parameters_of(module).get(name)
        if hint is None:
            return None
    return hint


def _choices(hint: Any) -> List[Any]:
    """The types that a hint allows: `Optional[int]` allows int."""
    if getattr(hint, "__origin__", None) is Union or type(hint).__name__ == "UnionType":
        return [each for each in hint.__args__ if each is not type(None)]
    return [hint]


def _to_config(value: Any) -> Any:
    return value.get_config() if isinstance(value, VueSettingsModule) else value
