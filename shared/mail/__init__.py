"""Mail: what is told to whom (`notices`), in which words (`rendering`), and getting it there (`delivery`, `service`)."""
