"""The scenes of the demo, one module each: a function `play` of a `Scene`, whose docstring is the title."""
