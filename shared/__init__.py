"""Everything behind the triggers: domain rules, storage, workflow, mail, authentication and administration."""
