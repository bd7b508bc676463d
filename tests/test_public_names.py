"""What `import hypermm` gives: every public function of the notebook layer, typed and lazy."""

import ast
import inspect
from pathlib import Path

import pytest

import hypermm

PACKAGE = Path(hypermm.__file__).parent


@pytest.mark.parametrize("name", hypermm.__all__)
def test_every_name_loads_and_is_documented(name):
    """A name without a docstring is no public name."""
    value = getattr(hypermm, name)

    assert inspect.getdoc(value)


def test_every_public_function_of_the_notebook_layer_is_exported():
    """A function that nobody finds is not there."""
    for path in (PACKAGE / "notebook").glob("[!_]*.py"):
        exported = set(hypermm._HOMES.get(f"notebook.{path.stem}", ()))
        defined = {
            node.name
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        }
        assert defined == exported, path.name


def test_the_stub_names_the_same():
    """Type checkers and editors see what is there."""
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    named = [
        alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]

    assert sorted(named) == hypermm.__all__


def test_an_unknown_name_is_an_attribute_error():
    """With the name in it."""
    with pytest.raises(AttributeError, match="no attribute 'hawks'"):
        _ = hypermm.hawks
