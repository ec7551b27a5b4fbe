"""The steps of a round at work: the server's are run, the client's are made ready to be handed over."""

from __future__ import annotations

from agentic import Run, ToolCall
from agentic_plan_execute.execution import execute
from agentic_plan_execute.prompts import call_id
from agentic_plan_execute.references import filled
from agentic_plan_execute.state import Result, State, Step


async def run_steps(run: Run, state: State) -> tuple[dict[str, Result], list[Step]]:
    """All results so far, those of this round in the plan's order, and the client's steps with their inputs filled in.

    What needs a step of the client's waits for the client: it is planned again when its results are there.
    """
    work = _Work(run, state)
    ours, theirs = work.parted()
    await execute(ours, work.run_step, work.leave_out, alone=work.alone)
    handed_over = [work.ready(step) for step in theirs if work.can_begin(step)]
    order = {step["id"]: place for place, step in enumerate(state["plan"])}
    ranked = sorted(work.results.items(), key=lambda item: order.get(item[0], -1))
    return dict(ranked), handed_over


class _Work:
    """One round's results as they come in."""

    def __init__(self, run: Run, state: State) -> None:
        self.results = dict(state["results"])
        self.alone = frozenset(spec.name for spec in run.tools.specs if not spec.parallel)
        self._run = run
        self._plan = state["plan"]
        self._round = state["iteration_count"]
        self._specs = {spec.name: spec for spec in run.tools.specs}

    def parted(self) -> tuple[list[Step], list[Step]]:
        """The server's steps that wait for none of the client's, and the client's that wait for none of their own."""
        theirs = {step["id"] for step in self._plan if self._specs[step["tool"]].client}
        waiting = set(theirs)
        while more := {step["id"] for step in self._plan if waiting & {*step["needs"]}} - waiting:
            waiting |= more
        ours = [step for step in self._plan if step["id"] not in waiting]
        first = [step for step in self._plan if step["id"] in theirs and not waiting & {*step["needs"]}]
        return ours, first

    async def run_step(self, step: Step) -> bool:
        """Call the step's tool with its input filled in; False if the call failed."""
        title = f"{step['id']}: {step['tool']}"
        self._run.progress(step["id"], title, "running")
        call = ToolCall(call_id(self._run.id, step["id"]), step["tool"], self.ready(step)["input"])
        [found] = await self._run.tools.call([call])
        self._keep(step, found.content, error=found.error)
        self._run.progress(step["id"], f"{title} {'failed' if found.error else 'done'}", _state(found.error))
        return not found.error

    def leave_out(self, step: Step, need: str) -> None:
        """Report a step that cannot be run, since what it needs has failed."""
        self._keep(step, f"Not run: it needs {need}, which failed.", error=True)
        self._run.progress(step["id"], f"{step['id']}: {step['tool']} left out, since {need} failed", "skipped")

    def can_begin(self, step: Step) -> bool:
        """Whether all that a client's step needs is there; if not, it is reported."""
        for need in step["needs"]:
            if self.results[need]["error"]:
                self.leave_out(step, need)
                return False
        return True

    def ready(self, step: Step) -> Step:
        """The step with results in place of references."""
        contents = {name: one["content"] for name, one in self.results.items() if name in step["needs"]}
        schema = self._specs[step["tool"]].parameters
        return Step(id=step["id"], tool=step["tool"], input=filled(step["input"], contents, schema), needs=[])

    def _keep(self, step: Step, content: str, *, error: bool) -> None:
        self.results[step["id"]] = Result(
            tool=step["tool"], input=step["input"], content=content, error=error, round=self._round
        )


def _state(error: bool) -> str:
    return "failed" if error else "done"
