"""Recipes: what they may say, what has an effect, and that nothing is lost in writing them."""

from dataclasses import fields, replace
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhance_cli.config.effects import active_stages, without_effect
from enhance_cli.config.model import ModelConfig
from enhance_cli.config.recipe_file import (
    BUILT_IN,
    Change,
    format_recipe,
    load_recipe,
    parse_recipe,
    with_changes,
)
from enhance_cli.config.training import Recipe, StageConfig
from enhance_cli.errors import UsageError

SMALL = load_recipe("small")


class TestBuiltIn:
    def test_the_papers_is_section_3_2(self):
        assert load_recipe("paper") == Recipe()

    def test_the_small_one_trains_prnet_in_two_stages(self):
        assert [(one.name, one.trains, one.projected) for one in SMALL.stages] == [
            ("coarse", "cenet", False),
            ("refine", "prnet", False),
            ("refine_projected", "prnet", True),
        ]
        assert [one.epochs for one in SMALL.stages] == [20, 80, 8]
        assert (SMALL.model.input_side, SMALL.model.prnet) == (32, "global")

    def test_the_large_one_trains_each_network_once_and_in_larger_steps(self):
        large = load_recipe("large")
        assert [(one.name, one.trains, one.projected) for one in large.stages] == [
            ("coarse", "cenet", False),
            ("refine", "prnet", True),
        ]
        assert large.model.photo_statistics
        assert min(one.batch_size for one in large.stages) > SMALL.stages[0].batch_size

    @pytest.mark.parametrize("name", BUILT_IN)
    def test_upper_case_is_accepted(self, name):
        assert load_recipe(name.upper()) == load_recipe(name)

    @pytest.mark.parametrize("name", BUILT_IN)
    def test_what_is_written_is_read_back(self, name):
        recipe = load_recipe(name)
        assert parse_recipe(format_recipe(recipe), "printed.toml") == recipe


def settings_of(kind, **fixed):
    """A strategy for a dataclass of settings, each within its range."""
    hints, drawn = get_type_hints(kind), {}
    for field in fields(kind):
        hint, limits = hints[field.name], field.metadata
        low, high = limits.get("low"), limits.get("high")
        if field.name in fixed or field.name in {"model", "stages"}:
            continue
        if get_origin(hint) is Literal:
            drawn[field.name] = st.sampled_from(get_args(hint))
        elif hint is bool:
            drawn[field.name] = st.booleans()
        elif hint is int:
            drawn[field.name] = st.integers(int(low or 0), int(high or 1000))
        else:
            above = bool(limits.get("above"))
            drawn[field.name] = st.floats(low or 0, high or 10, exclude_min=above)
    constants = {name: st.just(value) for name, value in fixed.items()}
    return st.builds(kind, **drawn, **constants)


RECIPES = st.builds(
    replace,
    settings_of(Recipe),
    model=settings_of(ModelConfig),
    stages=st.tuples(
        settings_of(StageConfig, name="first", trains="cenet", projected=False),
        settings_of(StageConfig, name="second", trains="prnet"),
    ),
)


def without_idle_settings(recipe: Recipe) -> Recipe:
    """The same run, with the defaults of all settings that change nothing in it."""
    idle = without_effect(recipe)

    def reset(settings, prefix):
        changes = {
            field.name: field.default for field in fields(settings) if prefix + field.name in idle
        }
        return replace(settings, **changes)

    stages = (reset(stage, f"stages.{stage.name}.") for stage in active_stages(recipe))
    return replace(recipe, model=reset(recipe.model, "model."), stages=tuple(stages))


@given(RECIPES)
def test_any_recipe_that_is_written_gives_the_same_run(recipe):
    """What has no effect is not written; all the rest comes back as it was."""
    if not active_stages(recipe):
        return
    assert parse_recipe(format_recipe(recipe), "printed.toml") == without_idle_settings(recipe)


STAGE = '[[stages]]\nname = "refine"\ntrains = "prnet"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flip = maybe", "not TOML"),
        ("flip = 1", "flip = 1: must be true or false"),
        ('flip = "yes"', 'flip = "yes": must be true or false'),
        ("seed = true", "seed = true: must be a whole number"),
        ("seed = 1.5", "seed = 1.5: must be a whole number"),
        ("ema_decay = 1.5", "ema_decay = 1.5: must be a number from 0 to 1"),
        ("ema_decay = nan", "ema_decay = nan: must be a number from 0 to 1"),
        ("validate_every = 0", "validate_every = 0: must be a whole number of at least 1"),
        ('checkpoint = "first"', 'must be one of "best", "last"'),
        ("precision = 32", 'precision = 32: must be one of "32", "bf16"'),
        ("sed = 3", "sed: unknown key; did you mean seed?"),
        ("model = 3", "model: must be a table, [model]"),
        ("[model]\ninput_side = 8", "model.input_side = 8: must be a whole number of at least 32"),
        ('[model]\nvariant = "ce+ce"', 'must be one of "ce", "pr", "prnl", "ce+pr", "ce+prnl"'),
        ("[model]\ncanvas = 64", "model.canvas: unknown key"),
        ("[stages]\nepochs = 3", "stages: must be tables, each under [[stages]]"),
        ("stages = []", "stages: must be tables"),
        ("stages = 3", "stages: must be tables"),
        ("stages = [3]", "stage 1: needs a name"),
        ("seed = " + "9" * 5000, "not TOML"),
        ("seed = " + "[" * 5000, "not TOML"),
        ("seed = 9223372036854775808", "must be a whole number"),
        ('seed = "3"', 'seed = "3": must be a whole number'),
        ("seed = [3]", "seed = [3]: must be a whole number"),
        ("[model]\nprotect_highlights = 1", "must be true or false"),
        ("[model]\ninput_side = 64\nmax_input_edge = 65", "of at most 64 pixels"),
        ('[[stages]]\nname = 3\ntrains = "prnet"', "stage 1: needs a name"),
        ('[[stages]]\nname = "refine"\ntrains = "both"', 'must be one of "cenet", "prnet"'),
        ('[[stages]]\ntrains = "prnet"', "stage 1: needs a name of letters, digits and _"),
        (
            '[[stages]]\nname = "a b"\ntrains = "prnet"',
            "stage 1: needs a name of letters, digits and _",
        ),
        (
            '[[stages]]\nname = "refine"',
            'stages.refine.trains: must be set, to one of "cenet", "prnet"',
        ),
        (STAGE + STAGE, "stages.refine: duplicate name"),
        (STAGE + "epoch = 3", "stages.refine.epoch: unknown key; did you mean"),
        (STAGE + "epochs = 0", "stages.refine.epochs = 0: must be a whole number of at least 1"),
        (STAGE + "learning_rate = 0", "must be a number above 0"),
        (STAGE + "learning_rate = inf", "must be a number above 0"),
        (STAGE + "weight_decay = 1" + "0" * 400, "must be a number of at least 0"),
        (STAGE + 'weight_decay = "small"', 'weight_decay = "small": must be a number'),
        (STAGE + "momentum = true", "momentum = true: must be a number from 0 to 1"),
        (STAGE + "min_crop_scale = 0.5", "has no effect: whole photos are padded (crop is 0)"),
        (STAGE + 'optimizer = "adam"', 'must be one of "sgd", "adamw", "muon"'),
        (
            STAGE + 'optimizer = "adamw"\nmomentum = 0.5',
            "momentum has no effect: it belongs to sgd",
        ),
        (STAGE + "projected = true", "stages.refine has no effect: the stage is projected"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_file_the_key_and_what_it_may_be(text, said):
    with pytest.raises(UsageError) as refused:
        parse_recipe(text, "mine.toml")
    assert str(refused.value).startswith("mine.toml: ") and said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["gone.toml", "."])
def test_a_recipe_that_cannot_be_read(name):
    with pytest.raises(UsageError, match=r"neither paper, small, large nor style, nor a file"):
        load_recipe(name)


class TestChange:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("seed=7", lambda recipe: recipe.seed == 7),
            ("flip = false", lambda recipe: recipe.flip is False),
            ("precision=32", lambda recipe: recipe.precision == "32"),
            ('precision="32"', lambda recipe: recipe.precision == "32"),
            ("model.variant=ce+pr", lambda recipe: recipe.model.variant == "ce+pr"),
            ("stages.refine.epochs=40", lambda recipe: recipe.stages[1].epochs == 40),
            ("stages.*.loss=l1", lambda recipe: {one.loss for one in recipe.stages} == {"l1"}),
            ("stages.coarse.learning_rate=1", lambda recipe: recipe.stages[0].learning_rate == 1.0),
        ],
    )
    def test_one_setting(self, text, found):
        changed = with_changes(SMALL, [Change(text)])
        assert found(changed) and changed != SMALL

    def test_nothing_else_changes(self):
        changed = with_changes(SMALL, [Change("stages.refine.epochs=40")])
        stages = (SMALL.stages[0], replace(SMALL.stages[1], epochs=40), SMALL.stages[2])
        assert changed == replace(SMALL, stages=stages)

    def test_the_last_one_counts(self):
        changes = [Change("stages.*.epochs=9"), Change("stages.refine.epochs=7", "--epochs")]
        assert [one.epochs for one in with_changes(SMALL, changes).stages] == [9, 7, 9]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("seed", "give KEY=VALUE"),
            ("=3", "give KEY=VALUE"),
            ("sede=3", "did you mean seed?"),
            ("model=ce", "unknown key"),
            ("stages.coarse=3", "name one setting, such as stages.coarse.epochs=40"),
            ("stages.coarse.name=first", "stages.coarse.name: only a recipe file can set it"),
            ("stages.*.trains=prnet", "stages.*.trains: only a recipe file can set it"),
            ("seed=3\nflip=true", "must be a whole number"),
            ("stages.fine.epochs=3", "the recipe has coarse, refine, refine_projected"),
            ("stages.*.epochs=many", "must be a whole number"),
            ("stages.*.momentum=0.5", "stages.*.momentum has no effect: it belongs to sgd"),
        ],
    )
    def test_a_wrong_change_is_refused(self, text, said):
        with pytest.raises(UsageError) as refused:
            with_changes(SMALL, [Change(text)])
        assert str(refused.value).startswith("--set") and said in str(refused.value)

    def test_the_option_is_named(self):
        with pytest.raises(UsageError, match=r"^--epochs: stages\.coarse\.epochs = 0"):
            with_changes(SMALL, [Change("stages.*.epochs=0", "--epochs")])

    def test_with_a_star_it_may_have_an_effect_in_some_stages_alone(self):
        assert with_changes(SMALL, [Change("stages.*.crop=96")]).stages[1].crop == 96

    def test_a_stage_that_does_not_run_cannot_be_changed(self):
        changes = [Change("stages.*.epochs=9"), Change("stages.refine.epochs=7")]
        with_changes(SMALL, changes, run=("refine",))
        with pytest.raises(UsageError, match=r"refine\.epochs has no effect: --stages leaves out"):
            with_changes(SMALL, changes, run=("coarse",))

    @pytest.mark.parametrize(
        ("key", "run", "said"),
        [
            ("crop=96", ("coarse",), "CENet sees"),
            ("initial_crop=64", ("coarse", "refine_projected"), None),
            ("projected=true", ("coarse",), "it concerns PRNet"),
            ("decay=0.5", ("refine", "refine_projected"), "the schedule is"),
        ],
    )
    def test_a_star_needs_an_effect_in_a_stage_that_runs(self, key, run, said):
        change = Change(f"stages.*.{key}")
        if said is None:
            with_changes(SMALL, [change], run)
            return
        with pytest.raises(UsageError, match=said):
            with_changes(SMALL, [change], run)

    @pytest.mark.parametrize(
        ("first", "then"),
        [
            ("seed=1", "seed=2"),
            ("model.variant=ce", "model.variant=pr"),
            ("stages.refine.epochs=7", "stages.*.epochs=9"),
            ("stages.*.epochs=9", "stages.*.epochs=9"),
        ],
    )
    def test_a_change_that_a_later_one_replaces_is_refused(self, first, then):
        with pytest.raises(UsageError, match=r"no effect: --set .* sets it again"):
            with_changes(SMALL, [Change(first, "--first"), Change(then)])

    def test_a_change_of_all_stages_and_then_of_one(self):
        changes = [Change("stages.*.epochs=9"), Change("stages.refine.epochs=7")]
        assert [stage.epochs for stage in with_changes(SMALL, changes).stages] == [9, 7, 9]


def test_a_file_is_read_and_its_path_stands_in_messages(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes("\ufeffseed = 3  # as Windows' Notepad saves it\r\n".encode())
    assert load_recipe(str(path)) == replace(Recipe(), seed=3)
    path.write_text("sed = 3")
    with pytest.raises(UsageError, match=r"mine\.toml: sed: unknown key"):
        load_recipe(str(path))
