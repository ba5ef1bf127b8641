"""What `python -m bench.peers` makes of its measurements, and the workflow on devhost."""

from xml.etree import ElementTree as ET

import pytest

from bench.errors import MeasurementError
from bench.peers import dbos, durable_functions, engines, postgres
from bench.peers.measured import Measured, Size, markdown, percentile, summarize
from bench.peers.plot import plot


def rounds(*rates, latencies=(0.01,)):
    return [Measured(rate, latencies, {"host": 0.005}) for rate in rates]


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (95, 4), (25, 1), (26, 2), (100, 4)])
def test_a_percentile_is_a_measured_value_by_nearest_rank(percent, value):
    assert percentile([4, 1, 3, 2], percent) == value


def test_the_ratio_of_an_engine_is_the_median_of_the_ratios_to_the_first_engine_of_each_round():
    summary = summarize("peer", "fsync", rounds(10, 40, 30), first=rounds(100, 50, 300))
    assert summary.ratio == 0.1
    assert (summary.slowest, summary.workflows_per_second, summary.fastest) == (10, 30, 40)


def test_the_table_has_a_line_for_each_engine_with_what_it_syncs():
    measured = rounds(100.0, latencies=(0.010, 0.200))
    one = summarize("devhost", "SQLite, FULL", measured, measured)
    assert markdown([one]).splitlines()[2] == (
        "| devhost | SQLite, FULL | 100.0 (100.0 to 100.0) | 1.00 | 10 · 200 ms | host 5.0 ms |"
    )


def test_the_drawing_is_well_formed_and_a_bar_is_as_long_as_its_rate():
    fast, slow = (summarize(f"<{rate}>", "", rounds(rate), rounds(100.0)) for rate in (100.0, 25.0))
    drawing = ET.fromstring(plot([fast, slow]))
    bars = [float(each.get("width", "")) for each in drawing.iterfind(".//*[@fill='#4c78a8']")]
    assert bars[0] == pytest.approx(4 * bars[1], abs=0.2)
    texts = [each.text for each in drawing.iterfind("{http://www.w3.org/2000/svg}text")]
    assert {"<100.0>", "<25.0>"} <= set(texts)


def test_an_engine_that_this_machine_lacks_is_named_in_one_line(monkeypatch):
    monkeypatch.setattr(engines, "find_core_tools", lambda: None)
    monkeypatch.setattr(postgres, "_program", lambda _: None)
    lacking = [line for engine in engines.ENGINES[1::2] if (line := engine.missing())]
    assert len(lacking) == 2
    assert all("\n" not in line and line.endswith(".") for line in lacking)


def test_sqlite_that_syncs_less_than_the_table_says_is_an_error():
    dbos._check_synced([])
    dbos._check_synced([["delete", 2]])
    with pytest.raises(MeasurementError):
        dbos._check_synced([["delete", 2], ["delete", 1]])
    with pytest.raises(MeasurementError):
        dbos._check_synced([["wal", 2]])


def test_the_workflow_completes_on_devhost(tmp_path):
    measured = durable_functions.on_devhost(tmp_path, Size(workflows=3, clients=2, singles=2))
    assert len(measured.latencies) == 2
    assert measured.workflows_per_second > 0
