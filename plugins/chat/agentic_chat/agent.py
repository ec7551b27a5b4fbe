"""Hands the messages to the model as they are, with the client's tools and none of the server's."""

from __future__ import annotations

from agentic import GENERAL, Agent, Bid, ModelError, Run, Task


class Chat(Agent):
    """Plain conversation. It is the fitter the less any installed tool helps."""

    name = "chat"
    description = "Talks with the model, without tools of the server"
    plain = True

    def bid(self, task: Task) -> Bid:
        """High where no tool of the server fits, and where the client wants its own tools or none."""
        if task.tool_choice == "none":
            return Bid(0.95, "the client wants no tool to be called")
        if task.tool_choice != "auto":
            return Bid(0.95, "the client wants one of its own tools to be called")
        if not task.text.strip():
            return Bid(GENERAL, "there is no text for a tool to work on")
        if not task.fit:
            return Bid(GENERAL, "no tool is installed")
        tool = task.shape.tool
        return Bid(round(GENERAL * (1 - tool), 3), f"no tool of the server helps ({1 - tool:.2f})")

    async def run(self, run: Run) -> None:
        """One model call; calls of the client's tools end the run.

        Raises ModelError where the model says nothing and calls a tool that it was not offered.
        """
        theirs = [spec for spec in run.tools.specs if spec.client]
        reply = await run.model.complete(run.messages, tools=theirs, say=True)
        names = {spec.name for spec in theirs}
        wanted = [call for call in reply.calls if call.name in names]
        if wanted:
            await run.tools.call(wanted)
        elif reply.calls and not reply.text.strip():
            raise ModelError("The model called a tool that it was not offered, and said nothing else.")
