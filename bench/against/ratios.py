"""Figures of two trees, measured in turn, and their ratios."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Figures = dict[str, float]
"""What one round measured, by name, in the order in which it is printed."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure of both trees: medians of the rounds, and this tree's divided by the other's, round by round.

    `ratio` is the median of the rounds' ratios, None if the other tree's figure was 0 in a round.
    """

    name: str
    this: float
    other: float
    ratio: float | None
    lowest: float | None
    highest: float | None


def compare(this: Sequence[Figures], other: Sequence[Figures]) -> list[Comparison]:
    """Compare rounds that were played in turn; both must have the same figures in as many rounds, at least one."""
    return [
        _comparison(name, [each[name] for each in this], [each[name] for each in other]) for name in this[0]
    ]


def _comparison(name: str, this: list[float], other: list[float]) -> Comparison:
    medians = statistics.median(this), statistics.median(other)
    if 0 in other:
        return Comparison(name, *medians, ratio=None, lowest=None, highest=None)
    ratios = [mine / theirs for mine, theirs in zip(this, other, strict=True)]
    return Comparison(
        name, *medians, ratio=statistics.median(ratios), lowest=min(ratios), highest=max(ratios)
    )


def table(comparisons: Sequence[Comparison], other: str) -> str:
    """Return the comparisons as text, a line each."""
    width = max(len(each.name) for each in comparisons)
    lines = [f"{'':{width}}{'this':>11}{other[:12]:>14}{'ratio':>8}   its range over the rounds"]
    for each in comparisons:
        figures = f"{each.name:{width}}{each.this:>11,.2f}{each.other:>14,.2f}"
        if each.ratio is None:
            lines.append(f"{figures}{'-':>8}")
        else:
            lines.append(f"{figures}{each.ratio:>8.2f}   {each.lowest:.2f} to {each.highest:.2f}")
    return "\n".join(lines)
