"""Deaths in any order lose no photo, repeat none, and never fail an innocent one."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enhance_cli.cloud.cluster.schedule import Culprit, Piece, Schedule
from enhance_cli.errors import EnhanceError


def schedule_of(*sizes, workers=1):
    schedule = Schedule()
    for number, size in enumerate(sizes):
        schedule.add(str(number), range(size))
    for worker in range(workers):
        schedule.join(worker)
    return schedule


def test_a_shard_is_done_by_one_worker():
    schedule = schedule_of(3, workers=2)
    assert schedule.next_piece(0) == Piece("0", (0, 1, 2))
    assert schedule.next_piece(1) is None
    assert [schedule.settle(0, photo) for photo in (0, 1, 2)] == [True] * 3
    schedule.finish(0)
    assert not schedule.shards


def test_a_photo_that_kills_two_workers_is_given_up_and_the_rest_is_done():
    schedule = schedule_of(4)
    schedule.next_piece(0)
    schedule.settle(0, 0)
    assert schedule.die(0, {1}) == []
    schedule.join(1)
    assert schedule.next_piece(1) == Piece("0", (1,))
    assert schedule.die(1, {1}) == [Culprit("0", 1, 2)]
    schedule.join(2)
    assert schedule.next_piece(2) == Piece("0", (0, 2, 3)), "the log may lack what was done"


def test_photos_in_flight_beside_the_culprit_are_cleared():
    schedule = schedule_of(4)
    schedule.next_piece(0)
    schedule.die(0, {1, 2})
    schedule.join(1)
    assert schedule.next_piece(1) == Piece("0", (1,))
    schedule.settle(1, 1)
    schedule.finish(1)
    assert schedule.next_piece(1) == Piece("0", (2,))
    assert schedule.die(1, {2}) == [], "the worker was not fresh: photo 1 may have left something"
    schedule.join(2)
    schedule.next_piece(2)
    assert schedule.die(2, {2}) == [Culprit("0", 2, 3)]


def test_a_photo_with_an_outcome_is_not_suspected_when_it_is_looked_at_again():
    schedule = schedule_of(4)
    schedule.next_piece(0)
    assert schedule.settle(0, 0)
    schedule.leave(0)
    schedule.join(1)
    schedule.next_piece(1)
    schedule.die(1, {0})  # a stranger kills it while it finds that photo 0 is done
    schedule.join(2)
    assert schedule.next_piece(2) == Piece("0", (0, 1, 2, 3)), "none is tried alone"
    assert not schedule.settle(2, 0), "its outcome is told once"


def test_a_lost_node_makes_no_suspects():
    schedule = schedule_of(4)
    for worker in range(20):
        schedule.join(worker)
        assert schedule.next_piece(worker) == Piece("0", (0, 1, 2, 3))
        schedule.leave(worker)


def test_suspects_wait_for_a_fresh_worker_and_others_go_on_with_other_shards():
    schedule = schedule_of(2, 2, 2, workers=2)
    schedule.next_piece(0)
    schedule.next_piece(1)
    schedule.die(0, {0})
    schedule.finish(1)
    assert schedule.next_piece(1) == Piece("2", (0, 1))
    schedule.finish(1)
    assert schedule.next_piece(1) is None
    assert schedule.needs_fresh_worker() == 1


def test_without_a_journal_a_shard_is_tried_again_and_then_photo_by_photo():
    schedule = schedule_of(3)
    for worker in range(2):
        schedule.join(worker)
        assert schedule.next_piece(worker) == Piece("0", (0, 1, 2))
        schedule.die(worker, None)
    schedule.join(2)
    assert schedule.next_piece(2) == Piece("0", (0,))


def test_a_shard_that_kills_workers_without_any_photo_ends_the_run():
    schedule = schedule_of(2)

    def kill(worker):
        schedule.join(worker)
        schedule.next_piece(worker)
        schedule.settle(worker, 0)
        schedule.settle(worker, 1)
        schedule.die(worker, ())

    with pytest.raises(EnhanceError, match="5 workers died"):
        for worker in range(9):
            kill(worker)


def test_what_was_stopped_is_not_lost():
    schedule = schedule_of(3)
    schedule.next_piece(0)
    schedule.settle(0, 0)
    schedule.finish(0, whole=False)
    assert schedule.shards == 1


class Simulation:
    """A cluster with photos that kill whoever works on them, and nodes that are lost."""

    def __init__(self, sizes, poison, workers, journal):
        self.schedule = Schedule()
        for number, size in enumerate(sizes):
            self.schedule.add(str(number), range(size))
        self.poison, self.journal = poison, journal
        self.numbers = itertools.count()
        self.begun = {}  # photos in flight, for each worker
        self.pieces, self.ahead, self.outcomes, self.failed = {}, {}, [], []
        self.kills = dict.fromkeys(poison, 0)
        for _ in range(workers):
            self.join()

    def join(self):
        worker = next(self.numbers)
        self.schedule.join(worker)
        self.begun[worker] = []

    def step(self, move, choice):
        """Something happens to one of the workers; a worker that is lost is replaced."""
        worker = list(self.begun)[choice % len(self.begun)]
        if worker in self.schedule.idle:
            if piece := self.schedule.next_piece(worker):
                self.pieces[worker], self.ahead[worker] = piece, list(piece.photos)
            elif (tired := self.schedule.needs_fresh_worker()) is not None:
                self.lose(tired)
        elif move == 0:
            self.lose(worker)  # its node is lost
        elif move == 1 and len(self.pieces[worker].photos) > 1:
            self.die(worker)  # somebody kills it, and no photo is the reason
        elif self.ahead[worker] and len(self.begun[worker]) < 2:
            self.begin(worker)
        elif self.begun[worker]:
            self.end(worker, self.begun[worker].pop(choice % len(self.begun[worker])))
        else:
            self.schedule.finish(worker)

    def begin(self, worker):
        photo = self.ahead[worker].pop(0)
        self.begun[worker].append(photo)
        name = self.pieces[worker].shard, photo
        if name in self.poison:
            self.kills[name] += 1
            self.die(worker)

    def end(self, worker, photo):
        if self.schedule.settle(worker, photo):
            self.outcomes.append((self.pieces[worker].shard, photo))

    def die(self, worker):
        in_flight = self.begun.pop(worker)
        culprits = self.schedule.die(worker, in_flight if self.journal else None)
        self.failed += [(culprit.shard, culprit.photo) for culprit in culprits]
        self.join()

    def lose(self, worker):
        del self.begun[worker]
        self.schedule.leave(worker)
        self.join()


@settings(max_examples=300, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    poison=st.sets(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=4),
    workers=st.integers(1, 4),
    seed=st.integers(0, 2**32),
    journal=st.booleans(),
)
def test_deaths_in_any_order_lose_and_repeat_nothing(sizes, poison, workers, seed, journal):
    photos = {(str(shard), photo) for shard, size in enumerate(sizes) for photo in range(size)}
    poison = {(str(shard), photo) for shard, photo in poison} & photos
    simulation = Simulation(sizes, poison, workers, journal)
    try:
        draw = random.Random(seed)
        for _ in range(draw.randint(5, 120)):
            simulation.step(draw.randrange(10), draw.randrange(100))
        for choice in range(20_000):  # from here on, only the poison kills
            if not simulation.schedule.shards:
                break
            simulation.step(9, choice)
    except EnhanceError:  # strangers have killed five workers of one shard
        return
    assert not simulation.schedule.shards, "the run ends"
    assert sorted(simulation.outcomes) == sorted(photos - poison), "each once, and none is lost"
    assert sorted(simulation.failed) == sorted(poison), "innocent photos never fail"
    if journal:
        assert all(1 <= kills <= 4 for kills in simulation.kills.values())
