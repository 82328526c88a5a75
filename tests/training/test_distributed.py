import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from enhance_cli.errors import UsageError
from enhance_cli.training.distributed import (
    GlobalBatchNorm1d,
    GlobalBatchNorm2d,
    make_fabric,
    with_global_batch_norm,
)
from enhance_cli.training.preparation import is_main_process

TESTS = Path(__file__).parents[1]
SCRIPT = Path(__file__).with_name("distributed_run.py")


def trained(root: Path, out: Path, processes: int) -> tuple[list, dict[str, torch.Tensor]]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    done = subprocess.run(
        [sys.executable, *(launcher if processes > 1 else []), SCRIPT, root, out],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(out.with_suffix(".json").read_text()), load_file(out)


def test_two_processes_learn_what_one_learns_with_the_same_total_batch(write_pairs, tmp_path):
    """Loss curve, validation and weights, through all three stages and batch norm."""
    names = [f"a{number:04d}" for number in range(1, 10)]
    root = write_pairs(names=names)
    alone, weights_alone = trained(root, tmp_path / "one.safetensors", 1)
    together, weights_together = trained(root, tmp_path / "two.safetensors", 2)
    assert len(alone) == 9 and alone[0][0] > alone[2][0]
    for one, other in zip(alone, together, strict=True):
        assert other == pytest.approx(one, rel=1e-3)
    for name, tensor in weights_alone.items():
        other = weights_together[name].float()
        torch.testing.assert_close(other, tensor.float(), atol=2e-3, rtol=1e-2)
    assert not list(tmp_path.glob("*.ckpt"))


def test_global_batch_norm_replaces_batch_norm_and_keeps_its_weights():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4, eps=1e-3)))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    photo = torch.rand(2, 3, 5, 5)
    expected = net.eval()(photo)
    with_global_batch_norm(net)
    replaced = net[1][0]
    assert isinstance(replaced, GlobalBatchNorm2d) and replaced.eps == 1e-3
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    torch.testing.assert_close(net.eval()(photo), expected)


def test_batch_norm_of_statistics_is_replaced_too():
    net = nn.Sequential(nn.BatchNorm1d(4, affine=False))
    net[0].running_mean.fill_(2)
    rows = torch.rand(5, 4)
    expected = net.eval()(rows)
    with_global_batch_norm(net)
    assert isinstance(net[0], GlobalBatchNorm1d) and not net[0].affine
    torch.testing.assert_close(net.eval()(rows), expected)


class Recorder(nn.Module):
    """Keeps what enters it, and whether autocast is on."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, photo):
        self.seen = photo, torch.is_autocast_enabled("cpu")
        return photo * self.weight


def test_bfloat16_does_not_round_photos(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    fabric = make_fabric("cpu", "bf16")
    net = Recorder()
    photo = torch.rand(2, 3, 4, 4)
    fabric.setup_module(net)(photo)
    assert torch.equal(net.seen[0], photo) and net.seen[1]


def test_the_main_process_is_the_first_one(monkeypatch):
    assert is_main_process()
    monkeypatch.setenv("RANK", "1")
    assert not is_main_process()


def test_processes_cannot_share_one_gpu(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(
        "enhance_cli.training.distributed.pick_device", lambda _: torch.device("cuda:1")
    )
    with pytest.raises(UsageError, match="--device cuda:1"):
        make_fabric("cuda:1", "32")
