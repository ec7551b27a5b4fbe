"""Answers that need no plan: without a tool of the server's, or where the client has settled what is called."""

from __future__ import annotations

from agentic import Message, Run
from agentic_plan_execute.rule import by_rule


def needs_no_plan(run: Run) -> bool:
    """Whether there is nothing to plan.

    Calls of the client's tools end the run, so there is no order among them to be planned. A model that can only be led
    by rules gets a plan by rule, once, where the rules read one.
    """
    if run.task.tool_choice != "auto" or all(spec.client for spec in run.tools.specs):
        return True
    if run.model.info.tool_mode != "fit":
        return False
    return run.messages[-1].role != "user" or not by_rule(run)


async def answer_directly(run: Run) -> None:
    """One call with the tools offered, and one more where it led to calls of the server's."""
    reply = await run.model.complete(run.messages, tools=run.tools.specs, say=True)
    if not reply.calls:
        return
    results = await run.tools.call(reply.calls)
    if reply.text and not reply.text[-1].isspace():
        # What was said before the calls does not run into what follows.
        run.say("\n\n")
    back = [
        Message("tool", result.content, tool_call_id=call.id, name=call.name)
        for call, result in zip(reply.calls, results, strict=True)
    ]
    said = Message("assistant", reply.text, tool_calls=reply.calls)
    await run.model.complete([*run.messages, said, *back], say=True)
