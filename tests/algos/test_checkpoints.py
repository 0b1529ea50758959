import json
from pathlib import Path

import numpy as np
import pytest
import torch

from algos.deep import MADDPG, RMADDPG, MADDPGConfig, RMADDPGConfig, checkpoints
from algos.deep.checkpoints import Checkpoint, read_checkpoint, write_checkpoint

SMALL = {"hidden_sizes": (8,), "learning_starts": 20, "update_every": 5, "batch_size": 16}


def checkpoint(number=1.0):
    return Checkpoint({"number": number}, {"first": {"x": torch.full((3,), number)}, "second": {"y": torch.ones(2)}})


def files(folder):
    return sorted(Path(folder).iterdir())


@pytest.fixture
def saved(toys, tmp_path):
    """Save a small trained model and return its folder."""
    model = RMADDPG(toys.mixed_game(horizon=3, deaths={"early": 1}), RMADDPGConfig(**SMALL), seed=2).learn(60)
    model.save(tmp_path / "run")
    return tmp_path / "run"


def test_what_is_read_is_what_was_written(tmp_path):
    write_checkpoint(tmp_path / "c", checkpoint())
    values, tensors = read_checkpoint(tmp_path / "c")
    assert values == {"number": 1.0}
    assert torch.equal(tensors["first"]["x"], torch.ones(3))
    assert torch.equal(tensors["second"]["y"], torch.ones(2))


def test_second_save_replaces_the_first_and_leaves_nothing_of_it(tmp_path):
    for number in (1.0, 2.0, 3.0):
        write_checkpoint(tmp_path / "deep" / "c", checkpoint(number))
    assert read_checkpoint(tmp_path / "deep" / "c").values == {"number": 3.0}
    assert len(files(tmp_path / "deep" / "c")) == 3
    assert len(files(tmp_path / "deep")) == 1


def test_checkpoint_that_is_replaced_while_it_is_read_is_read_anew(tmp_path, monkeypatch):
    write_checkpoint(tmp_path / "c", checkpoint(1.0))
    load, replaced = checkpoints.load_file, []

    def slow(file):
        if not replaced:
            replaced.append(True)
            write_checkpoint(tmp_path / "c", checkpoint(2.0))
        return load(file)

    monkeypatch.setattr(checkpoints, "load_file", slow)
    values, tensors = read_checkpoint(tmp_path / "c")
    assert values == {"number": 2.0}
    assert torch.equal(tensors["first"]["x"], torch.full((3,), 2.0))


class Killed(BaseException):
    """Stand for SIGKILL: nothing catches it."""


SEAMS = ["save_file", "_flush", "_digest", "_digest_of", "_remove_stale"]


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("moment", range(9))
def test_process_killed_while_saving_leaves_a_complete_checkpoint(tmp_path, monkeypatch, existing, moment):
    folder = tmp_path / "c"
    if existing:
        write_checkpoint(folder, checkpoint(1.0))
    calls = 0

    def dying(function):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls > moment:
                raise Killed
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for seam in SEAMS:
            patch.setattr(checkpoints, seam, dying(getattr(checkpoints, seam)))
        patch.setattr(checkpoints.shutil, "rmtree", lambda *a, **k: None)
        with pytest.raises(Killed):
            write_checkpoint(folder, checkpoint(2.0))
    if existing:
        assert read_checkpoint(folder).values["number"] in (1.0, 2.0)
    else:
        assert not folder.exists()
    write_checkpoint(folder, checkpoint(3.0))
    assert read_checkpoint(folder).values == {"number": 3.0}
    assert len(files(folder)) == 3


def test_all_moments_of_a_save_were_tried(tmp_path, monkeypatch):
    calls = []
    for seam in SEAMS:
        original = getattr(checkpoints, seam)
        monkeypatch.setattr(checkpoints, seam, lambda *a, f=original, s=seam, **k: (calls.append(s), f(*a, **k))[1])
    write_checkpoint(tmp_path / "c", checkpoint())
    assert len(calls) == 9


def test_what_a_kill_inside_safetensors_leaves_behind_does_not_bar_the_next_save(tmp_path):
    write_checkpoint(tmp_path / "c", checkpoint(1.0))
    (tmp_path / "c" / ".tmpCaAb1s").write_bytes(b"half")
    write_checkpoint(tmp_path / "c", checkpoint(2.0))
    assert read_checkpoint(tmp_path / "c").values == {"number": 2.0}
    assert not (tmp_path / "c" / ".tmpCaAb1s").exists()


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    file.write_bytes(content)


def cut(file):
    file.write_bytes(file.read_bytes()[:-20])


DAMAGES = {"flipped bit": flip, "cut short": cut, "emptied": lambda f: f.write_bytes(b""), "removed": Path.unlink}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("which", range(4))
def test_damaged_file_is_refused_in_one_sentence(saved, damage, which):
    damage(files(saved)[which])
    with pytest.raises(ValueError, match="checkpoint") as caught:
        RMADDPG.load(saved)
    assert "\n" not in str(caught.value)
    assert str(saved) in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"format": "other"}', "not json", '{"format": []}'])
def test_folder_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "checkpoint.json").write_text(content)
    with pytest.raises(ValueError, match="checkpoint"):
        MADDPG.load(tmp_path)


def test_path_without_checkpoint_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(ValueError, match=r"checkpoint\.json"):
            MADDPG.load(path)


def test_other_version_is_refused_and_named(saved):
    index = json.loads((saved / "checkpoint.json").read_text())
    (saved / "checkpoint.json").write_text(json.dumps({**index, "version": 99}))
    with pytest.raises(ValueError, match="version 99"):
        RMADDPG.load(saved)


def test_checkpoint_of_another_algorithm_is_refused_and_named(saved):
    with pytest.raises(ValueError, match="saved by RMADDPG, not MADDPG"):
        MADDPG.load(saved)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda v: v.pop("seed"),
        lambda v: v["config"].update(gamma=7.0),
        lambda v: v["config"].update(x=1),
        lambda v: v["state"].pop("means"),
        lambda v: v["team"][0]["action"].update(n=9),
    ],
)
def test_values_that_do_not_fit_are_refused(saved, spoil):
    values, tensors = read_checkpoint(saved)
    spoil(values)
    write_checkpoint(saved, Checkpoint(values, tensors))
    with pytest.raises(ValueError, match="cannot be loaded"):
        RMADDPG.load(saved)


def test_saving_over_other_things_is_refused_and_they_stay(toys, tmp_path):
    model = MADDPG(toys.mixed_game(), MADDPGConfig(**SMALL))
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="thesis"):
        model.save(tmp_path)
    with pytest.raises(ValueError, match="folder"):
        model.save(tmp_path / "thesis.tex")
    assert files(tmp_path) == [tmp_path / "thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_loaded_policy_predicts_the_same_without_an_environment(toys, saved):
    observations, _ = toys.mixed_game().reset()
    model = RMADDPG(toys.mixed_game(horizon=3, deaths={"early": 1}), RMADDPGConfig(**SMALL), seed=2).learn(60)
    loaded = RMADDPG.load(saved)
    for deterministic in (True, False):
        for _ in range(5):
            expected, _ = model.predict(observations, deterministic=deterministic)
            actions, _ = loaded.predict(observations, deterministic=deterministic)
            np.testing.assert_equal(actions, expected)


def test_loaded_model_has_the_settings_of_the_saved_one(saved):
    model = RMADDPG.load(saved)
    assert model.config == RMADDPGConfig(**SMALL)
    assert (model.seed, model.num_timesteps) == (2, 60)


def test_learning_without_an_environment_is_refused(saved):
    with pytest.raises(ValueError, match="env must be set"):
        RMADDPG.load(saved).learn(10)


def test_environment_with_other_agents_or_spaces_is_refused(toys, saved):
    with pytest.raises(ValueError, match="agents"):
        RMADDPG.load(saved, toys.matrix_game([[1, 0], [0, 1]]))


def test_light_checkpoint_leaves_the_buffer_out(toys, tmp_path):
    env = toys.mixed_game(horizon=3)
    model = MADDPG(env, MADDPGConfig(**SMALL)).learn(60)
    model.save(tmp_path / "light", include_buffer=False)
    assert not [f for f in files(tmp_path / "light") if f.name.startswith("replay")]
    observations, _ = env.reset()
    loaded = MADDPG.load(tmp_path / "light", env)
    np.testing.assert_equal(loaded.predict(observations), model.predict(observations))
    before = loaded._state.stacks["actors"].parameters.detach().clone()
    loaded.learn(15, reset_num_timesteps=False)  # fewer than learning_starts: waits until there is enough to learn from
    assert torch.equal(before, loaded._state.stacks["actors"].parameters)
    loaded.learn(15, reset_num_timesteps=False)
    assert not torch.equal(before, loaded._state.stacks["actors"].parameters)


def test_nothing_is_pickled(saved):
    assert {file.suffix for file in files(saved)} == {".json", ".safetensors"}
