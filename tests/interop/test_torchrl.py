"""TorchRL checks, trains and transforms what we give it."""

import pytest

pytest.importorskip("torchrl", reason="torchrl is not installed: python tests/interop/stacks.py")

import torch
from mpe2 import simple_spread_v3
from torchrl.envs import PettingZooWrapper, SerialEnv, TransformedEnv, check_env_specs
from trained import example

from robust_envs import L2, AsAgents, Linf, Noise, Policy, Uniform, WorstCase, joint, robust
from robust_envs.adapters.torchrl import RobustTransform

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("seeded")]
OBSERVED, ACTED, PAID = ("agent", "observation"), ("agent", "action"), ("agent", "reward")


@pytest.fixture
def seeded():
    torch.manual_seed(0)


def spread(cycles=10):
    return simple_spread_v3.parallel_env(continuous_actions=True, max_cycles=cycles)


def transformed(cycles=10, **options):
    return TransformedEnv(PettingZooWrapper(spread(cycles), seed=0), RobustTransform(**options))


@pytest.mark.parametrize(
    ("nature", "channel"),
    [
        (Uniform(), "observation"),
        (AsAgents(), "observation"),
        (AsAgents(), "reward"),
        (AsAgents(uniform_spaces=True), "reward"),
    ],
    ids=repr,
)
def test_check_env_specs_passes(nature, channel):
    check_env_specs(PettingZooWrapper(robust(spread(), **{channel: Linf(0.5)}, nature=nature), return_state=True))


def test_check_env_specs_passes_over_the_transform():
    check_env_specs(transformed(observation=Linf(0.1), reward=L2(0.5), action=Linf(0.3), nature=Uniform()))


@pytest.mark.parametrize(("nature", "groups"), [(Uniform(), ["agent"]), (AsAgents(), ["agent", "nature"])], ids=repr)
def test_training_changes_every_group_and_nature_reaches_what_is_seen(watched, nature, groups):
    module, transforms = example("torchrl"), []
    original = module.RobustTransform
    watched.monkeypatch.setattr(
        module, "RobustTransform", lambda **options: transforms.append(original(**options)) or transforms[-1]
    )
    trained = watched.train(module, 75, nature)
    assert sorted(trained) == groups
    assert all(watched.changed(network) for network in trained.values())
    moved = [float(one.executed.abs().max()) for transform in transforms for one in transform.last_move.values()]
    assert 0 < (moved[0] if moved else watched.largest_move) <= 1 + 1e-6


def test_without_a_radius_the_transform_changes_nothing():
    one, two = transformed(observation=Linf(0), nature=Uniform()), PettingZooWrapper(spread(), seed=0)
    torch.manual_seed(1)
    before = one.rollout(5)
    torch.manual_seed(1)
    after = two.rollout(5)
    assert torch.equal(before[OBSERVED], after[OBSERVED])


def test_nature_draws_from_no_generator_but_its_own():
    torch.manual_seed(1)
    nominal = PettingZooWrapper(spread(), seed=0).rollout(5)
    torch.manual_seed(1)
    moved = transformed(observation=Linf(0.1), reward=Linf(0.5), nature=Uniform()).rollout(5)
    assert torch.equal(nominal[ACTED], moved[ACTED])
    for key, radius in ((OBSERVED, 0.1), (("next", *PAID), 0.5)):
        delta = (moved[key] - nominal[key]).abs()
        assert 0 < float(delta.max()) <= radius + 1e-6
    assert torch.equal(nominal["next", "done"], moved["next", "done"])


def test_every_row_has_a_delta_of_its_own_and_the_recorded_action_is_the_agents():
    env = transformed(action=Linf(0.3), nature=Noise())
    env.reset()
    said = torch.full((3, 5), 0.5)
    after = env.step(env.fake_tensordict().exclude("next").clone().set(ACTED, said))
    move = env.transform.last_move["action", ACTED]
    assert torch.equal(after[ACTED], said)
    assert torch.equal(move.nominal, said)
    assert len({tuple(row.tolist()) for row in move.executed}) == 3


def test_what_is_executed_stays_inside_the_space():
    env = transformed(action=Linf(5.0), nature=Uniform())
    env.rollout(3)
    move = env.transform.last_move["action", ACTED]
    total = move.nominal + move.executed
    assert float(move.chosen.abs().max()) > 1.0
    assert float(total.min()) >= -1e-6
    assert float(total.max()) <= 1 + 1e-6


def test_environments_of_a_batch_that_go_on_keep_what_they_saw_when_others_are_reset():
    batch = SerialEnv(2, [lambda: PettingZooWrapper(spread(3)), lambda: PettingZooWrapper(spread(5))])
    env = TransformedEnv(batch, RobustTransform(observation=Linf(0.1), nature=Uniform()))
    played = env.rollout(8, break_when_any_done=False)
    changed = (played["next", *OBSERVED][:, :-1] != played[OBSERVED][:, 1:]).flatten(2).any(-1)
    assert torch.equal(changed, played["next", "done"][:, :-1, 0])
    assert changed.any()
    assert not changed.all()


def test_the_worst_case_of_a_reward_is_the_radius_below_it():
    env = transformed(reward=L2(0.5), nature=WorstCase())
    env.rollout(2)
    assert torch.allclose(env.transform.last_move["reward", PAID].executed, torch.tensor(-0.5))


def test_a_function_plays_nature_for_the_batch_and_is_held_to_its_set():
    env = transformed(observation=Linf(0.1), nature=lambda batch: 0.1 * batch.nominal.sign())
    env.rollout(2)
    assert float(env.transform.last_move["observation", OBSERVED].executed.abs().max()) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="nature must answer in Linf"):
        transformed(observation=Linf(0.1), nature=lambda batch: batch.nominal + 1).rollout(2)


BAD = {
    "no set": ({"nature": Uniform()}, ValueError, "at least one of observation, reward and action"),
    "no set of ours": ({"observation": 0.1, "nature": Uniform()}, TypeError, "observation must be a set"),
    "joint": ({"reward": joint(Linf(1)), "nature": Uniform()}, ValueError, "row by row"),
    "agents": ({"reward": Linf(1), "nature": AsAgents()}, ValueError, "PettingZooWrapper"),
    "a policy": ({"reward": Linf(1), "nature": Policy(lambda seen: seen)}, ValueError, "PettingZooWrapper"),
    "worst observation": ({"observation": Linf(1), "nature": WorstCase()}, ValueError, "GradientAttack"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_when_the_transform_is_made(case):
    options, kind, words = BAD[case]
    with pytest.raises(kind, match=words):
        RobustTransform(**options)
