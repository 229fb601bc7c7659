"""Options may stand before the command too: what stands there is moved behind it before anything is read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from typer.core import TyperGroup

_OF_THE_PROGRAM = frozenset({"--help", "-h", "--version", "--install-completion", "--show-completion"})


def moved(arguments: Sequence[str], commands: Collection[str], with_value: Collection[str]) -> list[str]:
    """The arguments with the command first; as they are when no command or an option of the program itself is found.

    `with_value` are the options whose value is the next argument: such a value may look like a command.
    """
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        if arguments[at] in _OF_THE_PROGRAM or arguments[at] == "--":
            return list(arguments)
        at += 2 if arguments[at] in with_value else 1
    if at >= len(arguments) or arguments[at] not in commands:
        return list(arguments)
    return [arguments[at], *arguments[:at], *arguments[at + 1 :]]


class Anywhere(TyperGroup):
    """A group of commands that moves the options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, moved(args, self.commands, self._with_value()))

    def _with_value(self) -> set[str]:
        options: list[Any] = [param for command in self.commands.values() for param in command.params]
        taking = (option for option in options if option.param_type_name == "option" and not option.is_flag)
        return {name for option in taking for name in option.opts}
