import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from enhance_cli.config.model import VARIANTS, ModelConfig
from enhance_cli.errors import WeightsError
from enhance_cli.inference import weights_file as module
from enhance_cli.inference.weights import load_weights, save_weights
from enhance_cli.inference.weights_file import Provenance, find_weights
from enhance_cli.models.cascade import Cascade


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_comes_back_with_its_provenance(tmp_path, variant):
    torch.manual_seed(0)
    path = tmp_path / "deep" / "w.safetensors"
    model = Cascade(ModelConfig(variant, input_side=64, fit="squash")).eval()
    if model.cenet is not None:
        nn.init.normal_(model.cenet.head[-1].weight, std=0.05)
    provenance = Provenance(("a0001", "me/b"), {"epochs": 3}, {"psnr": 24.19})
    save_weights(path, model, provenance)
    loaded = load_weights(path)
    assert loaded.model.config == model.config and loaded.provenance == provenance
    assert not loaded.model.training
    photo = torch.rand(1, 3, 40, 50)
    with torch.no_grad():
        difference = (loaded.model(photo).enhanced - model(photo).enhanced).abs().max()
    assert difference < 1 / 255, "half precision is visible"


def test_matrices_are_stored_in_half_precision_and_statistics_are_not(identity_weights):
    tensors = load_file(identity_weights)
    assert tensors["cenet.backbone.conv1.weight"].dtype == torch.float16
    assert tensors["cenet.backbone.bn1.running_var"].dtype == torch.float32
    assert identity_weights.stat().st_size < 60e6


def test_the_file_can_be_read_without_enhance(identity_weights):
    with safe_open(identity_weights, framework="np") as opened:
        metadata = opened.metadata()
    assert metadata["format_version"] == "3"
    assert json.loads(metadata["model"])["variant"] == "ce+prnl"


class TestRefused:
    def test_a_truncated_file(self, tmp_path, identity_weights):
        path = tmp_path / "cut.safetensors"
        path.write_bytes(identity_weights.read_bytes()[:100_000])
        with pytest.raises(WeightsError, match=r"cut\.safetensors: damaged"):
            load_weights(path)

    def test_a_pickled_file(self, tmp_path):
        path = tmp_path / "old.pth"
        torch.save({"weight": torch.zeros(3)}, path)
        with pytest.raises(WeightsError, match="pickled weights"):
            load_weights(path)

    def test_a_file_of_another_version(self, tmp_path, identity_weights):
        path = tmp_path / "new.safetensors"
        with safe_open(identity_weights, framework="pt") as opened:
            metadata = opened.metadata()
        save_file(load_file(identity_weights), path, metadata | {"format_version": "99"})
        with pytest.raises(WeightsError, match="format version 99"):
            load_weights(path)

    def test_a_file_of_another_program(self, tmp_path):
        path = tmp_path / "other.safetensors"
        save_file({"x": torch.zeros(3)}, path)
        with pytest.raises(WeightsError, match="not a weights file of enhance"):
            load_weights(path)

    def test_metadata_that_does_not_fit_the_tensors(self, tmp_path, identity_weights):
        path = tmp_path / "wrong.safetensors"
        with safe_open(identity_weights, framework="pt") as opened:
            metadata = opened.metadata()
        save_file({"x": torch.zeros(3)}, path, metadata)
        with pytest.raises(WeightsError, match="does not fit"):
            load_weights(path)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(WeightsError, match="no such weights file"):
            load_weights(tmp_path / "gone.safetensors")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(path, _content):
        path.touch()
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(WeightsError, match="disk full"):
        save_weights(tmp_path / "w.safetensors", Cascade(ModelConfig("prnl")), Provenance())
    assert not list(tmp_path.iterdir())


class TestLookUp:
    def test_the_order(self, tmp_path, monkeypatch):
        chosen, from_environment = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
        own = tmp_path / "data" / "enhance.safetensors"
        own.parent.mkdir()
        for path in (chosen, from_environment, own):
            path.touch()
        shipped = find_weights(None)
        assert shipped.parent.name == "weights" and shipped.name == "enhance.safetensors"
        monkeypatch.setattr(module, "user_data_path", lambda *_, **__: own.parent)
        assert find_weights(None) == own
        monkeypatch.setenv("ENHANCE_WEIGHTS", str(from_environment))
        assert find_weights(None) == from_environment
        assert find_weights(chosen) == chosen

    def test_a_missing_file_that_was_asked_for_is_an_error(self, tmp_path, monkeypatch):
        with pytest.raises(WeightsError, match="--weights"):
            find_weights(tmp_path / "gone")
        monkeypatch.setenv("ENHANCE_WEIGHTS", str(Path("gone.safetensors")))
        with pytest.raises(WeightsError, match="ENHANCE_WEIGHTS"):
            find_weights(None)


class TestFormatVersion1:
    """Files of format version 1 have other names for some of the model's settings."""

    OLD = {  # noqa: RUF012
        "variant": "ce+prnl",
        "canvas": 64,
        "fit": "squash",
        "sight": 256,
        "pooling": 4,
        "by_colour": 96,
        "hold_white": True,
    }
    NEW = ModelConfig("ce+prnl", 64, "squash", 256, 4, "global", 96, True)

    @pytest.fixture
    def as_version_1(self, tmp_path):
        def rewrite(path: Path, settings: dict) -> Path:
            with safe_open(path, framework="pt") as opened:
                metadata = opened.metadata()
            metadata |= {"format_version": "1", "model": json.dumps(settings)}
            save_file(load_file(path), tmp_path / "old.safetensors", metadata)
            return tmp_path / "old.safetensors"

        return rewrite

    def test_it_gives_the_same_model_and_the_same_results(self, tmp_path, as_version_1):
        torch.manual_seed(1)
        model = Cascade(self.NEW).eval()
        nn.init.normal_(model.cenet.head[-1].weight, std=0.05)
        nn.init.normal_(model.prnet.to_rgb.weight, std=0.05)
        save_weights(tmp_path / "new.safetensors", model, Provenance())
        new = load_weights(tmp_path / "new.safetensors").model
        old = load_weights(as_version_1(tmp_path / "new.safetensors", self.OLD)).model
        assert old.config == new.config == self.NEW
        photo = torch.rand(1, 3, 40, 50)
        with torch.no_grad():
            assert torch.equal(old(photo).enhanced, new(photo).enhanced)

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"by_colour": 0}, ("per-pixel", 128)),
            ({"by_colour": 16}, ("global", 16)),
        ],
    )
    def test_the_polynomial_was_set_by_one_number(
        self, identity_weights, as_version_1, changes, expected
    ):
        config = load_weights(as_version_1(identity_weights, self.OLD | changes)).model.config
        assert (config.prnet, config.prnet_input_edge) == expected

    def test_the_oldest_files_lack_the_newer_settings(self, identity_weights, as_version_1):
        oldest = {"variant": "ce+prnl", "canvas": 64, "fit": "squash"}
        config = load_weights(as_version_1(identity_weights, oldest)).model.config
        assert config == ModelConfig("ce+prnl", 64, "squash")

    @pytest.mark.parametrize(
        "changes",
        [
            {"canvas": "64"},
            {"pooling": 0},
            {"pooling": True},
            {"fit": "stretch"},
            {"variant": "ce+ce"},
            {"hold_white": 1},
            {"gamma": 2},
        ],
    )
    def test_wrong_settings_are_refused(self, identity_weights, as_version_1, changes):
        with pytest.raises(WeightsError, match="does not fit"):
            load_weights(as_version_1(identity_weights, self.OLD | changes))

    @pytest.mark.parametrize("missing", ["sight", "pooling", "by_colour", "hold_white"])
    def test_a_file_that_lacks_one_setting_gets_its_default(
        self, identity_weights, as_version_1, missing
    ):
        old = {name: value for name, value in self.OLD.items() if name != missing}
        config = load_weights(as_version_1(identity_weights, old)).model.config
        defaults = {
            "sight": {"max_input_edge": 500},
            "pooling": {"nonlocal_pool": 1},
            "by_colour": {"prnet": "per-pixel", "prnet_input_edge": 128},
            "hold_white": {"protect_highlights": False},
        }
        assert config == replace(self.NEW, **defaults[missing])

    @pytest.mark.parametrize("edge", [-1, "96", 1.5, True])
    def test_a_wrong_edge_of_the_polynomial_is_refused(self, identity_weights, as_version_1, edge):
        with pytest.raises(WeightsError, match="does not fit"):
            load_weights(as_version_1(identity_weights, self.OLD | {"by_colour": edge}))


class TestTodaysFormat:
    @pytest.fixture
    def rewritten(self, tmp_path, identity_weights):
        """Weights with other metadata."""

        def rewrite(changes: dict[str, str]) -> Path:
            with safe_open(identity_weights, framework="pt") as opened:
                metadata = opened.metadata()
            path = tmp_path / "rewritten.safetensors"
            save_file(load_file(identity_weights), path, metadata | changes)
            return path

        return rewrite

    def settings_of(self, path: Path) -> dict:
        with safe_open(path, framework="pt") as opened:
            return json.loads(opened.metadata()["model"])

    @pytest.mark.parametrize(
        "config",
        [
            ModelConfig(),
            ModelConfig("ce+prnl", 64, "squash", 256, 4, "global", 96, True, True),
            ModelConfig("pr", 64, "pad", 40, 2, "per-pixel", 8, True),
            ModelConfig("ce", 64, "squash", style=True),
        ],
    )
    def test_every_setting_is_written_and_read_back(self, tmp_path, config):
        path = tmp_path / "w.safetensors"
        save_weights(path, Cascade(config), Provenance())
        assert load_weights(path).model.config == config
        assert set(self.settings_of(path)) == {field.name for field in fields(ModelConfig)}

    @pytest.mark.parametrize(
        "changes",
        [
            {"canvas": 64},
            {"by_colour": 0},
            {"gamma": 2},
            {"input_side": "64"},
            {"input_side": 64.0},
            {"input_side": 31},
            {"input_side": None},
            {"max_input_edge": 0},
            {"max_input_edge": True},
            {"photo_statistics": 1},
            {"nonlocal_pool": 0},
            {"prnet": 96},
            {"prnet": "local"},
            {"prnet_input_edge": 0},
            {"protect_highlights": 1},
            {"protect_highlights": "true"},
            {"protect_shadows": 1},
            {"style": 1},
            {"style": True, "prnet": "per-pixel"},
            {"fit": "stretch"},
            {"variant": "ce+ce"},
        ],
    )
    def test_wrong_settings_are_refused(self, rewritten, identity_weights, changes):
        settings = self.settings_of(identity_weights) | changes
        with pytest.raises(WeightsError, match=r"rewritten\.safetensors.*does not fit"):
            load_weights(rewritten({"model": json.dumps(settings)}))

    @pytest.mark.parametrize("model", ["", "[]", "null", "3", '"ce"', "{", '["variant"]'])
    def test_settings_that_are_no_table_are_refused(self, rewritten, model):
        with pytest.raises(WeightsError, match="does not fit"):
            load_weights(rewritten({"model": model}))
        with pytest.raises(WeightsError, match="does not fit"):
            load_weights(rewritten({"model": model, "format_version": "1"}))

    def test_version_2_knows_no_style(self, rewritten, identity_weights):
        settings = self.settings_of(identity_weights)
        del settings["style"]
        path = rewritten({"format_version": "2", "model": json.dumps(settings)})
        assert load_weights(path).model.config == load_weights(identity_weights).model.config

    def test_a_style_is_kept_in_single_precision(self, tmp_path):
        model = Cascade(ModelConfig("ce", 64, "squash", style=True))
        assert model.style is not None
        model.style.constant.fill_(1 / 3)
        save_weights(tmp_path / "w.safetensors", model, Provenance())
        loaded = load_weights(tmp_path / "w.safetensors").model
        assert loaded.style is not None and loaded.style.constant.equal(model.style.constant)

    @pytest.mark.parametrize("version", ["0", "4", "", "1.0", "two"])
    def test_other_versions_are_refused(self, rewritten, version):
        with pytest.raises(WeightsError, match=f"format version {version}, this enhance reads"):
            load_weights(rewritten({"format_version": version}))

    @pytest.mark.parametrize(
        "changes",
        [
            {"input_side": 10**5},
            {"input_side": 2**62},
            {"max_input_edge": 2**62},
            {"nonlocal_pool": 10**6},
            {"nonlocal_pool": 2**62},
            {"prnet_input_edge": 2**62},
        ],
    )
    def test_settings_that_cannot_be_meant_are_refused(self, rewritten, identity_weights, changes):
        settings = self.settings_of(identity_weights) | changes
        with pytest.raises(WeightsError, match="does not fit"):
            load_weights(rewritten({"model": json.dumps(settings)}))

    @pytest.mark.parametrize(
        "changes",
        [
            {"trained_on": "a0001"},
            {"trained_on": [1, 2]},
            {"trained_on": {"a0001": 1}},
            {"recipe": 3},
            {"recipe": None},
            {"figures": [1]},
        ],
    )
    def test_a_provenance_of_other_types_is_refused(self, rewritten, changes):
        whole = {"trained_on": [], "recipe": {}, "figures": {}}
        assert load_weights(rewritten({"provenance": json.dumps(whole)}))
        with pytest.raises(WeightsError, match="does not fit"):
            load_weights(rewritten({"provenance": json.dumps(whole | changes)}))

    @pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", "null", '"a"'])
    def test_a_provenance_that_is_no_table_is_refused(self, rewritten, text):
        with pytest.raises(WeightsError, match="does not fit"):
            load_weights(rewritten({"provenance": text}))

    @pytest.mark.parametrize(
        ("ending", "change"),
        [
            ("weight", lambda tensor: tensor * float("nan")),
            ("weight", lambda tensor: tensor.float() + float("inf")),
            ("bias", lambda tensor: tensor.int()),
            ("bias", lambda tensor: tensor.to(torch.complex64)),
            ("bias", lambda tensor: tensor.to(torch.float8_e4m3fn)),
            ("bias", lambda tensor: tensor.double() + 1e300),
            ("bias", lambda tensor: tensor.bool()),
            ("running_var", lambda tensor: -1 - tensor),
            ("running_mean", lambda tensor: tensor * float("nan")),
        ],
    )
    def test_numbers_that_cannot_be_meant_are_refused(
        self, tmp_path, identity_weights, ending, change
    ):
        with safe_open(identity_weights, framework="pt") as opened:
            metadata = opened.metadata()
        tensors = load_file(identity_weights)
        name = next(name for name in tensors if name.endswith(ending))
        path = tmp_path / "changed.safetensors"
        save_file(tensors | {name: change(tensors[name])}, path, metadata)
        with pytest.raises(WeightsError, match=rf"changed\.safetensors: {name} .*train anew"):
            load_weights(path)
