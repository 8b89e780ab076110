"""Whether the drivers that a configuration names are there, and are what a node can use."""

import ast
import contextlib
import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fieldpost.drivers.folder import Drivers
from fieldpost.paths import LIB
from firmware.sensor_types import driver as declaration

_METHODS = ("start", "read")
_DEFAULTS = {row[0]: row[2] for row in declaration.KEYS}


def errors(sensors: Any, drivers: Drivers | None, *, unfinished: bool = False) -> list[str]:
    """What is wrong with the `driver` of each sensor in the list of a config.json, by its key.

    Without `drivers` only what can be said without the folder. unfinished: one that is no Python
    yet is taken, for whoever runs it tells that. What is no sensor of type driver
    is none of ours, nor is what `firmware.config.check` refuses.
    """
    found = []
    for number, one in enumerate(sensors if isinstance(sensors, list) else []):
        if not isinstance(one, Mapping) or one.get("type") != "driver":
            continue
        if isinstance(one.get("driver"), str) and (wrong := _wrong(one, drivers, unfinished)):
            found.append(f"sensors[{number}].driver: {wrong}")
    return found


def elsewhere(sensors: Iterable[Mapping[str, Any]]) -> list[str]:
    """The modules that checked sensors name and that do not come with the firmware."""
    named = [one["driver"].partition(":")[0] for one in sensors if one["type"] == "driver"]
    return [name for name in dict.fromkeys(named) if not _library(name)]


def _wrong(sensor: Mapping[str, Any], drivers: Drivers | None, unfinished: bool) -> str | None:
    module, colon, name = sensor["driver"].partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), name)):
        return (
            f'found "{sensor["driver"]}", must be a module and a class, as in '
            '"greenhouse.tmp117:TMP117"'
        )
    if library := _library(module):
        source, path = library.read_bytes(), library.relative_to(LIB).as_posix()
    elif drivers is None:
        return None
    else:
        path = module.replace(".", "/") + ".py"
        package = path.removesuffix(".py") + "/__init__.py"
        if path not in drivers.sources and package not in drivers.sources:
            near = difflib.get_close_matches(path, drivers.sources, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"there is no {path} in {drivers.folder}{hint}"
        # A package is found before a module of its name.
        path = package if package in drivers.sources else path
        source = drivers.sources[path]
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        line = "" if error.lineno is None else f", line {error.lineno}"
        return None if unfinished else f"{path}{line} is not Python: {error.msg}"
    return _class_is_none(tree, path, name, sensor)


def _library(module: str) -> Path | None:
    path = LIB / (module.replace(".", "/") + ".py")
    return path if path.is_file() else None


def _class_is_none(
    tree: ast.Module, path: str, name: str, sensor: Mapping[str, Any]
) -> str | None:
    """Why `name` in a module is no driver for this sensor; None if nothing speaks against it."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    if name not in classes:
        if name in _other_names(tree):
            return None  # made or imported there: only a run can tell
        there = ", ".join(classes) or "none"
        return f"{path} has no class {name}; classes in it: {there}"
    found = classes[name]
    if found.bases:
        return None  # what it inherits stands elsewhere
    functions = {one.name: one for one in found.body if isinstance(one, ast.FunctionDef)}
    for method in _METHODS:
        if method not in functions:
            return f"{path}: the class {name} has no method {method}()"
    if not any(_names_fields(node) for node in ast.walk(found)):
        return f"{path}: the class {name} has no FIELDS, the names of what it measures"
    if unknown := _unknown_field(found, sensor):
        return f"{path}: {name}.{unknown}"
    return _takes_other_arguments(path, name, functions.get("__init__"), sensor)


def _unknown_field(found: ast.ClassDef, sensor: Mapping[str, Any]) -> str | None:
    """A name in RANGES or in the configuration that is none of FIELDS: it would have no effect."""
    literals = {}
    for node in found.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with contextlib.suppress(ValueError):
                literals[node.targets[0].id] = ast.literal_eval(node.value)
    fields = literals.get("FIELDS")
    if not isinstance(fields, tuple | list):
        return None  # it is made when the driver is built
    named = [(one, "RANGES") for one in _listed(literals.get("RANGES"))]
    for key in ("ranges", "fields", "calibration", "alarms"):
        # Checked ranges are a dict by field, in which "*" is any other.
        for one in _listed(sensor.get(key)):
            named.append((one.get("field", "*") if isinstance(one, Mapping) else one, key))
    for field, where in named:
        if field != "*" and field not in fields:
            return f"FIELDS has no {field!r}, which {where} names; it has {', '.join(fields)}"
    return None


def _listed(found: Any) -> list[Any]:
    """What stands in a list or dict; nothing, if it is none: the schema says so."""
    return list(found) if isinstance(found, list | dict) else []


def _takes_other_arguments(
    path: str, name: str, init: ast.FunctionDef | None, sensor: Mapping[str, Any]
) -> str | None:
    given = len(declaration.recipe({**_DEFAULTS, **sensor})) - 1
    most = 0 if init is None else len(init.args.posonlyargs + init.args.args) - 1
    least = 0 if init is None else most - len(init.args.defaults)
    if init and init.args.vararg:
        most = max(most, given)
    if least <= given <= most:
        return None
    takes = str(least) if least == most else f"{least} to {most}"
    what = ("nothing", "the bus or the pin", "the bus and the address")[given]
    return (
        f"{path}: {name}() takes {takes} arguments, and by this configuration it gets {given}: "
        f"{what}"
    )


def _other_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            names |= {one.asname or one.name for one in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def _names_fields(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id == "FIELDS" and isinstance(node.ctx, ast.Store)
    if isinstance(node, ast.Attribute):
        return node.attr == "FIELDS" and isinstance(node.ctx, ast.Store)
    return False
