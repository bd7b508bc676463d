"""The `.pyi` beside each kernel says what the compiled module really takes."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parent.parent / "hypermm" / "_core"
STUBS = sorted(CORE.glob("*.pyi"))


def arguments(node: ast.FunctionDef) -> list[str]:
    given = node.args
    names = [a.arg for a in (*given.posonlyargs, *given.args)]
    if given.vararg:
        names.append(f"*{given.vararg.arg}")
    return names + sorted(a.arg for a in given.kwonlyargs)


def signature(function) -> list[str] | None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None  # a constructor or slot of an extension type shows none
    names = [
        f"*{p.name}" if p.kind is p.VAR_POSITIONAL else p.name
        for p in parameters
        if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)
    ]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return [*names, "**"]
    return names + sorted(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def test_every_kernel_has_a_stub_and_every_stub_a_kernel():
    """A kernel without one is untyped for everybody who imports it."""
    assert {p.stem for p in STUBS} == {p.stem for p in CORE.glob("*.pyx")}


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: path.stem)
def test_the_stub_agrees_with_the_compiled_module(stub):
    """Names exist, and functions and methods take the arguments that the stub says."""
    module = importlib.import_module(f"hypermm._core.{stub.stem}")
    compared = 0

    def check(node: ast.FunctionDef, owner: object) -> None:
        nonlocal compared
        assert hasattr(owner, node.name), f"{stub.name}: {node.name} is not there"
        if node.name.startswith("__") or any(
            isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list
        ):
            return
        real = signature(getattr(owner, node.name))
        if real is not None:
            stated = arguments(node)
            if real[-1:] == ["**"]:  # keywords that are handed on
                real.pop()
                stated = stated[: len(real)]
            assert stated == real, f"{stub.name}: {node.name}"
            compared += 1

    public = [n for n in ast.parse(stub.read_text()).body if not isinstance(n, ast.Import)]
    for node in public:
        if isinstance(node, ast.FunctionDef):
            check(node, module)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            kind = getattr(module, node.name)
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    check(member, kind)
                elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    assert hasattr(kind, member.target.id), f"{node.name}.{member.target.id}"
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            assert hasattr(module, node.target.id), f"{stub.name}: {node.target.id}"
    assert compared, f"{stub.name}: nothing could be compared"
