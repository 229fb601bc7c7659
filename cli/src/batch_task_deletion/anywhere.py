"""Allows options before the command, by moving them behind it before the arguments are parsed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from typer.core import TyperGroup

_OF_THE_PROGRAM = frozenset({"--help", "-h", "--version", "--install-completion", "--show-completion"})


def moved(arguments: Sequence[str], commands: Collection[str], with_value: Collection[str]) -> list[str]:
    """The arguments with the command first; unchanged if there is no command, or an option of the program itself.

    `with_value` are the options that take the next argument as their value: that value may look like a command.
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
    """A command group that allows options before the command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, moved(args, self.commands, self._with_value()))

    def _with_value(self) -> set[str]:
        options: list[Any] = [param for command in self.commands.values() for param in command.params]
        taking = (option for option in options if option.param_type_name == "option" and not option.is_flag)
        return {name for option in taking for name in option.opts}
