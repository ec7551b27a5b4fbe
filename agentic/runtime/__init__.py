"""How a request becomes a run, and a run an answer. In the order in which a request meets them:

| module | what it does |
|---|---|
| request | what a dialect has made of a request: all that is needed here |
| engine | opens the run, holds the session's turn, sees the run through |
| run, channel | the run while it lives, and its log of events in the making |
| place, conversations, joining | where its turn goes; what is stored there, and what the client sends joined to it |
| casting, router | the run's model; every agent's bid, and the decision |
| equipment | the handles of the agent: model, tools, space |
| history | the beginning of a conversation that is too long, summed up |
| toolbox, tool_call, files | the tools; one call of one; what it makes |
| budget, approval | how much the run may spend; who lets a call through |
| ending | the last event |
| opening, journal, record | when the request is stored, how the run is, and what is kept of it |
| spaces, indexes | what is kept, bound to one user; what finds things in it |

What goes on where a server has ended: presence (who is there), restart (looks), resume, replay (goes on). What is done
with what is kept: search, markdown, export, clearing (conversations), departures (users), copying (everything).
"""
