"""How a step is committed, and how what it causes gets done whatever crashes.

Read in this order: `commit` (decide, announce, one transaction), `wake` (tell the orchestration), `observe`
(what is to be done now), `perform` (do it), `sweep` (find those who died in between),
`restart` (end an instance and start it again), `purge` (remove what has finished).
docs/architecture.md tells the story; tests/model tries it with random deaths.
"""
