"""The real work on real nodes of Ray gives what one machine gives."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("ray")
pytest.importorskip("obstore")

from enhance_cli.cloud.cluster.cluster_run import cluster_engine, work_through_cluster
from enhance_cli.cloud.cluster.connection import connected
from enhance_cli.cloud.machine import work_through
from enhance_cli.cloud.run import begin_run
from enhance_cli.cloud.worker import ShardWorker
from enhance_cli.config.apply import ApplyConfig
from tests.cloud.cluster.nodes import alone_on_the_network, ray_nodes
from tests.stored import results

pytestmark = pytest.mark.slow


def write_photos(folder, count):
    pixels = np.random.default_rng(7).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    for number in range(count):
        path = folder / f"{number % 3}" / f"{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(pixels, number, 1)).resize((120, 80)).save(path)
    (folder / "0" / "000.jpg").write_bytes(b"\xff\xd8 not a photo")


def begun(folder, out, weights):
    config = ApplyConfig((folder,), out, weights=weights, device="cpu")
    return begin_run(config, [str(folder)], str(out))


def on_one_machine(run):
    worker = ShardWorker(run)
    try:
        return list(work_through(run, worker))
    finally:
        worker.close()


def told(outcomes, out):
    return sorted(
        (one.input, one.status, (one.output or "").removeprefix(str(out))) for one in outcomes
    )


@alone_on_the_network
def test_a_cluster_gives_what_one_machine_gives(tmp_path, brightening_weights):
    write_photos(tmp_path / "photos", 60)
    one = begun(tmp_path / "photos", tmp_path / "one", brightening_weights)
    expected = on_one_machine(one)
    many = begun(tmp_path / "photos", tmp_path / "many", brightening_weights)
    warnings = []
    with ray_nodes(2) as nodes, connected(nodes.address):
        engine = cluster_engine(many, warnings.append)
        outcomes = list(work_through_cluster(many, engine))
        assert told(outcomes, tmp_path / "many") == told(expected, tmp_path / "one")
        assert results(tmp_path / "many") == results(tmp_path / "one")
        assert len(results(tmp_path / "many")) == 59
        assert engine.progress.failed == 1
        assert warnings == []
        again = begun(tmp_path / "photos", tmp_path / "many", brightening_weights)
        second = list(work_through_cluster(again, cluster_engine(again, warnings.append)))
    assert {one.status for one in second} == {"skipped", "failed"}
