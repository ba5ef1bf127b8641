"""Mail: what is told to whom (`notices`), in which words (`rendering`), and its `delivery` to the `service`."""
