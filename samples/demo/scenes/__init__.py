"""The scenes of the demo. Each module has a function `play(scene)`, whose docstring is the title."""
