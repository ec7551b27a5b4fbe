"""An agent that answers, criticises its answer, and improves it."""

import re

from agentic import Agent, Bid, Message, Run, Task, hookimpl

CARE = re.compile(r"\b(careful|carefully|polished|proof-?read|double-check|flawless|best possible)\b", re.IGNORECASE)
CRITICISE = "Criticise your answer: list what is wrong, missing, unclear or too long. Do not write it anew."
IMPROVE = "Now give the improved answer, and nothing else."


class Critic(Agent):
    name = "critic"
    description = "Answers, criticises its answer, and improves it"

    def bid(self, task: Task) -> Bid:
        care = CARE.search(task.text)
        return Bid(0.9, f"the request asks for care: {care[0]}") if care else Bid(0, "nothing asks for care")

    async def run(self, run: Run) -> None:
        messages, tools = list(run.messages), run.tools.specs
        while (draft := await run.model.complete(messages, tools=tools)).calls:
            results = await run.tools.call(draft.calls)
            messages.append(Message("assistant", draft.text, tool_calls=draft.calls))
            for call, result in zip(draft.calls, results, strict=True):
                messages.append(Message("tool", result.content, tool_call_id=call.id, name=call.name))
        run.think(f"Draft: {draft.text}\n\n")
        messages += [Message("assistant", draft.text), Message("user", CRITICISE)]
        faults = await run.model.complete(messages)
        run.think(f"Faults: {faults.text}\n\n")
        messages += [Message("assistant", faults.text), Message("user", IMPROVE)]
        await run.model.complete(messages, say=True)


@hookimpl
def agentic_agents() -> Agent:
    return Critic()
