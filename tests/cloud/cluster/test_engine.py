"""The engine on a pretended cluster: it starts workers, feeds them, and comes to an end."""

import random
from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enhance_cli.cloud.cluster.engine import ClusterEngine, Died, Ready, Refused, Told
from enhance_cli.cloud.shard import CloudPhoto, Shard, ShardOutcome
from enhance_cli.errors import EnhanceError


def shard(number, size):
    key = f"{number}"
    photos = tuple(CloudPhoto(0, f"{key}/{i}.jpg", 1, "v", f"{key}/{i}.jpg") for i in range(size))
    return Shard(key, photos)


def outcome(one, photo, status="done", error=None):
    return ShardOutcome(photo, one.photos[photo].key, None, status, "new", error)


def give_up(one, culprit):
    return outcome(one, culprit.photo, "failed", f"{culprit.deaths} workers died")


class ListedPlan:
    """A plan that is ready at once, and remembers how much of it was taken."""

    def __init__(self, shards):
        self.shards, self.closed = deque(shards), False

    @property
    def ended(self):
        return not self.shards

    def take(self, most):
        return [self.shards.popleft() for _ in range(max(0, min(most, len(self.shards))))]

    def close(self):
        self.closed = True


class PretendedCluster:
    """Workers that do a photo whenever they are asked; what kills them is in ``poison``."""

    def __init__(self, nodes, poison=(), broken=(), seed=0):
        self.nodes = dict(enumerate(nodes))  # places on each
        self.poison, self.broken = poison, broken
        self.draw = random.Random(seed)
        self.pending, self.live, self.work, self.blockers = [], {}, {}, {}
        self.stopped, self.count, self.told, self.done = set(), 0, [], []
        self.most_at_once = 0
        self.trouble = 0.0
        self.closed = False

    def capacity(self):
        return sum(self.nodes.values())

    def start(self):
        self.count += 1
        self.pending.append(self.count)
        return self.count

    def give(self, worker, one, photos):
        assert worker in self.live and worker not in self.work
        self.work[worker] = one, list(range(len(one.photos)) if photos is None else photos)
        self.most_at_once = max(self.most_at_once, len(self.work))

    def finish(self, worker):
        self.stopped.add(worker)

    def end(self, worker):
        del self.live[worker]
        self.work.pop(worker, None)

    def close(self):
        self.closed = True

    def free_node(self):
        used = [*self.live.values(), *self.blockers.values()]
        free = [node for node, places in self.nodes.items() if used.count(node) < places]
        return self.draw.choice(free) if free else None

    def events(self):
        if self.pending and (node := self.free_node()) is not None:
            worker = self.pending.pop(0)
            if node in self.broken:
                self.blockers[worker] = node
                yield Refused(worker, f"node {node}: enhance 0.1 is installed there", blocks=True)
                return
            self.live[worker] = node
            yield Ready(worker, str(node))
        if self.draw.random() < self.trouble and len(self.nodes) > 1:
            yield from self.lose_node()
        for worker in list(self.work):
            yield from self.step(worker)

    def lose_node(self):
        node = self.draw.choice(sorted(self.nodes))
        places = self.nodes.pop(node)
        self.nodes[max([node, *self.nodes]) + 1] = places  # another one joins
        for worker in [worker for worker, home in self.live.items() if home == node]:
            self.end(worker)
            yield Died(worker)
        for worker in [worker for worker, home in self.blockers.items() if home == node]:
            del self.blockers[worker]
            yield Died(worker)

    def step(self, worker):
        one, left = self.work[worker]
        if not left or worker in self.stopped:
            del self.work[worker]
            yield Told(worker, (), ended=True, stopped=worker in self.stopped)
        elif (one.name, left[0]) in self.poison:
            self.end(worker)
            yield Died(worker, process_alone=True, in_flight=frozenset(left[:2]))
        else:
            photo = left.pop(0)
            self.done.append((one.name, photo))
            yield Told(worker, (outcome(one, photo),))


def names(outcomes, status):
    return sorted(one.input for one in outcomes if one.status == status)


def keys(shards):
    return sorted(photo.key for one in shards for photo in one.photos)


def test_a_poison_photo_among_200_fails_alone():
    shards = [shard(number, 50) for number in range(4)]
    engine = ClusterEngine(PretendedCluster([1, 1], {("2", 17)}), ListedPlan(shards), give_up)
    outcomes = list(engine)
    assert names(outcomes, "failed") == ["2/17.jpg"]
    assert names(outcomes, "done") == sorted(set(keys(shards)) - {"2/17.jpg"})
    assert (engine.progress.done, engine.progress.failed) == (200, 1)
    assert engine.progress.known == 200 and engine.progress.all_known


def test_a_stream_of_a_million_shards_is_taken_as_it_is_needed():
    plan = ListedPlan([])
    plan.shards = deque([shard(1, 1)])
    taken = []

    class Endless(ListedPlan):
        ended = False

        def take(self, most):
            new = [shard(len(taken) + place, 1) for place in range(max(0, most))]
            taken.extend(new)
            return new

    engine = ClusterEngine(PretendedCluster([4, 4]), Endless([]), give_up)
    done = [one for one, _ in zip(engine, range(1000), strict=False)]
    assert len(done) == 1000
    assert len(taken) - engine.progress.done <= 2 * 8


def test_workers_that_cannot_start_are_reported_once_and_others_go_on():
    warnings = []
    cluster = PretendedCluster([2, 2], broken={0})
    engine = ClusterEngine(cluster, ListedPlan([shard(1, 9)]), give_up, warnings.append)
    assert len(list(engine)) == 9
    assert set(warnings) <= {"node 0: enhance 0.1 is installed there"}
    assert len(warnings) <= 1


def test_a_run_ends_if_no_worker_can_start():
    engine = ClusterEngine(
        PretendedCluster([2, 1], broken={0, 1}),
        ListedPlan([shard(n, 9) for n in range(9)]),
        give_up,
    )
    with pytest.raises(EnhanceError, match="is installed there"):
        list(engine)


def test_a_run_ends_if_no_worker_comes():
    seconds = iter(range(0, 100_000, 10))
    engine = ClusterEngine(
        PretendedCluster([]), ListedPlan([shard(1, 9)]), give_up, clock=lambda: next(seconds)
    )
    with pytest.raises(EnhanceError, match="no worker has started for 5 minutes"):
        list(engine)


def test_a_node_whose_workers_give_up_is_not_used_and_others_go_on():
    class FullDisk(PretendedCluster):
        def step(self, worker):
            if self.live[worker] == 0:
                yield Told(worker, (), error="the disk is full")
                self.blockers[worker] = self.live.pop(worker)
                del self.work[worker]
            else:
                yield from super().step(worker)

    warnings = []
    shards = [shard(number, 4) for number in range(6)]
    engine = ClusterEngine(FullDisk([2, 1]), ListedPlan(shards), give_up, warnings.append)
    assert names(list(engine), "done") == keys(shards)
    assert set(warnings) <= {"the disk is full"}


def test_the_settings_that_workers_read_are_named_once():
    class Looking(PretendedCluster):
        def step(self, worker):
            for event in super().step(worker):
                looks = ("enhance.toml", "sub/enhance.toml") if isinstance(event, Told) else ()
                yield replace(event, looks=looks) if looks else event

    seen = []
    shards = [shard(number, 4) for number in range(6)]
    engine = ClusterEngine(Looking([2, 1]), ListedPlan(shards), give_up, look_read=seen.append)
    assert names(list(engine), "done") == keys(shards)
    assert seen == ["enhance.toml", "sub/enhance.toml"]


def test_stop_finishes_what_is_in_flight_and_no_more():
    cluster = PretendedCluster([1, 1])
    engine = ClusterEngine(cluster, ListedPlan([shard(n, 50) for n in range(9)]), give_up)
    outcomes = []
    for one in engine:
        outcomes.append(one)
        if len(outcomes) == 20:
            engine.stop()
    assert 20 <= len(outcomes) <= 22
    assert cluster.stopped and cluster.closed


def test_a_plan_that_cannot_be_made_ends_the_run_and_the_workers():
    class Broken(ListedPlan):
        ended = False

        def take(self, _most):
            raise EnhanceError("s3://shoots does not exist")

    cluster, plan = PretendedCluster([1]), Broken([])
    with pytest.raises(EnhanceError, match="does not exist"):
        list(ClusterEngine(cluster, plan, give_up))
    assert cluster.closed and plan.closed


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    poison=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 8)), max_size=3),
    nodes=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    trouble=st.sampled_from([0.0, 0.05, 0.3]),
    seed=st.integers(0, 2**32),
)
def test_nodes_lost_and_joined_lose_and_repeat_no_outcome(sizes, poison, nodes, trouble, seed):
    shards = [shard(number, size) for number, size in enumerate(sizes)]
    poison = {(str(one), photo) for one, photo in poison}
    cluster = PretendedCluster(nodes, poison, seed=seed)
    cluster.trouble = trouble
    outcomes = []
    for one in ClusterEngine(cluster, ListedPlan(shards), give_up):
        outcomes.append(one)
        if len(outcomes) > 5 * len(sizes):
            cluster.trouble = 0.0
    killers = {f"{one}/{photo}.jpg" for one, photo in poison}
    assert names(outcomes, "failed") == sorted(killers & set(keys(shards)))
    assert names(outcomes, "done") == sorted(set(keys(shards)) - killers)


def test_few_shards_are_divided_among_many_workers():
    shards = [shard(0, 100), shard(1, 60)]
    cluster = PretendedCluster([4, 4])
    outcomes = list(ClusterEngine(cluster, ListedPlan(shards), give_up))
    assert names(outcomes, "done") == keys(shards)
    assert cluster.most_at_once == 8
