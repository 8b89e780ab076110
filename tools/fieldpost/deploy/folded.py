"""A source without the import of `const`, which the compiler has done the work of.

mpy-cross puts a number in the place of `const(8)` whether or not the name was imported, but the
import stays: 30 bytes of each module, a name in its heap, and a call at each start.
"""

import ast

_IMPORT = "micropython"
_NAME = "const"


def without_const(source: bytes) -> bytes:
    """The same, line by line, if each `const` in it is folded; else as it is."""
    if _NAME.encode() not in source:
        return source
    try:
        whole = ast.parse(source)
    except SyntaxError:
        return source  # Whoever compiles it says where.
    imports = [
        node
        for node in whole.body
        if isinstance(node, ast.ImportFrom)
        and node.module == _IMPORT
        and any(one.name == _NAME and not one.asname for one in node.names)
    ]
    if len(imports) != 1 or imports[0].lineno != imports[0].end_lineno:
        return source
    uses = [node for node in ast.walk(whole) if isinstance(node, ast.Name) and node.id == _NAME]
    if len(uses) != _folded(whole):
        return source
    others = ", ".join(ast.unparse(one) for one in imports[0].names if one.name != _NAME)
    lines = source.split(b"\n")
    lines[imports[0].lineno - 1] = f"from {_IMPORT} import {others}".encode() if others else b""
    return b"\n".join(lines)


def _folded(whole: ast.Module) -> int:
    """How many assignments there are, to names of the module, of `const` of whole numbers."""
    known: set[str] = set()
    count = 0
    for node in whole.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func) == _NAME
            and len(node.value.args) == 1
            and isinstance(node.targets[0], ast.Name)
            and _is_number(node.value.args[0], known)
        ):
            known.add(node.targets[0].id)
            count += 1
    return count


def _is_number(value: ast.expr, known: set[str]) -> bool:
    match value:
        case ast.Constant(value=int()):
            return True
        case ast.Name(id=name):
            return name in known
        case ast.UnaryOp(operand=operand):
            return _is_number(operand, known)
        case ast.BinOp(left=left, op=op, right=right):
            return (
                not isinstance(op, ast.Div)
                and _is_number(left, known)
                and _is_number(right, known)
            )
    return False
