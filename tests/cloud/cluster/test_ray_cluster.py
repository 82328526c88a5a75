"""On real nodes of Ray: workers, nodes and drivers are killed, and nothing is lost."""

import os
import signal
import time

import pytest

pytest.importorskip("ray")
from tests.cloud.cluster.nodes import (
    add_node,
    alone_on_the_network,
    engine_at,
    lines_of,
    ray_head,
    ray_nodes,
    run_in,
    shards_of,
)

NAMES = [f"{number:03}.jpg" for number in range(200)]

pytestmark = pytest.mark.slow


def by_status(outcomes):
    found = {}
    for one in outcomes:
        found.setdefault(one.status, []).append(one.input)
    return {status: sorted(names) for status, names in found.items()}


@alone_on_the_network
def test_a_poison_photo_among_200_fails_alone(tmp_path):
    names = [*NAMES[:117], "117-poison.jpg", *NAMES[118:]]
    with (
        ray_nodes(2) as nodes,
        engine_at(nodes.address, run_in(tmp_path), shards_of(names)) as engine,
    ):
        outcomes = list(engine)
    found = by_status(outcomes)
    assert found["failed"] == ["117-poison.jpg"]
    assert found["done"] == [*NAMES[:117], *NAMES[118:]]
    assert [one.error for one in outcomes if one.error] == ["2 workers died"]
    assert sorted(lines_of(tmp_path / "done")) == found["done"], "none was done twice"
    assert lines_of(tmp_path / "begun").count("117-poison.jpg") == 2


@alone_on_the_network
def test_nodes_are_lost_and_join(tmp_path):
    names = NAMES
    run = run_in(tmp_path)
    with ray_nodes(2) as nodes, engine_at(nodes.address, run, shards_of(names, 20, 200)) as engine:
        outcomes, seen = [], []
        for one in engine:
            outcomes.append(one)
            seen.append(engine.progress.nodes)
            if len(outcomes) == 10:
                add_node(nodes)
            if len(outcomes) == 100:
                lost = next(iter(nodes.worker_nodes))
                nodes.remove_node(lost, allow_graceful=False)
    assert sorted(one.input for one in outcomes) == names
    assert by_status(outcomes).keys() <= {"done", "skipped"}
    assert max(seen) == 3, "the node that joined got work"
    twice = len(lines_of(tmp_path / "done")) - len(set(lines_of(tmp_path / "done")))
    assert twice <= 1, "done twice is at most what was in flight"


@alone_on_the_network
def test_a_stranger_kills_workers_and_no_photo_is_blamed(tmp_path):
    run = run_in(tmp_path)
    with ray_nodes(2) as nodes, engine_at(nodes.address, run, shards_of(NAMES, 50, 50)) as engine:
        outcomes, killed = [], set()
        for one in engine:
            outcomes.append(one)
            begun = (tmp_path / "begun").read_text().split()[1::2]
            process = int(begun[-1])
            if begun.count(begun[-1]) < 5:
                continue  # it may try a photo alone; that it dies then would be the photo's fault
            if len(outcomes) > 20 * (1 + len(killed)) and len(killed) < 3 and process not in killed:
                killed.add(process)
                os.kill(process, signal.SIGKILL)
    assert sorted(one.input for one in outcomes) == NAMES
    assert by_status(outcomes).keys() == {"done"}
    assert len(killed) == 3


@alone_on_the_network
def test_workers_that_cannot_load_end_the_run_with_their_reason(tmp_path):
    from enhance_cli.errors import EnhanceError

    run = run_in(tmp_path)
    (tmp_path / "refuses").touch()
    warnings = []
    with (
        ray_nodes(1) as nodes,
        engine_at(nodes.address, run, shards_of(NAMES), warnings.append) as engine,
        pytest.raises(EnhanceError, match=r"node .*: --device cuda: this node has no GPU"),
    ):
        list(engine)
    assert len(warnings) == 1


@alone_on_the_network
def test_from_a_machine_that_is_no_node(tmp_path, capfd):
    names = [*NAMES[:20], "poison.jpg", "broken.jpg"]
    with ray_head() as addresses:
        for number, address in enumerate(reversed(addresses)):
            run = run_in(tmp_path / f"{number}")
            with engine_at(address, run, shards_of(names)) as engine:
                found = by_status(engine)
            assert found == {"done": NAMES[:20], "failed": ["broken.jpg", "poison.jpg"]}
        said = capfd.readouterr()
    assert said == ("", ""), "the terminal is ours"


@alone_on_the_network
def test_the_first_ctrl_c_finishes_photos_in_flight(tmp_path):
    with (
        ray_nodes(2) as nodes,
        engine_at(nodes.address, run_in(tmp_path), shards_of(NAMES, 50, 50)) as engine,
    ):
        count, stopped_at = 0, 0.0
        for _ in engine:
            count += 1
            if count == 20:
                engine.stop()
                stopped_at = time.monotonic()
        assert time.monotonic() - stopped_at < 10
    assert count < 120
    assert sorted(lines_of(tmp_path / "begun")) == sorted(lines_of(tmp_path / "done"))
