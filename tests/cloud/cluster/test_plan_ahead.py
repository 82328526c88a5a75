import itertools
import time

import pytest

from enhance_cli.cloud.cluster.plan_ahead import PlanAhead
from enhance_cli.cloud.shard import Shard
from enhance_cli.errors import EnhanceError


def stream(planned, shards):
    for number in shards:
        planned.append(number)
        yield Shard(f"{number}", ())


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_endless_plan_is_never_far_ahead():
    planned = []
    plan = PlanAhead(stream(planned, itertools.count()), most=4)
    wait_until(lambda: len(planned) >= 4)
    time.sleep(0.05)
    assert len(planned) <= 5
    assert [shard.name for shard in plan.take(3)] == ["0", "1", "2"]
    wait_until(lambda: len(planned) >= 7)
    plan.close()


def test_a_plan_ends_when_all_of_it_has_been_taken():
    plan = PlanAhead(stream([], range(2)))
    taken = []
    wait_until(lambda: taken.extend(plan.take(1)) or plan.ended)
    assert [shard.name for shard in taken] == ["0", "1"]


def test_an_error_comes_after_what_was_planned_before_it():
    def broken():
        yield Shard("0", ())
        raise EnhanceError("the bucket is gone")

    plan = PlanAhead(broken())
    wait_until(lambda: len(plan.take(1)) == 1)
    with pytest.raises(EnhanceError, match="the bucket is gone"):
        wait_until(lambda: plan.take(1))
    assert not plan.ended
