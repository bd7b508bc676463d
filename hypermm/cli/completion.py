"""The command `completion`."""

import argparse
from collections.abc import Mapping

HELP = "print a completion script for bash, zsh or fish"

_BASH = """# eval "$(hypermm completion bash)"
_hypermm() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" command="" w
  for w in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case " {commands} " in *" $w "*) command="$w"; break ;; esac
  done
  case "$before" in {files}) COMPREPLY=($(compgen -f -- "$word")); return ;; esac
  local options="{shared}"
  case "$command" in
{cases}  *) options="$options {commands}" ;;
  esac
  COMPREPLY=($(compgen -W "$options" -- "$word"))
}}
complete -o default -F _hypermm hypermm
"""
FILE_OPTIONS = ("-c", "--config", "--log-file", "--log-dir", "--out")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(args: argparse.Namespace) -> int:
    """Print the script; it is made from the parser, so that it knows every option."""
    from hypermm.cli.main import parser

    shared, commands = describe(parser())
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[args.shell](shared, commands), end="")
    return 0


def describe(
    parser: argparse.ArgumentParser,
) -> tuple[dict[str, str], dict[str, tuple[str, dict[str, str]]]]:
    """Return the options with their help, and each command's help and own options."""
    shared = _options(parser)
    commands: dict[str, tuple[str, dict[str, str]]] = {}
    for action in parser._actions:  # noqa: SLF001 - argparse has no other list of them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, one in action.choices.items():
                own = {o: text for o, text in _options(one).items() if o not in shared}
                commands[name] = (one.description or "", own)
    return shared, commands


def _options(parser: argparse.ArgumentParser) -> dict[str, str]:
    return {
        option: (action.help or "").replace("'", "")
        for action in parser._actions  # noqa: SLF001
        for option in action.option_strings
        if option.startswith("--")
    }


def _bash(shared: Mapping[str, str], commands: Mapping[str, tuple[str, dict[str, str]]]) -> str:
    cases = "".join(
        f'  {name}) options="$options {" ".join(own)}" ;;\n'
        for name, (_, own) in commands.items()
        if own
    )
    return _BASH.format(
        commands=" ".join(commands),
        shared=" ".join(shared),
        cases=cases,
        files="|".join(FILE_OPTIONS),
    )


def _zsh(shared: Mapping[str, str], commands: Mapping[str, tuple[str, dict[str, str]]]) -> str:
    head = '# eval "$(hypermm completion zsh)"\nautoload -Uz bashcompinit && bashcompinit\n'
    return head + _bash(shared, commands)


def _fish(shared: Mapping[str, str], commands: Mapping[str, tuple[str, dict[str, str]]]) -> str:
    lines = ["# hypermm completion fish | source", "complete -c hypermm -f"]
    for name, (text, own) in commands.items():
        quoted = text.replace("'", "")
        lines.append(f"complete -c hypermm -n __fish_use_subcommand -a {name} -d '{quoted}'")
        for option, meaning in own.items():
            lines.append(
                f"complete -c hypermm -n '__fish_seen_subcommand_from {name}' "
                f"-l {option[2:]} -d '{meaning}'"
            )
    for option, meaning in shared.items():
        files = " -r -F" if option in FILE_OPTIONS else ""
        lines.append(f"complete -c hypermm -l {option[2:]} -d '{meaning}'{files}")
    return "\n".join(lines) + "\n"
