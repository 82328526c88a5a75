"""ONNX Runtime gives PyTorch's output."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn

from enhance_cli.config.input_size import Shape
from enhance_cli.config.model import ModelConfig
from enhance_cli.config.recipe_file import load_recipe
from enhance_cli.errors import RetouchError, WeightsError
from enhance_cli.imaging.photo import Photo
from enhance_cli.inference.enhancer import Enhancer
from enhance_cli.inference.networks import onnx_graph
from enhance_cli.inference.networks.load import load_networks
from enhance_cli.inference.networks.onnx_export import ARCHITECTURES, export
from enhance_cli.inference.networks.onnx_graph import find_graph
from enhance_cli.inference.networks.onnx_networks import OnnxNetworks
from enhance_cli.inference.networks.onnx_runtime import Fail
from enhance_cli.inference.networks.styled_networks import StyledNetworks
from enhance_cli.inference.networks.torch_networks import TorchNetworks
from enhance_cli.inference.retouch import Retouch
from enhance_cli.inference.weights import save_weights
from enhance_cli.inference.weights_file import Provenance, describe_weights, find_weights
from enhance_cli.models.cascade import Cascade

SHAPES = [(84, 128), (128, 84), (128, 128), (3, 128), (128, 1), (4, 4), (5, 7), (1, 1), (50, 31)]


def random_model(config: ModelConfig) -> Cascade:
    """A model of which no layer is left as it is initialised, and whose output is no extreme."""
    torch.manual_seed(0)
    model = Cascade(config)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.1 / module.weight[0].numel() ** 0.5)
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    if model.style is not None:
        model.style.constant.normal_(std=0.02)
        model.style.slopes.normal_(std=0.005)
    return model.eval()


@pytest.fixture(params=ARCHITECTURES, ids=["small", "large"], scope="module")
def weights(request, tmp_path_factory):
    """Weights of each architecture, with other sizes than those with which it was exported."""
    config = replace(request.param, input_side=48, prnet_input_edge=60, protect_shadows=True)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_weights(path, random_model(config), Provenance())
    return path


def photo(shape) -> np.ndarray:
    return np.random.default_rng(0).random((*shape, 3), np.float32) ** 2


LEVELS = np.linspace(0, 1, 6, dtype=np.float32)
CUBE = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), -1).reshape(-1, 1, 3)


def assert_same(ours, expected, view, tolerance=3e-4) -> None:
    """Equal on the colors of a photo and on all others; random weights amplify rounding."""
    assert ours.function[2:] == expected.function[2:] and ours.grid is expected.grid is None
    assert (ours.function.polynomial is None) == (expected.function.polynomial is None)
    for colors in (view, CUBE):
        found, wanted = (Retouch(one.function).colors(colors) for one in (ours, expected))
        np.testing.assert_allclose(found, wanted, atol=tolerance)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shipped_weights_retouch_as_in_pytorch(shape):
    path = find_weights(None)
    ours, pytorch = load_networks(path, "cpu"), TorchNetworks.load(path, "cpu")
    given = (photo(shape), Shape(*shape), False)
    assert_same(ours.predict(*given), pytorch.predict(*given), given[0], tolerance=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_output_is_that_of_pytorch(weights, shape):
    ours, pytorch = load_networks(weights, "cpu"), TorchNetworks.load(weights, "cpu")
    assert isinstance(ours, OnnxNetworks)
    for coarse_only in (False, True):
        given = (photo(shape), Shape(*shape), coarse_only)
        assert_same(ours.predict(*given), pytorch.predict(*given), given[0])
    assert np.ptp(ours.predict(*given).function.matrix) > 1.01, "it changes something"


def test_a_style_is_applied_as_in_the_cascade(tmp_path):
    config = replace(ARCHITECTURES[0], input_side=48, protect_highlights=True, style=True)
    save_weights(tmp_path / "w.safetensors", random_model(config), Provenance())
    ours = load_networks(tmp_path / "w.safetensors", "cpu")
    pytorch = TorchNetworks.load(tmp_path / "w.safetensors", "cpu")
    assert isinstance(ours, StyledNetworks)
    for coarse_only in (False, True):
        given = (photo((84, 128)), Shape(84, 128), coarse_only)
        assert_same(ours.predict(*given), pytorch.predict(*given), given[0])


def test_a_style_that_is_missing_is_reported(tmp_path):
    config = replace(ARCHITECTURES[0], input_side=48, style=True)
    model = random_model(config)
    model.style = None
    save_weights(tmp_path / "w.safetensors", model, Provenance())
    with pytest.raises(WeightsError, match="does not fit its contents"):
        load_networks(tmp_path / "w.safetensors", "cpu")


@pytest.mark.parametrize("recipe", ["small", "large"])
def test_every_recipe_but_the_papers_has_a_graph(recipe):
    model = load_recipe(recipe).model
    assert find_graph(model) and find_graph(replace(model, style=True))
    assert find_graph(describe_weights(find_weights(None)).config)


@pytest.mark.parametrize(
    "other",
    [
        {"variant": "ce"},
        {"variant": "ce+pr"},
        {"variant": "prnl"},
        {"nonlocal_pool": 2},
        {"prnet": "per-pixel"},
        {"fit": "pad"},
        {"prnet_input_edge": 501},  # the graph would take gigabytes at 1,536
    ],
)
def test_other_architectures_are_left_to_pytorch(other, tmp_path):
    config = replace(ARCHITECTURES[0], input_side=32, **other)
    assert find_graph(config) is None
    save_weights(tmp_path / "w.safetensors", Cascade(config), Provenance())
    assert isinstance(load_networks(tmp_path / "w.safetensors", "cpu"), TorchNetworks)


class TestFilesThatDoNotFit:
    @pytest.fixture
    def changed(self, weights, tmp_path):
        """Write the weights with tensors changed, and load them."""

        def load(change):
            with safe_open(weights, "numpy") as opened:
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
                metadata = opened.metadata()
            change(tensors)
            save_file(tensors, tmp_path / "changed.safetensors", metadata)
            return load_networks(tmp_path / "changed.safetensors", "cpu")

        return load

    def test_whole(self, changed):
        assert changed(dict)

    @pytest.mark.parametrize(
        "change",
        [
            lambda tensors: tensors.pop("cenet.head.0.weight"),
            lambda tensors: tensors.update(other=np.ones(3, np.float32)),
            lambda tensors: tensors.update({"style.mean": np.zeros(9, np.float32)}),
            lambda tensors: tensors.update({"cenet.head.4.bias": np.ones(5, np.float32)}),
        ],
    )
    def test_missing_unknown_and_misshapen_tensors(self, changed, change):
        with pytest.raises(WeightsError, match="does not fit its contents"):
            changed(change)

    def test_a_name_that_is_no_text(self, weights, tmp_path):
        name = b'"cenet.head.4.bias"'
        content = weights.read_bytes().replace(name, rb'"\ud800'.ljust(len(name) - 1, b"x") + b'"')
        (tmp_path / "changed.safetensors").write_bytes(content)
        with pytest.raises(WeightsError, match="does not fit its contents"):
            load_networks(tmp_path / "changed.safetensors", "cpu")

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_numbers_that_are_none(self, changed, value):
        with pytest.raises(WeightsError, match=r"cenet\.head\.4\.bias is not made of finite"):
            changed(lambda tensors: tensors["cenet.head.4.bias"].fill(value))

    def test_a_negative_variance(self, changed):
        with pytest.raises(WeightsError, match="negative variance"):
            changed(lambda tensors: tensors["cenet.backbone.bn1.running_var"].fill(-1))


LACK_OF_MEMORY = [
    "bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 48000000",
    "Exception during initialization: std::bad_alloc",
]
"""What ONNX Runtime says under ``ulimit -v``."""


class TestMemory:
    @pytest.fixture
    def fails(self, weights, monkeypatch):
        def load(message):
            enhancer = Enhancer.load(weights, "cpu")

            class Session:
                def run(self, *_):
                    raise Fail(message)

            monkeypatch.setattr(enhancer.networks, "_session", Session())
            return enhancer

        return load

    @pytest.mark.parametrize("message", LACK_OF_MEMORY)
    def test_lack_of_memory_fails_the_photo(self, fails, message):
        with pytest.raises(RetouchError, match="memory"):
            fails(message).predict(Photo(np.zeros((8, 8, 3), np.uint8)))

    def test_other_faults_are_not_hidden(self, fails):
        with pytest.raises(Fail, match="shapes"):
            fails("shapes do not match").predict(Photo(np.zeros((8, 8, 3), np.uint8)))


@pytest.mark.slow
def test_exporting_the_architectures_again_gives_the_same_output(tmp_path, monkeypatch, weights):
    config = describe_weights(weights).config
    before = load_networks(weights, "cpu")
    monkeypatch.setattr(onnx_graph, "_FOLDER", tmp_path)
    export(config, onnx_graph.graph_path(config))
    after = load_networks(weights, "cpu")
    assert isinstance(after, OnnxNetworks)
    for shape in SHAPES:
        given = (photo(shape), Shape(*shape), False)
        assert_same(after.predict(*given), before.predict(*given), given[0])
