"""Tasks whose optimum is known, solved in seconds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from algos.deep import MADDPG, RMADDPG, MADDPGConfig, RMADDPGConfig

FAST = {
    "hidden_sizes": (32,),
    "batch_size": 64,
    "update_every": 2,
    "learning_starts": 100,
    "tau": 0.1,
    "actor_learning_rate": 0.01,
    "critic_learning_rate": 0.01,
}
BOTH = [(MADDPG, MADDPGConfig(**FAST)), (RMADDPG, RMADDPGConfig(**FAST))]


def values(model, name="critics"):
    """Return what the stack says of the latest batch, (N, B)."""
    batch = model._state.buffer.sample(256, torch.device("cpu"))
    inputs = batch.joint.expand(len(batch.reward), *batch.joint.shape)
    return model._state.stacks[name](inputs)[..., 0].detach(), batch


@pytest.mark.parametrize(("algorithm", "config"), BOTH)
@pytest.mark.parametrize("seed", [0, 1])
def test_cooperative_matrix_game_is_solved(toys, algorithm, config, seed):
    payoff = [[1, 0, 0], [0, 0, 3], [0, 1, 0]]
    model = algorithm(toys.matrix_game(payoff), config, seed=seed).learn(1000)
    actions, _ = model.predict({"a": np.ones(1, np.float32), "b": np.ones(1, np.float32)})
    assert actions == {"a": 1, "b": 2}


@pytest.mark.parametrize(("algorithm", "config"), BOTH)
def test_continuous_optimum_is_found(toys, algorithm, config):
    goals = {"a": 0.5, "b": -2.0}
    seats = toys.team_of(a=(toys.box(1), toys.box(1)), b=(toys.box(2), toys.box(1, -4.0, 0.0)))

    def reward(actions):
        return {agent: -float((actions[agent][0] - goal) ** 2) for agent, goal in goals.items()}

    model = algorithm(toys.Toy(*seats, reward), replace(config, action_noise=0.3), seed=0).learn(2000)
    actions, _ = model.predict({"a": np.ones(1, np.float32), "b": np.ones(2, np.float32)})
    assert actions["a"][0] == pytest.approx(0.5, abs=0.2)
    assert actions["b"][0] == pytest.approx(-2.0, abs=0.4)


def test_simplex_optimum_is_found(toys):
    seats = toys.team_of(a=(toys.box(1), toys.box(3, 0.0, 1.0)))
    env = toys.Toy(*seats, lambda actions: {"a": float(actions["a"][1])})
    model = MADDPG(env, MADDPGConfig(**FAST, continuous="softmax"), seed=0).learn(1500)
    actions, _ = model.predict({"a": np.ones(1, np.float32)})
    assert actions["a"][1] > 0.9


def test_agents_with_other_spaces_that_die_find_their_optimum(toys):
    env = toys.mixed_game(horizon=3, deaths={"early": 1})
    env._reward = lambda actions: {
        "early": float(actions.get("early") == 6),
        "late": float(actions["late"][0]),
        "masked": float(actions["masked"] == 2),
    }
    model = MADDPG(env, MADDPGConfig(**FAST), seed=0).learn(1800)
    actions, _ = model.predict(env.reset()[0])
    assert actions["early"] == 6
    assert actions["masked"] == 2
    assert actions["late"][0] > 4.5


@pytest.mark.parametrize(("terminate", "value"), [(False, 1 / (1 - 0.8)), (True, 1.0)])
def test_critic_bootstraps_through_truncation_and_not_through_termination(toys, terminate, value):
    env = toys.matrix_game(np.ones((2, 2)), horizon=1, terminate=terminate)
    model = MADDPG(env, MADDPGConfig(**FAST, gamma=0.8), seed=0).learn(1200)
    q, _ = values(model)
    np.testing.assert_allclose(q, value, rtol=0.05)


@pytest.mark.parametrize(
    ("nature", "weight", "lower"), [("published", 0.5, 1.0), ("published", 2.0, 0.25), ("regression", 0.5, 0.0)]
)
def test_nature_tends_to_the_mean_reward_less_one_over_twice_its_weight(toys, nature, weight, lower):
    rng = np.random.default_rng(0)
    env = toys.matrix_game([[2.0, 0.0], [0.0, -1.0]])
    exact = env._reward
    env._reward = lambda actions: {agent: r + rng.choice([-1.0, 1.0]) for agent, r in exact(actions).items()}
    config = RMADDPGConfig(nature=nature, nature_weight=weight, learning_starts=2000)  # no update: random play
    model = RMADDPG(env, config, seed=0).learn(1000)
    batch = model._state.buffer.layout.read(model._state.buffer.state()["rows"])
    for _ in range(300):
        model._update_natures(batch)
    natures = model._natures(batch.joint.expand(2, *batch.joint.shape))[..., 0].detach()
    for pair in torch.unique(batch.action.flatten(1), dim=0):
        same = (batch.action.flatten(1) == pair).all(1)
        expected = batch.reward[:, same].mean(1) - lower
        np.testing.assert_allclose(natures[:, same].mean(1), expected, atol=0.05)


@pytest.mark.slow
def test_cooperative_navigation_is_learnt():
    spread = pytest.importorskip("mpe2.simple_spread_v3")

    def team_return(policy):
        env, total = spread.parallel_env(max_cycles=25), 0.0
        for episode in range(50):
            observations, _ = env.reset(seed=10_000 + episode)
            while env.agents:
                observations, rewards, *_ = env.step(policy(env, observations))
                total += sum(rewards.values())
        return total / 50

    def random_play(env, observations):
        return {agent: env.action_space(agent).sample() for agent in observations}

    model = RMADDPG(spread.parallel_env(max_cycles=25), seed=0).learn(25_000)
    assert team_return(lambda _, observations: model.predict(observations)[0]) > team_return(random_play) + 10
