import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhance_cli.cloud.cluster.capacity import CORES_PER_GPU_WORKER, Place, choose_place
from enhance_cli.errors import UsageError

GIB = 2**30


def node(cpu, gpu=0, gib=64):
    return {"CPU": cpu, "memory": gib * GIB} | ({"GPU": gpu} if gpu else {})


def test_without_gpus_each_core_has_a_worker():
    place = choose_place([node(4), node(2.5)], "auto")
    assert place == Place(1, 0.0)
    assert [place.room_on(one) for one in (node(4), node(2.5), {})] == [4, 2, 0]


def test_memory_limits_the_workers_of_a_node():
    assert choose_place([node(64)], "cpu").room_on(node(64, gib=10)) == 8


@pytest.mark.parametrize(
    ("cores", "gpus", "expected", "room"),
    [
        (8, 1, Place(8, 1.0), 1),
        (16, 1, Place(8, 0.5), 2),
        (16, 4, Place(4, 1.0), 4),
        (2, 4, Place(1, 1.0), 2),
        (20, 1, Place(6, 1 / 3), 3),
    ],
)
def test_a_gpu_is_shared_by_as_many_workers_as_feed_it(cores, gpus, expected, room):
    nodes = [node(cores, gpus)]
    assert choose_place(nodes, "auto") == expected
    assert expected.room_on(nodes[0]) == room


def test_nodes_without_a_gpu_are_left_out_of_a_run_on_gpus():
    nodes = [node(8, 1), node(32)]
    assert [choose_place(nodes, "cuda").room_on(one) for one in nodes] == [1, 0]
    assert [choose_place(nodes, "cpu").room_on(one) for one in nodes] == [8, 32]


def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(UsageError, match="no node of the cluster has a GPU"):
        choose_place([node(8)], "cuda")


@given(st.lists(st.tuples(st.integers(1, 128), st.integers(0, 8)), min_size=1, max_size=5))
def test_workers_never_need_more_than_a_node_has(shapes):
    nodes = [node(cpu, gpu, gib=1024) for cpu, gpu in shapes]
    place = choose_place(nodes, "auto")
    assert 1 <= place.cores <= CORES_PER_GPU_WORKER
    for cpu, gpu in shapes:
        room = place.room_on(node(cpu, gpu, gib=1024))
        assert room * place.cores <= cpu
        assert room * place.gpu <= gpu + 1e-6 or not place.gpu
