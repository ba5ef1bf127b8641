"""The demo: plays deals of every type through the HTTP API: `python -m samples.demo`."""
