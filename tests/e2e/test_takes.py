"""Bad takes through workers, servers and store: a short form of `benchmarks/takes`."""

from __future__ import annotations

from tests.cluster import spoiling
from tests.cluster.spoiling import GOOD
from tests.e2e.conftest import StartCluster

JOBS = 200


def test_bad_takes_are_bought_again_and_good_ones_kept(start_cluster: StartCluster) -> None:
    """Every ninth first take is spoilt in one way or another: those are refused, and every file is a good take."""
    cluster = start_cluster(spoiling.shape())
    batch = cluster.submit(spoiling.texts(JOBS))
    counts = cluster.wait_until_done(batch)

    found = spoiling.sort(cluster, batch)
    print(
        f"refused {found.bad_refused} of {found.bad} bad takes and {found.refused[GOOD]} of {found.served[GOOD]} good"
    )
    assert found.served.keys() == {GOOD, "truncated", "silent", "empty", "repeated", "cut off"}
    assert found.bad_refused == found.bad
    assert (found.refused[GOOD], found.unfinished, found.wrong_files, found.unkept) == (0, 0, 0, 0)
    assert counts.cost == cluster.emulator.state.billed
