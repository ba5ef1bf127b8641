"""The figures of the engines as an SVG drawing: rates as bars, latencies from p50 to p95 on a logarithmic scale."""

import math
from collections.abc import Sequence
from html import escape

from bench.peers.measured import Summary

_LABELS, _PANEL, _GAP, _ROW = 260, 300, 70, 34
_TOP, _BOTTOM = 56, 46
_BAR = 16
_FONT = "font-family='sans-serif' font-size='13'"
_INK, _RATE, _LATENCY, _GRID = "#24292f", "#4c78a8", "#e07b39", "#d0d7de"


def plot(summaries: Sequence[Summary]) -> str:
    """Return the SVG document."""
    height = _TOP + _ROW * len(summaries) + _BOTTOM
    width = _LABELS + 2 * _PANEL + _GAP + 70
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' {_FONT} fill='{_INK}'>",
        f"<rect width='{width}' height='{height}' fill='white'/>",
        _text(_LABELS, 24, "workflows per second, slowest to fastest round"),
        _text(_LABELS + _PANEL + _GAP, 24, "one workflow by itself, p50 to p95, log scale"),
        *_rates(summaries, height),
        *_latencies(summaries, height),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _rates(summaries: Sequence[Summary], height: int) -> list[str]:
    largest = max(each.fastest for each in summaries) * 1.15
    scale = _PANEL / largest
    step = _round_step(largest / 4)
    parts = [
        tick
        for number in range(int(largest // step) + 1)
        for tick in _tick(_LABELS + number * step * scale, height, f"{number * step:g}")
    ]
    for row, each in enumerate(summaries):
        y = _TOP + row * _ROW
        parts += [
            _text(_LABELS - 10, y + _BAR - 3, each.engine.replace("`", ""), anchor="end"),
            _bar(_LABELS, y, each.workflows_per_second * scale, _RATE),
            _line(_LABELS + each.slowest * scale, _LABELS + each.fastest * scale, y + _BAR / 2, _INK),
            _text(_LABELS + each.fastest * scale + 6, y + _BAR - 3, f"{each.workflows_per_second:.0f}"),
        ]
    return parts


def _latencies(summaries: Sequence[Summary], height: int) -> list[str]:
    left = _LABELS + _PANEL + _GAP
    lowest = math.floor(math.log10(min(each.p50_ms for each in summaries)))
    highest = max(math.ceil(math.log10(max(each.p95_ms for each in summaries))), lowest + 1)

    def x(milliseconds: float) -> float:
        return left + (math.log10(milliseconds) - lowest) / (highest - lowest) * _PANEL

    parts = [
        tick
        for power in range(lowest, highest + 1)
        for tick in _tick(x(10**power), height, f"{10**power:g} ms")
    ]
    for row, each in enumerate(summaries):
        y = _TOP + row * _ROW
        parts += [
            _bar(x(each.p50_ms), y, max(x(each.p95_ms) - x(each.p50_ms), 3), _LATENCY),
            _text(x(each.p95_ms) + 6, y + _BAR - 3, f"{each.p50_ms:.0f} to {each.p95_ms:.0f}"),
        ]
    return parts


def _round_step(at_least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, 50 and so on that is not below `at_least`."""
    power = 10.0 ** math.floor(math.log10(at_least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= at_least)


def _tick(x: float, height: int, label: str) -> list[str]:
    bottom = height - _BOTTOM + 8
    return [
        f"<line x1='{x:.1f}' y1='{_TOP - 8}' x2='{x:.1f}' y2='{bottom}' stroke='{_GRID}'/>",
        _text(x, bottom + 18, label, anchor="middle"),
    ]


def _bar(x: float, y: float, width: float, colour: str) -> str:
    return f"<rect x='{x:.1f}' y='{y}' width='{width:.1f}' height='{_BAR}' fill='{colour}'/>"


def _line(x1: float, x2: float, y: float, colour: str) -> str:
    return f"<line x1='{x1:.1f}' y1='{y}' x2='{x2:.1f}' y2='{y}' stroke='{colour}' stroke-width='2'/>"


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{escape(text)}</text>"
