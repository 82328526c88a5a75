"""Tasks run side by side: in order, bounded and cancellable."""

import random
import threading
import time
from functools import partial

import pytest
import torch

from enhance_cli.batch import worker_pool
from enhance_cli.batch.worker_pool import (
    AHEAD,
    BatchCancelledError,
    PixelBudget,
    WorkerPool,
    threads_for,
    torch_threads,
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


def most_at_once(pool: WorkerPool, pixels: int = 0) -> int:
    """The most of twenty tasks, with photos of this size, that are at work at once."""
    running, most, lock = 0, 0, threading.Lock()

    def work(_number: int) -> None:
        nonlocal running, most
        with pool.budget.reservation() as reserve:
            reserve(pixels)
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.01)
            with lock:
                running -= 1

    list(run(pool, work, range(20)))
    return most


@pytest.mark.parametrize("spare", [0, 1])
def test_as_many_tasks_run_side_by_side_as_the_pool_has_threads(spare):
    assert most_at_once(WorkerPool(2, spare)) == 2 + spare


@pytest.mark.parametrize(
    ("megapixels", "expected"), [(24, 3), (45, 3), (61, 2), (150, 1), (500, 1)]
)
def test_as_many_photos_are_in_memory_as_half_of_it_can_hold(monkeypatch, megapixels, expected):
    """At 15 bytes a pixel, 4.2 GB have room for 140 megapixels."""
    monkeypatch.setattr(worker_pool, "available_memory", lambda: 4_200_000_000)
    assert most_at_once(WorkerPool(2, spare=1), megapixels * 10**6) == expected


def test_a_pool_can_grow_while_its_first_tasks_wait():
    pool, both = WorkerPool(1), threading.Barrier(2, timeout=20)

    def work(number: int) -> int:
        if number == 0:
            pool.grow(2)
        return both.wait()

    assert sum(run(pool, work, range(4))) == 2
    pool.grow(1)
    assert pool.threads == 2, "it never shrinks"


class TestPixelBudget:
    def test_what_was_given_up_reserves_nothing(self):
        budget, waiting = PixelBudget(10), threading.Event()
        caught: list[BaseException] = []
        with budget.reservation() as first:
            first(10)
            with budget.reservation() as second:

                def wait() -> None:
                    waiting.set()
                    try:
                        second(10)
                    except BatchCancelledError as problem:
                        caught.append(problem)

                thread = threading.Thread(target=wait)
                thread.start()
                waiting.wait(20)
            thread.join(20)
        assert len(caught) == 1 and not thread.is_alive()
        with budget.reservation() as third:
            third(10**9)

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
    threads = threads_for("cpu")
    with torch_threads(threads):
        assert torch.get_num_threads() * threads <= max(before, threads)
    assert torch.get_num_threads() == before
