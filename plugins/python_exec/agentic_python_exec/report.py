"""What a program did, as the model reads it."""

from __future__ import annotations

from collections.abc import Sequence

from agentic_python_exec.limits import Limits
from agentic_python_exec.outcome import Outcome

MAX_OUTPUT = 12_000
MAX_ERRORS = 4_000
_MB = 1024 * 1024


def report(outcome: Outcome, limits: Limits, notes: Sequence[str] = ()) -> str:
    """Output, errors, why it ended if not by itself, files, and ``notes``; long texts are cut in the middle."""
    parts = [_cut(outcome.output.rstrip("\n"), MAX_OUTPUT, tail=0.3)]
    if outcome.errors.strip():
        parts.append("Errors:\n" + _cut(outcome.errors.strip("\n"), MAX_ERRORS, tail=0.8))
    parts.append(_end(outcome, limits))
    parts.append(_files("Files made or changed", [*outcome.changed, *outcome.figures]))
    if outcome.deleted:
        parts.append("Files removed: " + ", ".join(outcome.deleted))
    if outcome.left_out:
        parts.append(_left_out("Files not taken over (too many, too large, or misnamed)", outcome.left_out))
    parts += notes
    text = "\n\n".join(part for part in parts if part)
    return text or "The program ended without any output. Print what you want to see."


def not_kept(names: Sequence[str], limits: Limits) -> str:
    """What to tell of files that the conversation has no room for."""
    return _left_out(f"Not kept for the next call (a conversation keeps {_room(limits)})", names)


def not_given(names: Sequence[str], limits: Limits) -> str:
    """What to tell of kept files that the program did not get."""
    why = f"a program gets {_room(limits)}, and no file in the place of a folder"
    return _left_out(f"Not at hand for this program ({why})", names)


def _room(limits: Limits) -> str:
    return f"at most {limits.in_files} files and {limits.in_bytes // _MB} MB"


def _end(outcome: Outcome, limits: Limits) -> str:
    ended = {
        "done": "",
        "error": f"Exit code {outcome.code}." if outcome.code != 1 or not outcome.errors.strip() else "",
        "timeout": f"Ended (timeout): it ran longer than {limits.wall:g} s.",
        "cpu": f"Ended (cpu): it used more than {limits.cpu} s of processor time.",
        "memory": f"Ended (memory): it needed more than {limits.memory // _MB} MB.",
        "disk": f"Ended (disk): it wrote more than {limits.disk // _MB} MB, one file of more than "
        f"{limits.file // _MB} MB, more than {limits.files} files, or folders more than {limits.depth} deep.",
        "output": f"Ended (output): it printed more than {limits.output // 1000} kB.",
        "crash": f"Ended (crash): the interpreter died of signal {-outcome.code}.",
        "seccomp": "Ended (seccomp): it made a system call of a foreign kind.",
        "killed": "Ended (killed): it was killed from outside, perhaps because the machine ran out of memory.",
    }
    return ended[outcome.reason]


def _files(title: str, files: Sequence[tuple[str, bytes]]) -> str:
    return f"{title}: " + ", ".join(f"{name} ({_size(len(content))})" for name, content in files) if files else ""


def _left_out(title: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{title}: {', '.join(names[:10])}{more}"


def _size(size: int) -> str:
    return f"{size} bytes" if size < 10_000 else f"{size / 1000:,.0f} kB"


def _cut(text: str, most: int, *, tail: float) -> str:
    """The text's beginning and end; ``tail`` is the share that the end gets."""
    if len(text) <= most:
        return text
    end = int(most * tail)
    left = len(text) - most
    return f"{text[: most - end]}\n[… {left:,} characters left out …]\n{text[len(text) - end :]}"
