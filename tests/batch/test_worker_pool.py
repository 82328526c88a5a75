"""Tasks run side by side: in order, bounded and cancellable."""

import random
import threading
import time
from functools import partial

import pytest
import torch

from enhance_cli.batch.worker_pool import (
    AHEAD,
    BatchCancelledError,
    PixelBudget,
    WorkerPool,
    torch_threads,
    worker_pool_for,
)


def run(pool, work, items):
    return pool.run(partial(work, item) for item in items)


def test_results_come_in_the_order_of_the_tasks():
    draw = random.Random(0)

    def work(number: int) -> tuple[int, int]:
        time.sleep(draw.random() / 200)  # so that they finish in any order
        return number, number**2

    assert list(run(WorkerPool(4), work, range(100))) == [(n, n**2) for n in range(100)]


def test_tasks_run_side_by_side():
    both = threading.Barrier(2, timeout=20)
    assert sum(run(WorkerPool(2), lambda _: both.wait(), range(4))) == 2


def test_only_a_few_tasks_are_submitted_ahead():
    begun: list[int] = []
    results = run(WorkerPool(2), begun.append, range(1000))
    next(results)
    time.sleep(0.05)
    assert len(begun) <= 2 * AHEAD + 1
    results.close()


def test_stopping_finishes_the_running_tasks():
    pool = WorkerPool(2)
    done: list[int] = []
    for result in run(pool, lambda number: number, range(1000)):
        done.append(result)
        if result == 10:
            pool.stop()
    assert pool.was_stopped
    assert done == list(range(len(done))) and 11 <= len(done) <= 11 + 2 * AHEAD


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt])
def test_an_exception_cancels_the_other_tasks(end):
    pool = WorkerPool(2)
    ended: list[int] = []

    def work(number: int) -> None:
        if number == 0:
            raise end
        for _ in range(1000):
            try:
                pool.check_cancelled()
            except BatchCancelledError:
                ended.append(number)
                raise
            time.sleep(0.01)

    with pytest.raises(end):
        list(run(pool, work, range(100)))
    assert 1 in ended and max(ended) < 2 * AHEAD


class TestPixelBudget:
    def test_the_limit_is_kept_and_a_larger_photo_is_processed_alone(self):
        budget, lock = PixelBudget(100), threading.Lock()
        inside: list[int] = []
        seen: list[tuple[int, ...]] = []

        def visit(pixels: int) -> None:
            with budget.reservation() as reserve:
                reserve(pixels)
                with lock:
                    inside.append(pixels)
                    seen.append(tuple(inside))
                time.sleep(0.002)
                with lock:
                    inside.remove(pixels)

        list(run(WorkerPool(8), visit, [30, 60, 1000, 40, 90, 10, 50, 50] * 5))
        assert all(sum(sizes) <= 100 or sizes == (1000,) for sizes in seen)
        assert max(len(sizes) for sizes in seen) > 1

    def test_pixels_are_released_after_an_exception(self):
        budget = PixelBudget(10)
        with pytest.raises(ValueError), budget.reservation() as reserve:
            reserve(10)
            raise ValueError
        with budget.reservation() as reserve:
            reserve(10)  # would wait for ever


def test_the_networks_share_the_cores():
    before = torch.get_num_threads()
    pool = worker_pool_for(torch.device("cpu"))
    with torch_threads(pool.threads):
        assert torch.get_num_threads() * pool.threads <= max(before, pool.threads)
    assert torch.get_num_threads() == before
