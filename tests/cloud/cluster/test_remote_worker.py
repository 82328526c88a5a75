"""What is said of nodes that lack enhance or have another version."""

import subprocess
import sys

import pytest

pytest.importorskip("ray")
from ray import cloudpickle

import enhance_cli
from enhance_cli.cloud.cluster.ray_cluster import unfit
from enhance_cli.cloud.cluster.remote_worker import remote_worker_class

ON_A_NODE_WITHOUT = """
import pickle, sys, types
import ray
sys.modules["enhance_cli"] = None  # importing it fails
ray.get_runtime_context = lambda: types.SimpleNamespace(get_node_id=lambda: "abc")
worker = pickle.load(sys.stdin.buffer)()
print(worker.hello())
worker.close()
"""


def test_a_node_without_enhance_can_say_so():
    sent = cloudpickle.dumps(remote_worker_class())
    command = [sys.executable, "-c", ON_A_NODE_WITHOUT]
    ran = subprocess.run(command, input=sent, capture_output=True, check=True)
    answer = eval(ran.stdout)
    assert answer["version"] == "" and answer["node"] == "abc"
    assert unfit(answer).startswith("enhance cannot be used (")
    assert unfit(answer).endswith(f"install enhance {enhance_cli.__version__} there")


def test_another_version_is_named():
    answer = {"version": "0.0.7", "error": ""}
    version = enhance_cli.__version__
    assert unfit(answer) == (
        f"enhance 0.0.7 is installed there, and {version} here; install the same on both"
    )


def test_the_same_version_is_fit():
    assert not unfit({"version": enhance_cli.__version__, "error": ""})
