"""Mail: planning messages (`notices`), rendering them (`rendering`) and sending them (`delivery`)."""
