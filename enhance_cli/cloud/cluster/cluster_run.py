"""A run over photos in stores, worked off by a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial

from enhance_cli.cloud.cluster.engine import ClusterEngine
from enhance_cli.cloud.cluster.plan_ahead import PlanAhead
from enhance_cli.cloud.cluster.ray_cluster import RayCluster
from enhance_cli.cloud.cluster.schedule import Culprit
from enhance_cli.cloud.run import CloudRun
from enhance_cli.cloud.shard import Shard, ShardOutcome
from enhance_cli.cloud.worker import ShardWorker, report_failed


def cluster_engine(
    run: CloudRun,
    warn: Callable[[str], None],
    look_read: Callable[[str], None] = lambda _name: None,
) -> ClusterEngine:
    """What works a run off; Ray must be connected.

    Args:
        run: The run, which has begun.
        warn: Told of each kind of worker that cannot start.
        look_read: Called with the name of each ``enhance.toml`` that says something.

    Raises:
        UsageError: A GPU is wanted, and the cluster has none.
    """
    cluster = RayCluster(run, ShardWorker)
    return ClusterEngine(cluster, PlanAhead(run.shards()), partial(_give_up, run), warn, look_read)


def work_through_cluster(run: CloudRun, engine: ClusterEngine) -> Generator[ShardOutcome]:
    """Do all photos of a run; old plans are removed at the end.

    Raises:
        EnhanceError: The run cannot go on.
    """
    yield from engine
    if not engine.was_stopped:
        run.finish()


def _give_up(run: CloudRun, shard: Shard, culprit: Culprit) -> ShardOutcome:
    reason = (
        f"{culprit.deaths} workers died while it was in progress: a decoder may have crashed, or "
        "memory run out; try it on one machine"
    )
    return report_failed(run, shard, culprit.photo, reason)
