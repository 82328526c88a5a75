import json
import warnings

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from enhance_cli.errors import WeightsError
from enhance_cli.inference.weights_tensors import read_tensors

NAME = "prnet.to_rgb.weight"


@pytest.fixture
def rewritten(identity_weights, tmp_path):
    """Write weights with one tensor changed."""

    def write(tensor: torch.Tensor):
        with safe_open(identity_weights, framework="pt") as opened:
            metadata = opened.metadata()
        path = tmp_path / "changed.safetensors"
        save_file(load_file(identity_weights) | {NAME: tensor}, path, metadata)
        return path

    return write


FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(3, 5, 2), (7,), (), (0,)])
def test_floats_are_read_as_pytorch_reads_them(rewritten, dtype, shape):
    torch.manual_seed(0)
    path = rewritten(torch.randn(shape).mul(1e-3).to(dtype))
    expected = {
        name: tensor for name, tensor in load_file(path).items() if tensor.is_floating_point()
    }
    found = read_tensors(path)
    assert set(expected) <= set(found)
    for name, tensor in expected.items():
        assert found[name].dtype == np.float32 and found[name].shape == tuple(tensor.shape)
        np.testing.assert_array_equal(found[name], tensor.float().numpy())


def test_other_types_are_named(rewritten):
    path = rewritten(torch.ones(3).to(torch.float8_e4m3fn))
    with pytest.raises(WeightsError, match=rf"changed\.safetensors: {NAME} is of the type F8_E4M3"):
        read_tensors(path)


def test_numbers_beyond_single_precision_cause_no_warning_of_numpy(rewritten):
    path = rewritten(torch.full((3,), 1e300, dtype=torch.float64))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(WeightsError, match=f"{NAME} is not made of finite numbers"):
            read_tensors(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [3, 4]},
        {"shape": [10**9]},
        {"shape": ["3"]},
        {"shape": None},
        {"shape": [10**30]},
        {"data_offsets": [-1, 12]},
        {"data_offsets": [8, 12]},
        {"data_offsets": [12, 0]},
        {"data_offsets": [10**30, 12]},
        {"data_offsets": [0.0, 12.0]},
        {"dtype": "F64"},
        {"dtype": []},
    ],
)
def test_headers_that_do_not_fit_are_damage(rewritten, changes):
    path = rewritten(torch.ones(3))
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header[NAME] |= changes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    with pytest.raises(WeightsError, match="damaged, or not a"):
        read_tensors(path)
