"""How a step of a record is committed, and how its effects are carried out even if processes crash.

Read in this order:

- `commit` (decide, announce, one transaction), `announce` (intents, written before), `arrivals` (what invitations and
  leads become)
- `follow_up` (after a commit, by the handler), `perform` (the tasks of one work row), `work_runs` (rows, and those of
  the steps that they cause)
- `observe` (what is due on a record), `due_work` (do it), `sweep` (find the records on which something is due)
- `wake` (start, wake and end orchestrations), `restart` (terminate one and start it again), `purge` (remove finished
  ones)

docs/architecture.md explains the protocol; tests/model checks it with random crashes.
"""
