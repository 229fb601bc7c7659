"""Redrives or settles dead letters: those given by id, or, after a question, all that match a filter."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from batch_task_deletion.faults import Exit, Refused, Usage
from batch_task_deletion.find import object_of
from batch_task_deletion.forms import typed_id
from batch_task_deletion.letters import Filter, Pass
from batch_task_deletion.output import cell
from batch_task_deletion.progress import progress
from batch_task_deletion.run import Run
from batch_task_deletion.text import counted, escaped


@dataclass(frozen=True)
class Act:
    """An action on dead letters: its name in the API, and its past tense."""

    name: str
    done: str


REDRIVE = Act("redrive", "redriven")
SETTLE = Act("settle", "settled")


def act_on_each(run: Run, act: Act, ids: Sequence[str]) -> Exit:
    """Acts on the letters in turn. A refusal does not stop the others."""
    wanted = list(dict.fromkeys(typed_id(text) for text in ids))
    left = list(wanted)
    done = 0

    def unfinished() -> list[str]:
        rest = ["to continue with the rest:", f"  {run.command(act.name, *left)}"] if left else []
        return [f"{act.done}: {done:,} of {counted(len(wanted), 'letter')}", *rest]

    run.unfinished = unfinished
    while left:
        letter = left[0]
        refusal, document = _act_on(run, act, letter)
        # Counted before anything is printed, which may be the end of the command.
        left.pop(0)
        done += refusal is None
        if refusal is not None:
            run.output.fault(Refused(f"{letter}: {refusal.text}", refusal.document))
        elif document is not None:
            run.output.document(document)
    run.output.say(f"{act.done}: {done:,} of {counted(len(wanted), 'dead letter')}")
    return Exit.SUCCESS if done == len(wanted) else Exit.FAILURE


def _act_on(run: Run, act: Act, letter: str) -> tuple[Refused | None, dict[str, Any] | None]:
    """Why the app refused, if it did, and its document, if there is one."""
    if act is SETTLE:
        answer = run.client.delete(f"/dead-letters/{letter}")
    else:
        answer = run.client.post(f"/dead-letters/{letter}/redrive", {})
    if answer.status == 204:
        return None, None
    if answer.status == 409 and answer.repeated and act is REDRIVE:
        # An earlier try succeeded, but its response was lost.
        run.output.remark(f"{letter}: redriven by an earlier try whose response was lost")
        return None, None
    try:
        return None, object_of(answer)
    except Refused as refusal:
        return refusal, None


def act_on_many(
    run: Run, act: Act, wanted: Filter, *, most: int | None, per_second: int | None, dry_run: bool, yes: bool
) -> Exit:
    """Counts the matching letters, asks once, and acts on them in one pass."""
    if not wanted:
        raise Usage(
            f"no letters selected: give ids, a filter such as --reason, or --all to {act.name} every letter possible"
        )
    if not (yes or dry_run or _can_be_asked()):
        raise Usage("nothing was done: there is no terminal for the question; --yes skips it")
    whole = Pass(run.client, act.name, dict(wanted), most, per_second)
    count = whole.count()
    number = count.matched if most is None else min(most, count.matched)
    if dry_run:
        for document in count.documents:
            run.output.document(document)
        run.output.say(f"{counted(number, 'dead letter')} would be {act.done}")
        return Exit.SUCCESS
    what = f"{counted(number, 'dead letter')} at {run.client.target.url} ({_words(wanted)})"
    if not number:
        where = f"{run.client.target.url} ({_words(wanted)})"
        run.output.say(f"nothing to {act.name}: no dead letters that can be {act.done} at {where}")
        return Exit.SUCCESS
    if not yes and not _confirmed(f"{act.name.capitalize()} {what}? [y/N] "):
        run.output.remark(f"nothing was {act.done}")
        return Exit.FAILURE
    run.unfinished = lambda: _unfinished(run, act, whole, number, count.before)
    with progress(act.name, run.clock) as shown:
        for document in whole.carry_out(count):
            run.output.document(document)
            shown.update(whole.done, number)
    run.output.say(f"{act.done}: {whole.done:,} of {counted(whole.matched, 'dead letter')}")
    return Exit.SUCCESS if whole.done == whole.matched else Exit.FAILURE


def _unfinished(run: Run, act: Act, whole: Pass, number: int, before: str | None) -> list[str]:
    """How many were acted on, and the command to continue with."""
    maybe = "; one more call may have been carried out" if whole.is_calling else ""
    said = [f"{act.done}: {whole.done:,} of {counted(number, 'letter')}{maybe}"]
    if whole.is_over:
        return said
    which = ", reduce --most by that number and run:" if whole.most else ", run:"
    return [*said, f"to continue with the rest{which}", f"  {run.again('--before', before) if before else run.again()}"]


def _words(wanted: Filter) -> str:
    return "all" if list(wanted) == ["all"] else ", ".join(f"{name} {cell(value)}" for name, value in wanted.items())


def _can_be_asked() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _confirmed(question: str) -> bool:
    """Whether the user answers yes. The question goes to standard error: standard output is for results."""
    sys.stderr.write(escaped(question))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
