"""How a step of a record is committed, and how its effects are carried out even if processes crash.

Read in this order: `commit` (decide, announce, one transaction), `wake` (notify the orchestration), `observe`
(determine what to do now), `perform` (do it), `sweep` (find records whose handler or orchestration died),
`restart` (end an instance and start it again), `purge` (remove finished instances).
docs/architecture.md explains the protocol; tests/model checks it with random crashes.
"""
