from enhance_cli.config.recipe_file import load_recipe
from enhance_cli.config.training import TrainConfig
from enhance_cli.training.plan import plan_stages

CONFIG = TrainConfig(recipe=load_recipe("small"))
REPEATS = [1.0] * 100 + [0.5] * 60  # 130 samples: four batches of 32


def test_steps_are_whole_batches():
    plan = plan_stages(CONFIG, REPEATS)
    assert [(one.stage.name, one.stage.epochs, one.steps, one.done) for one in plan] == [
        ("coarse", 20, 4, 0),
        ("refine", 80, 4, 0),
        ("refine_projected", 8, 4, 0),
    ]
    assert [one.steps_left for one in plan] == [80, 320, 32]


def test_few_samples_are_one_step():
    assert {one.steps for one in plan_stages(CONFIG, [1.0] * 3)} == {1}


def test_what_a_resumed_run_has_done():
    plan = plan_stages(CONFIG, REPEATS, "refine", 30)
    assert [one.done for one in plan] == [20, 30, 0]
    assert [one.steps_left for one in plan] == [0, 200, 32]
