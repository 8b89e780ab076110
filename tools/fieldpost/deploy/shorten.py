"""Shorter names for what a module keeps to itself: a board holds every name in its heap.

Renamed are, in Fieldpost's own modules, attributes and a module's own names that begin with one
underscore and hold data, and parameters that nobody passes by name: nothing that a traceback, a
console or another module shows. Lines stay where they are.
"""

import ast
import builtins
import json
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fieldpost.deploy.remembered import code_of, remembered

# Of the libraries, those whose classes nobody else derives from: drivers' bases are made for that.
_OWN = ("firmware/", "lib/module_pack", "lib/pack_trial", "lib/wire", "lib/sntp")
# What people call from a REPL or from a program of their own, with the names that documents give.
_FOR_OTHERS = ("firmware/__init__.py", "lib/")
_EVERYWHERE = {"self", "cls", *dir(builtins)}
_USES = ("attributes", "names")


class _Use(NamedTuple):
    """line: from 1. start: of the name, in bytes from the line's begin."""

    name: str
    line: int
    start: int


@dataclass(frozen=True)
class _Module:
    """attributes: uses of private ones. stored: those that it sets on `self`. names: uses of plain
    names. parameters, public: of all functions, and of those whose names begin with no underscore.
    own: data of the module whose name begins with an underscore. taken: names that it imports from
    other modules. keywords: in calls. fixed: what stands for something else
    here, too, or in a text. bases: modules with a class that one here derives from."""

    attributes: list[_Use] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)
    names: list[_Use] = field(default_factory=list)
    parameters: set[str] = field(default_factory=set)
    public: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    keywords: set[str] = field(default_factory=set)
    fixed: set[str] = field(default_factory=set)
    bases: set[str] = field(default_factory=set)


def shortened(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """The sources by path, such as "firmware/node.py", with what is their own renamed.

    Raises SyntaxError with the path.
    """
    modules = {path: _known(path, source) for path, source in sources.items()}
    families = _families(modules)
    kept = set().union(*(one.fixed for one in modules.values()))
    for family in families:
        stored = set().union(*(modules[path].stored for path in family))
        # Those that it does not set are somebody else's.
        kept |= {use.name for path in family for use in modules[path].attributes} - stored
    keywords: set[str] = set().union(*(one.keywords for one in modules.values()))
    # What a module has of its own may be asked of it by another one.
    asked = set().union(*(one.taken for one in modules.values()))
    asked |= {use.name for one in modules.values() for use in one.attributes}
    renamed = dict(sources)
    for family in families:
        if not all(path.startswith(_OWN) for path in family):
            continue
        counts = Counter(use.name for path in family for use in modules[path].attributes)
        attributes = _shorter(counts, kept, "_")
        for path in family:
            module = modules[path]
            uses = [
                (use, attributes[use.name]) for use in module.attributes if use.name in attributes
            ]
            by_name = keywords | (module.public if path.startswith(_FOR_OTHERS) else set())
            parameters = _plain_names(module, by_name, asked)
            uses += [(use, parameters[use.name]) for use in module.names if use.name in parameters]
            renamed[path] = _rename(sources[path], uses)
    return renamed


def _plain_names(module: _Module, by_name: set[str], asked: set[str]) -> dict[str, str]:
    """New names for parameters, and for what is the module's own."""
    counts = Counter(use.name for use in module.names)
    kept = module.fixed | _EVERYWHERE

    def new(names: set[str], start: str) -> dict[str, str]:
        some = Counter({name: count for name, count in counts.items() if name in names})
        return _shorter(some, kept, start, set(counts))

    # With its underscore a number still has no place in the bytecode (folded.py).
    return new(module.parameters - by_name, "") | new(module.own - asked, "_")


def _shorter(
    counts: Counter[str], kept: set[str], start: str, taken: Set[str] = frozenset()
) -> dict[str, str]:
    """A new name for each that is not kept, the same in every run: the most frequent first."""
    order = sorted(counts.keys() - kept, key=lambda name: (-counts[name], name))
    order = [name for name in order if len(name) > len(start) + 1]
    used = kept | counts.keys() | taken
    free = [start + letter for letter in string.ascii_letters if start + letter not in used]
    return dict(zip(order, free, strict=False))


def _known(path: str, source: bytes) -> _Module:
    """Of a source that was read before it is in the cache."""

    def read() -> bytes:
        found = vars(_read(path, source))
        return json.dumps(
            {name: sorted(one) if isinstance(one, set) else one for name, one in found.items()}
        ).encode()

    told = json.loads(remembered("names", (code_of(__file__), path, source), read, b"{"))
    fields: dict[str, Any] = {
        name: [_Use(*use) for use in one] if name in _USES else set(one)
        for name, one in told.items()
    }
    return _Module(**fields)


def _ending(name: str, node: ast.expr) -> _Use:
    """Of an expression that ends with the name."""
    return _Use(name, node.end_lineno or 0, (node.end_col_offset or 0) - len(name))


def _read(path: str, source: bytes) -> _Module:
    module = _Module()
    whole = ast.parse(source, path)
    nodes = list(ast.walk(whole))
    imported: dict[str, str] = {}
    for node in nodes:
        match node:
            case ast.Attribute(attr=name):
                if name.startswith("_") and not name.startswith("__"):
                    module.attributes.append(_ending(name, node))
                    if isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
                        module.stored.add(name)
            case ast.Name(id=name):
                module.names.append(_ending(name, node))
            case ast.arg(arg=name):
                # It may have an annotation.
                module.names.append(_Use(name, node.lineno, node.col_offset))
                module.parameters.add(name)
            case ast.keyword(arg=str(name)):
                module.keywords.add(name)
            case ast.FunctionDef(name=name, args=given):
                module.fixed.add(name)
                if name.startswith("__") or not name.startswith("_"):
                    module.public.update(
                        one.arg for one in ast.walk(given) if isinstance(one, ast.arg)
                    )
            case ast.ClassDef(name=name):
                module.fixed.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.Constant(value=str(name)):
                module.fixed.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                module.fixed.update(names)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                module.fixed.update(one.asname or one.name.split(".")[0] for one in aliases)
                if isinstance(node, ast.ImportFrom) and node.module:
                    imported |= {one.name: node.module for one in aliases}
                    module.taken.update(one.name for one in aliases)
            case ast.JoinedStr():
                # Python 3.11 does not say where in the line these stand.
                for part in ast.walk(node):
                    if isinstance(part, ast.Name):
                        module.fixed.add(part.id)
                    elif isinstance(part, ast.Attribute):
                        module.fixed.add(part.attr)
    outside = Counter(_outside_functions(whole))
    of_classes = {
        name
        for part in nodes
        if isinstance(part, ast.ClassDef)
        for name in _outside_functions(part)
    }
    module.own.update(
        name
        for name in outside.keys() - of_classes
        if name.startswith("_") and not name.startswith("__")
    )
    module.fixed.update(outside.keys() - module.own)
    module.own.difference_update(module.fixed)
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            module.bases.update(imported[name] for name in bases if name in imported)
    return module


def _outside_functions(node: ast.AST) -> Iterator[str]:
    """Names that a module or a class has, for whoever imports it."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        if not isinstance(inner, ast.FunctionDef | ast.Lambda):
            yield from _outside_functions(inner)


def _families(modules: Mapping[str, _Module]) -> list[list[str]]:
    """Paths of modules whose classes derive from each other, and so share their attributes."""
    family = {path: {path} for path in modules}
    for path, module in modules.items():
        for base in module.bases:
            name = base.replace(".", "/")
            for other in (f"{name}.py", f"{name}/__init__.py", f"lib/{name}.py"):
                if other in family and family[other] is not family[path]:
                    family[path] |= family[other]
                    for member in family[path]:
                        family[member] = family[path]
    return [sorted(one) for one in {id(one): one for one in family.values()}.values()]


def _rename(source: bytes, uses: list[tuple[_Use, str]]) -> bytes:
    """uses: where a name stands, and the new one."""
    lines = source.split(b"\n")
    for use, new in sorted(set(uses), key=lambda one: (one[0].line, one[0].start), reverse=True):
        line = lines[use.line - 1]
        end = use.start + len(use.name)
        lines[use.line - 1] = line[: use.start] + new.encode() + line[end:]
    return b"\n".join(lines)
