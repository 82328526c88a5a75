"""Photos side by side: in order, bounded, and stopped at once where nobody waits any more."""

import random
import threading
import time

import pytest
import torch

from enhance_cli.batch.worker_pool import AHEAD, BatchCancelledError, WorkerPool, Room, torch_threads, worker_pool_for


def test_results_come_in_the_order_of_the_items_and_belong_to_them():
    draw = random.Random(0)

    def work(number: int) -> tuple[int, int]:
        time.sleep(draw.random() / 200)  # so that they are done in any order
        return number, number**2

    assert list(WorkerPool(4).run(work, range(100))) == [(n, n**2) for n in range(100)]


def test_they_are_worked_on_side_by_side():
    both = threading.Barrier(2, timeout=20)
    assert sum(WorkerPool(2).run(lambda _: both.wait(), range(4))) == 2


def test_no_more_is_begun_than_is_soon_needed():
    begun: list[int] = []
    results = WorkerPool(2).run(begun.append, range(1000))
    next(results)
    time.sleep(0.05)
    assert len(begun) <= 2 * AHEAD + 1
    results.close()


def test_stopping_finishes_what_was_begun():
    crew = WorkerPool(2)
    done: list[int] = []
    for result in crew.run(lambda number: number, range(1000)):
        done.append(result)
        if result == 10:
            crew.stop()
    assert crew.was_stopped
    assert done == list(range(len(done))) and 11 <= len(done) <= 11 + 2 * AHEAD


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt])
def test_where_one_raises_the_others_are_abandoned(end):
    crew = WorkerPool(2)
    ended: list[int] = []

    def work(number: int) -> None:
        if number == 0:
            raise end
        for _ in range(1000):
            try:
                crew.go_on()
            except BatchCancelledError:
                ended.append(number)
                raise
            time.sleep(0.01)

    with pytest.raises(end):
        list(crew.run(work, range(100)))
    assert 1 in ended and max(ended) < 2 * AHEAD


class TestRoom:
    def test_never_more_than_fits_but_a_large_one_alone(self):
        room, lock = Room(100), threading.Lock()
        inside: list[int] = []
        seen: list[tuple[int, ...]] = []

        def visit(pixels: int) -> None:
            with room.admission() as admit:
                admit(pixels)
                with lock:
                    inside.append(pixels)
                    seen.append(tuple(inside))
                time.sleep(0.002)
                with lock:
                    inside.remove(pixels)

        list(WorkerPool(8).run(visit, [30, 60, 1000, 40, 90, 10, 50, 50] * 5))
        assert all(sum(sizes) <= 100 or sizes == (1000,) for sizes in seen)
        assert max(len(sizes) for sizes in seen) > 1

    def test_it_is_given_back_where_something_fails(self):
        room = Room(10)
        with pytest.raises(ValueError), room.admission() as admit:
            admit(10)
            raise ValueError
        with room.admission() as admit:
            admit(10)  # would wait for ever


def test_the_networks_get_their_share_of_the_cores():
    before = torch.get_num_threads()
    crew = worker_pool_for(torch.device("cpu"))
    with torch_threads(crew.threads):
        assert torch.get_num_threads() * crew.threads <= max(before, crew.threads)
    assert torch.get_num_threads() == before
