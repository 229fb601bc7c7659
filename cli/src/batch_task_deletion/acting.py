"""Acts on dead letters: on each that is named, or once asked on all that a filter takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

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
    """What is done to dead letters: its name in the API, and the word for it when it is done."""

    name: str
    done: str


REDRIVE = Act("redrive", "redriven")
SETTLE = Act("settle", "settled")


def act_on_each(run: Run, act: Act, ids: Sequence[str]) -> Exit:
    """One letter after the other; one that is refused keeps no other."""
    wanted = list(dict.fromkeys(typed_id(text) for text in ids))
    left = list(wanted)
    done = 0
    run.unfinished = lambda: [
        f"{act.done}: {done:,} of {counted(len(wanted), 'letter')}",
        "this goes on with the others:",
        f"  {run.command(act.name, *left)}",
    ]
    while left:
        try:
            _act_on(run, act, left[0])
            done += 1
        except Refused as fault:
            run.output.fault(Refused(f"{left[0]}: {fault.text}", fault.document))
        left.pop(0)
    run.output.say(f"{act.done}: {done:,} of {counted(len(wanted), 'dead letter')}")
    return Exit.AS_ASKED if done == len(wanted) else Exit.OTHERWISE


def _act_on(run: Run, act: Act, letter: str) -> None:
    if act is SETTLE:
        answer = run.client.delete(f"/dead-letters/{letter}")
    else:
        answer = run.client.post(f"/dead-letters/{letter}/redrive", {})
    if answer.status == 204:
        return
    if answer.status == 409 and answer.repeated and act is REDRIVE:
        # The try before was carried out, and its answer was lost.
        run.output.remark(f"{letter}: redriven by a try whose answer was lost")
        return
    run.output.document(object_of(answer))


def act_on_many(
    run: Run, act: Act, wanted: Filter, *, most: int | None, per_second: int | None, dry_run: bool, yes: bool
) -> Exit:
    """Counts what the filter takes, asks once, and acts on it in one pass."""
    if not wanted:
        raise Usage(f"which letters? Give ids, a filter such as --reason, or --all to {act.name} all that can be")
    if not (yes or dry_run or _can_be_asked()):
        raise Usage("there is no terminal to ask on; --yes goes without asking, and nothing was done")
    whole = Pass(run.client, act.name, dict(wanted), most, per_second)
    count = whole.count()
    number = count.matched if most is None else min(most, count.matched)
    if dry_run:
        for document in count.documents:
            run.output.document(document)
        run.output.say(f"{counted(number, 'dead letter')} would be {act.done}")
        return Exit.AS_ASKED
    what = f"{counted(number, 'dead letter')} at {run.client.target.url} ({_words(wanted)})"
    if not number:
        run.output.say(f"nothing to {act.name}: no dead letter at {run.client.target.url} ({_words(wanted)})")
        return Exit.AS_ASKED
    if not yes and not _confirmed(f"{act.name.capitalize()} {what}? [y/N] "):
        run.output.remark(f"nothing was {act.done}")
        return Exit.OTHERWISE
    run.unfinished = lambda: [
        f"{act.done}: {whole.done:,} of {counted(number, 'letter')}; one call more may have been carried out",
        "the same command goes on with the others" + (", less --most by that number:" if most else ":"),
        f"  {run.again('--before', count.before or '') if count.before else run.again()}",
    ]
    with progress(act.name, run.clock) as shown:
        for document in whole.carry_out(count):
            run.output.document(document)
            shown.update(whole.done, number)
    run.output.say(f"{act.done}: {whole.done:,} of {counted(whole.matched, 'dead letter')}")
    return Exit.AS_ASKED if whole.done == whole.matched else Exit.OTHERWISE


def _words(wanted: Filter) -> str:
    return "all" if list(wanted) == ["all"] else ", ".join(f"{name} {cell(value)}" for name, value in wanted.items())


def _can_be_asked() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _confirmed(question: str) -> bool:
    """Whether the answer is a clear yes; standard output is for results, so the question is not there."""
    sys.stderr.write(escaped(question))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
