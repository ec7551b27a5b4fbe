"""ReAct (Yao et al. 2022, https://arxiv.org/abs/2210.03629): thought, action, observation, until there is an answer."""

from __future__ import annotations

from collections.abc import Sequence

from agentic import GENERAL, Agent, Bid, Message, Reply, Run, Task, ToolResult

INSTRUCTION = """You answer with the help of tools. Use a tool where it gives facts, results or effects that you \
cannot be sure of yourself; call several at once where they do not need each other. Read what they return before you \
go on. If a tool fails, mend the call or find another way. Answer as soon as you know enough, in the user's language, \
and do not speak of tools or steps."""

LAST_STEP = """

Your steps are used up: no tool can be called any more. Answer now with what is known, and say what could not be \
found out."""


class React(Agent):
    """One step after another: the model thinks, calls tools, sees what they return, and goes on or answers."""

    name = "react"
    description = "Thinks, calls tools, observes, step by step"
    rank = 10

    def __init__(self, max_steps: int) -> None:
        self._max_steps = max_steps

    def bid(self, task: Task) -> Bid:
        """As likely as a tool is to help, a little lower where the work falls into parts that need not each other."""
        if task.tool_choice != "auto":
            return Bid(0.2, "the client has settled which tools are called")
        if not task.fit:
            return Bid(0.1, "no tool is installed")
        shape, best = task.shape, task.fit[0]
        fitness = GENERAL * shape.tool * (1 - 0.25 * shape.parts)
        work = "falls into parts" if shape.parts > 0.5 else "is one step or a chain"
        return Bid(round(fitness, 3), f"a tool helps ({shape.tool:.2f}), {best.tool} first; the work {work}")

    async def run(self, run: Run) -> None:
        """At most ``max_steps`` steps with tools; then it answers with what is known, and says so."""
        messages = [Message("system", INSTRUCTION), *run.messages] if run.tools.specs else list(run.messages)
        for _ in range(self._max_steps):
            reply = await run.model.complete(messages, tools=run.tools.specs, say=True)
            if not reply.calls:
                return
            results = await run.tools.call(reply.calls)
            messages += observations(reply, results)
            if reply.text and not reply.text[-1].isspace():
                # What was said before the calls does not run into what follows.
                run.say("\n\n")
        await run.model.complete(last(messages), say=True)
        run.notice(f"Stopped after {self._max_steps} {'step' if self._max_steps == 1 else 'steps'}.")


def last(messages: Sequence[Message]) -> list[Message]:
    """The messages for the answer at the cap: told in front, since nothing may stand between results and answer."""
    if messages[0].role != "system":
        return [Message("system", LAST_STEP.strip()), *messages]
    return [Message("system", messages[0].text + LAST_STEP), *messages[1:]]


def observations(reply: Reply, results: Sequence[ToolResult]) -> list[Message]:
    """A step as messages: what the model said and called, and what came back."""
    said = Message("assistant", reply.text, tool_calls=reply.calls)
    back = [
        Message("tool", result.content, tool_call_id=call.id, name=call.name)
        for call, result in zip(reply.calls, results, strict=True)
    ]
    return [said, *back]
