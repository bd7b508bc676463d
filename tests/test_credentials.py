"""Where the key comes from, and that no place shows it."""

import pytest

from hypermm.credentials import VARIABLE, find_key
from hypermm.errors import ConfigError

KEY = "0x" + "c0ffee11" * 8


def find(folder, *, argument=None, environ=None, file=None, file_key=None):
    return find_key(
        argument=argument, environ=environ or {}, folder=folder, file=file, file_key=file_key
    )


def test_no_key_is_no_error_here(tmp_path):
    """The command decides what that means: localhost needs none."""
    assert find(tmp_path) is None


def test_the_command_line_stands_over_environment_over_file(tmp_path):
    """Precedence: file, environment, command line; each says where it came from."""
    file = tmp_path / "mm.toml"
    file.touch(mode=0o600)
    everything = {"environ": {VARIABLE: "e"}, "file": file, "file_key": "f"}

    assert find(tmp_path, argument="a", **everything).text == "a"
    assert find(tmp_path, **everything).text == "e"
    assert find(tmp_path, file=file, file_key="f").text == "f"


@pytest.mark.parametrize(
    "line", [f"{VARIABLE}={KEY}", f"export {VARIABLE}={KEY}", f'{VARIABLE} = "{KEY}"']
)
def test_a_private_dotenv_is_read(tmp_path, line):
    """The three ways people write such a line."""
    dotenv = tmp_path / ".env"
    dotenv.touch(mode=0o600)
    dotenv.write_text(f"# a comment\nOTHER=1\n{line}\n")

    found = find(tmp_path)

    assert found.text == KEY
    assert not found.is_exposed
    assert KEY not in repr(found)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    """The message names the file and the remedy, never the key."""
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"{VARIABLE}={KEY}\n")
    dotenv.chmod(mode)

    with pytest.raises(ConfigError) as error:
        find(tmp_path)

    assert "chmod 600" in str(error.value)
    assert KEY not in str(error.value)


def test_a_dotenv_for_something_else_may_be_readable(tmp_path):
    """Only a file that holds our key is our business."""
    (tmp_path / ".env").write_text("OTHER=1\n")

    assert find(tmp_path) is None
