import pytest

from enhance_cli.config.model import ModelConfig


@pytest.mark.parametrize(
    ("variant", "has_cenet", "has_prnet", "non_local", "blocks"),
    [
        ("ce", True, False, False, 3),
        ("pr", False, True, False, 18),
        ("prnl", False, True, True, 3),
        ("ce+pr", True, True, False, 3),
        ("ce+prnl", True, True, True, 3),
    ],
)
def test_the_five_methods_of_section_3_3(variant, has_cenet, has_prnet, non_local, blocks):
    model = ModelConfig(variant)
    assert (model.has_cenet, model.has_prnet) == (has_cenet, has_prnet)
    assert (model.non_local, model.residual_blocks) == (non_local, blocks)


@pytest.mark.parametrize(
    ("model", "long_edge", "input_edge"),
    [
        (ModelConfig(), 500, 500),
        (ModelConfig(input_side=256), 256, 256),
        (ModelConfig(input_side=800), 500, 500),
        (ModelConfig(input_side=32, fit="squash"), 500, 500),
        (ModelConfig(input_side=32, fit="squash", max_input_edge=256), 500, 256),
    ],
)
def test_sizes_at_which_photos_are_scored_and_seen(model, long_edge, input_edge):
    assert (model.long_edge, model.input_edge) == (long_edge, input_edge)


def test_only_a_model_with_prnet_can_be_global():
    assert ModelConfig("prnl", prnet="global").is_global
    assert not ModelConfig("ce", prnet="global").is_global
