"""What was measured of an engine, and the table of all engines."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: a batch of workflows, started and approved by so many clients, and single ones."""

    workflows: int
    clients: int
    singles: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of an engine: workflows per second of the batch, and seconds of each workflow by itself.

    `cpu` is CPU seconds per workflow of the batch, by process.
    """

    workflows_per_second: float
    latencies: tuple[float, ...]
    cpu: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Summary:
    """All rounds of an engine: medians of the rounds' rates and percentiles; milliseconds.

    `ratio` is the rate divided by that of the first engine in the same round, the median of the rounds.
    """

    engine: str
    synced: str
    workflows_per_second: float
    slowest: float
    fastest: float
    ratio: float
    p50_ms: float
    p95_ms: float
    cpu_ms: dict[str, float]


def summarize(engine: str, synced: str, rounds: Sequence[Measured], first: Sequence[Measured]) -> Summary:
    """Summarize the rounds of an engine, compared with the same rounds of the first one."""
    rates = [each.workflows_per_second for each in rounds]
    ratios = [mine / theirs.workflows_per_second for mine, theirs in zip(rates, first, strict=True)]
    return Summary(
        engine=engine,
        synced=synced,
        workflows_per_second=statistics.median(rates),
        slowest=min(rates),
        fastest=max(rates),
        ratio=statistics.median(ratios),
        p50_ms=statistics.median(percentile(each.latencies, 50) for each in rounds) * 1000,
        p95_ms=statistics.median(percentile(each.latencies, 95) for each in rounds) * 1000,
        cpu_ms={name: statistics.median(each.cpu[name] for each in rounds) * 1000 for name in rounds[0].cpu},
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that so many percent of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]


def markdown(summaries: Sequence[Summary]) -> str:
    """Return the table of docs/performance.md."""
    head = (
        "| | synced to disk | workflows per second | ratio | one by itself: p50 · p95 | CPU per workflow |",
        "|---|---|---|---|---|---|",
    )
    return "\n".join([*head, *map(_line, summaries)])


def _line(each: Summary) -> str:
    rate = f"{each.workflows_per_second:.1f} ({each.slowest:.1f} to {each.fastest:.1f})"
    cpu = " · ".join(f"{name} {spent:.1f} ms" for name, spent in each.cpu_ms.items())
    return (
        f"| {each.engine} | {each.synced} | {rate} | {each.ratio:.2f} "
        f"| {each.p50_ms:.0f} · {each.p95_ms:.0f} ms | {cpu} |"
    )
