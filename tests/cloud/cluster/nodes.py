"""Ray nodes on this machine, in a network of their own that reaches nothing but itself."""

import contextlib
import functools
import inspect
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from enhance_cli.cloud.cluster.connection import connected, import_ray
from enhance_cli.cloud.cluster.engine import ClusterEngine
from enhance_cli.cloud.cluster.plan_ahead import PlanAhead
from enhance_cli.cloud.cluster.ray_cluster import RayCluster
from enhance_cli.cloud.run import CloudRun
from enhance_cli.cloud.shard import CloudPhoto, Shard, ShardOutcome
from enhance_cli.config.apply import ApplyConfig

INSIDE = "ENHANCE_TEST_NAMESPACE"
ROOT = Path(__file__).parents[3]


def _namespaces() -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run(["unshare", "-n", "-r", "true"], check=False).returncode == 0
    return False


def alone_on_the_network(test):
    """Run a test in a network namespace with nothing but the loopback interface.

    Ray would otherwise listen on the machine's address.
    """
    wanted = tuple(inspect.signature(test).parameters)

    @functools.wraps(test)
    def run(**fixtures):
        if INSIDE in os.environ:
            test(**{name: fixtures[name] for name in wanted})
            return
        if not _namespaces():
            pytest.skip("network namespaces are not allowed here")
        alone = ["unshare", "-n", "-r", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        again = ["-m", "pytest", "-q", "-m", "slow or not slow", "-p", "no:cacheprovider", "-n0"]
        ran = subprocess.run(
            [*alone, sys.executable, *again, fixtures["request"].node.nodeid],
            cwd=ROOT,
            env={**os.environ, **surroundings(), INSIDE: "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]
        assert "1 passed" in ran.stdout

    kind = inspect.Parameter.KEYWORD_ONLY
    names = dict.fromkeys(["request", *wanted])
    run.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    return run


def surroundings() -> dict[str, str]:
    """Environment in which Ray's processes find the code, and are quiet."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    return {"PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}


@contextlib.contextmanager
def ray_nodes(count):
    """Nodes of one core each; the first is the head."""
    import_ray()
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for _ in range(count):
            add_node(cluster)
        yield cluster
    finally:
        cluster.shutdown()


@contextlib.contextmanager
def ray_head():
    """A head node as users start it, and the server for drivers elsewhere; its two addresses."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--head"]
        command += ["--port=6379", "--ray-client-server-port=10001", "--num-cpus=1"]
        command += ["--node-ip-address=127.0.0.1", "--include-dashboard=false"]
        command += ["--object-store-memory=80000000", f"--temp-dir={folder}"]
        head = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for port in (6379, 10001):
                _wait_for(port)
            yield "127.0.0.1:6379", "ray://127.0.0.1:10001"
        finally:
            head.terminate()
            head.wait()


def _wait_for(port):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.2)
    raise AssertionError(f"nobody listens on port {port}")


def add_node(cluster):
    options = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    return cluster.add_node(**options)


def shards_of(names, size=50, milliseconds=20):
    photos = [CloudPhoto(0, name, milliseconds, "v", name) for name in names]
    parts = [photos[first : first + size] for first in range(0, len(photos), size)]
    return [Shard(f"{number:06}", tuple(part)) for number, part in enumerate(parts)]


def run_in(folder, **options):
    folder.mkdir(parents=True, exist_ok=True)
    return CloudRun(ApplyConfig((), folder, **options), (), str(folder), "run", "settings", "plan")


def give_up(shard, culprit):
    error = f"{culprit.deaths} workers died"
    return ShardOutcome(
        culprit.photo, shard.photos[culprit.photo].key, None, "failed", "new", error
    )


@contextlib.contextmanager
def engine_at(address, run, shards, warn=lambda _line: None):
    from tests.cloud.cluster.stand_in import StandInWorker

    with connected(address):
        cluster = RayCluster(run, StandInWorker)
        yield ClusterEngine(cluster, PlanAhead(iter(shards)), give_up, warn)


def lines_of(file):
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []
