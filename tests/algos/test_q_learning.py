"""Tasks whose optimum is known, solved in seconds; and exact robust values of small games, reached by learners."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from algos.deep import IQL, QMIX, VDN, IQLConfig, QMIXConfig, VDNConfig
from algos.tabular import robust_exploitability, robust_value_iteration
from robust_envs import Contamination, CVaR, L1Ambiguity, Linf, TotalVariation, WorstCase, per_state, robust
from robust_envs.envs import MarkovGame, MarkovGameEnv

FAST = {
    "hidden_sizes": (16,),
    "batch_size": 64,
    "update_every": 2,
    "learning_starts": 100,
    "tau": 0.1,
    "learning_rate": 0.01,
    "epsilon_steps": 500,
}
# One layer and no hidden one: with a state seen one-hot that is a table.
TABLE = {
    "hidden_sizes": (),
    "batch_size": 128,
    "update_every": 1,
    "learning_starts": 300,
    "tau": 0.1,
    "learning_rate": 0.03,
    "max_grad_norm": 10.0,
    "epsilon_end": 1.0,
    "gamma": 0.8,
}
ALGORITHMS = [(IQL, IQLConfig), (VDN, VDNConfig), (QMIX, QMIXConfig)]


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_cooperative_matrix_game_is_solved(toys, algorithm, config):
    payoff = [[1, 0, 0], [0, 0.5, 3], [0, 1, 0]]
    model = algorithm(toys.matrix_game(payoff), config(**FAST), seed=0).learn(800)
    actions, _ = model.predict({"a": np.ones(1, np.float32), "b": np.ones(1, np.float32)})
    assert actions == {"a": 1, "b": 2}


@pytest.mark.parametrize(("terminate", "value"), [(False, 2 / (1 - 0.8)), (True, 2.0)])
@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_targets_bootstrap_through_truncation_and_not_through_termination(toys, algorithm, config, terminate, value):
    env = toys.matrix_game(np.ones((2, 2)), horizon=1, terminate=terminate)
    model = algorithm(env, config(**{**FAST, "learning_rate": 0.03}, gamma=0.8), seed=0).learn(600)
    batch = model._state.buffer.sample(64, torch.device("cpu"))
    q = model._joined(model._q(batch.observation).amax(-1), batch, following=False, target=False)
    np.testing.assert_allclose(q.detach(), value / (2 if algorithm is IQL else 1), rtol=0.05)


def team_values(model, observations, actions):
    """Return Q_tot of joint actions, (B,)."""
    batch = model._state.buffer.sample(1, torch.device("cpu"))
    count = len(actions)
    batch = batch._replace(observation=observations.expand(2, count, -1), state=None)
    q = model._q(batch.observation).gather(-1, torch.tensor(actions).T[..., None])[..., 0]
    return model._joined(q, batch, following=False, target=False)[0].detach()


@pytest.mark.parametrize(
    ("algorithm", "config", "together", "tolerance"), [(QMIX, QMIXConfig, 1.0, 0.1), (VDN, VDNConfig, 0.0, 1e-5)]
)
def test_mixer_values_what_needs_both_agents_and_a_sum_cannot(toys, algorithm, config, together, tolerance):
    env = toys.matrix_game([[0.0, 0.0], [0.0, 0.5]])  # paid to each, so a team of two gets 1 when both do it
    model = algorithm(env, config(**{**FAST, "epsilon_end": 1.0, "gamma": 0.0}), seed=0).learn(800)
    neither, second, first, both = team_values(model, torch.ones(2, 1, 1), [[0, 0], [0, 1], [1, 0], [1, 1]])
    assert (neither + both - first - second).item() == pytest.approx(together, abs=tolerance)


def masked_game(toys, rng, played):
    """Make a game in which action 0 is best and mostly illegal; legal actions change at random."""
    seen = spaces.Dict({"observation": toys.box(1), "action_mask": spaces.MultiBinary(4)})
    seats = toys.team_of(a=(seen, spaces.Discrete(4)), b=(seen, spaces.Discrete(4)))
    env = toys.Toy(*seats, lambda actions: {agent: -float(action) for agent, action in actions.items()}, horizon=5)

    def observe(agents):
        masks = {agent: np.array([0, *(rng.random(3) < 0.5)], np.int8) for agent in agents}
        for mask in masks.values():
            mask[rng.integers(1, 4)] = 1
        env.masks.append(masks)
        return {agent: {"observation": np.ones(1, np.float32), "action_mask": mask} for agent, mask in masks.items()}

    env._observe, env.masks = observe, []
    step = env.step

    def checked(actions):
        played.extend(bool(env.masks[-1][agent][action]) for agent, action in actions.items())
        return step(actions)

    env.step = checked
    return env


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_masked_actions_are_never_chosen(toys, algorithm, config):
    played = []
    env = masked_game(toys, np.random.default_rng(0), played)
    model = algorithm(env, config(**FAST, transition_set=Contamination(0.1)), seed=0).learn(400)
    for deterministic in (True, False):
        for _ in range(50):
            observations, _ = env.reset()
            actions, _ = model.predict(observations, deterministic=deterministic)
            played.extend(bool(observations[agent]["action_mask"][action]) for agent, action in actions.items())
    assert len(played) == 1000
    assert all(played)


@pytest.mark.parametrize(
    "space", [spaces.Box(0.0, 1.0, (2,), np.float32), spaces.MultiDiscrete([2, 2]), spaces.MultiBinary(3)], ids=str
)
@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_other_action_spaces_are_refused_with_agent_and_space(toys, algorithm, config, space):
    env = toys.Toy(*toys.team_of(a=(toys.box(1), spaces.Discrete(2)), b=(toys.box(1), space)), lambda _: {})
    with pytest.raises(ValueError, match=r"agent 'b'.*Discrete.*" + type(space).__name__):
        algorithm(env, config())


def test_reward_set_for_an_agent_that_is_not_there_is_refused(toys):
    with pytest.raises(ValueError, match=r"reward_set must be by agent of \['a', 'b'\], got 'c'"):
        IQL(toys.matrix_game([[1.0]]), IQLConfig(reward_set={"c": "Linf(0.1)"}))


def random_game(seed, *, states=3, actions=2):
    rng = np.random.default_rng(seed)
    rewards, kernel = rng.uniform(-1, 1, (1, states, actions)), rng.dirichlet(np.full(states, 0.3), (states, actions))
    return MarkovGame(rewards, kernel, 0.8)


def greedy_policies(model, game, run=0):
    found = [np.zeros((game.n_states, n)) for n in game.n_actions]
    for state in range(game.n_states):
        actions, _ = model.predict(dict.fromkeys(game.players, np.int64(state)), run=run)
        for policy, agent in zip(found, game.players, strict=True):
            policy[state, actions[agent]] = 1.0
    return found


# In this game the policy that is best without nature loses more than 1.2 of the value under each of these sets. How far
# values may be off is what some 250 visits of each action leave open: the less of the mass counts, the more.
@pytest.mark.parametrize(
    ("members", "error"),
    [
        (TotalVariation(0.4), 0.15),
        pytest.param(Contamination(0.4), 0.15, marks=pytest.mark.slow),
        pytest.param(CVaR(0.3), 0.4, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_learner_reaches_the_exact_robust_values_of_a_decision_process(members, error):
    game, seeds = random_game(16), [0, 1, 2]
    exact = robust_value_iteration(game, transition_set=members)
    nominal = robust_value_iteration(game)
    assert robust_exploitability(game, nominal, transition_set=members)[0] > 1.2
    envs = [MarkovGameEnv(game, horizon=10) for _ in seeds]
    model = IQL(envs, IQLConfig(**TABLE, transition_set=members), seeds=seeds).learn(1500)
    values = model._q(torch.eye(3).expand(3, 3, 3)).amax(-1).detach()
    np.testing.assert_allclose(values, np.broadcast_to(exact.values, (3, 3)), atol=error)
    for run in range(3):
        gap = robust_exploitability(game, greedy_policies(model, game, run), transition_set=members)
        assert gap[0] < 0.05


def additive_game(seed, *, zero_sum):
    """Make a game of two whose rewards and kernel are sums of a part of each player, and the same for one player."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(-1, 1, (2, 3, 2))
    kernels = rng.dirichlet(np.full(3, 0.4), (2, 3, 2))
    if zero_sum:
        first = own[0][:, :, None] - own[1][:, None, :]
        rewards = np.stack([first, -first])
    else:
        rewards = np.stack([(own[0][:, :, None] + own[1][:, None, :]) / 2] * 2)
    kernel = (kernels[0][:, :, None] + kernels[1][:, None, :]) / 2
    return MarkovGame(rewards, kernel, 0.8)


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "config"), [(VDN, VDNConfig), (QMIX, QMIXConfig)])
@pytest.mark.parametrize("members", [None, Contamination(0.4)], ids=str)
def test_team_reaches_the_exact_robust_optimum_of_a_team_game(algorithm, config, members):
    game, seeds = additive_game(1, zero_sum=False), [0, 1, 2]
    together = MarkovGame(game.rewards.sum(0).reshape(1, 3, 4), game.transitions.reshape(3, 4, 3), 0.8)
    exact = robust_value_iteration(together, transition_set=members).values[0]
    envs = [MarkovGameEnv(game, horizon=10) for _ in seeds]
    model = algorithm(envs, config(**TABLE, transition_set=members), seeds=seeds).learn(3000)
    for run in range(3):
        policies = greedy_policies(model, game, run)
        assert robust_exploitability(game, policies, transition_set=members).max() < 0.05
    q = model._q(torch.eye(3).expand(6, 3, 3)).amax(-1)
    batch = model._state.sample(3, torch.device("cpu"))._replace(state=torch.eye(3).expand(3, 3, 3))
    values = model._joined(q, batch, following=False, target=False).detach()
    np.testing.assert_allclose(values, np.broadcast_to(exact, (3, 3)), atol=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("members", [None, Contamination(0.3), TotalVariation(0.3)], ids=str)
def test_independent_learners_reach_a_robust_equilibrium_of_a_zero_sum_game(members):
    game, seeds = additive_game(2, zero_sum=True), [0, 1, 2]
    envs = [MarkovGameEnv(game, horizon=10) for _ in seeds]
    config = IQLConfig(**{**TABLE, "epsilon_end": 0.1, "epsilon_steps": 1500}, transition_set=members)
    model = IQL(envs, config, seeds=seeds).learn(3000)
    for run in range(3):
        assert robust_exploitability(game, greedy_policies(model, game, run), transition_set=members).max() < 0.1


# Theory sheet G8: paid 1 a step, failing with chance 0.1; closed forms of the value under sets of radius 0.1.
@pytest.mark.parametrize(
    ("members", "value"),
    [
        (Contamination(0.1), 3.690037),
        pytest.param(None, 5.263158, marks=pytest.mark.slow),
        pytest.param(TotalVariation(0.1), 3.571429, marks=pytest.mark.slow),
        pytest.param(L1Ambiguity(0.1), 4.255319, marks=pytest.mark.slow),
        pytest.param(CVaR(0.5), 3.571429, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_survival_is_worth_its_closed_form(members, value):
    kernel = [[[0.9, 0.1]], [[0.0, 1.0]]]
    game = MarkovGame([[[1.0], [0.0]]], kernel, 0.9, terminal=[False, True])
    config = IQLConfig(**{**TABLE, "gamma": 0.9}, transition_set=members)
    model = IQL([MarkovGameEnv(game, horizon=50) for _ in range(4)], config, seeds=[0, 1, 2, 3]).learn(1500)
    q = model._q(torch.eye(2).expand(4, 2, 2))[:, 0, 0].detach()
    assert q.mean().item() == pytest.approx(value, rel=0.05)


def test_radius_that_depends_on_state_and_action_comes_with_the_environment():
    """The risky action pays 1 and may lose up to 1.5, the safe one pays 0.2: only a robust learner takes it."""
    game = MarkovGame([[[1.0, 0.2]]], [[[1.0], [1.0]]], 0.0)

    def risk(observation, action):
        return 1.5 if action == 0 else 0.0

    def choice(env):
        config = IQLConfig(**{**TABLE, "gamma": 0.0, "learning_starts": 50})
        return IQL(env, config, seed=0).learn(250).predict({"player_0": np.int64(0)})[0]["player_0"]

    env = MarkovGameEnv(game, horizon=5)
    assert choice(env) == 0
    assert choice(robust(env, reward=per_state(Linf(1.0), radius=risk), nature=WorstCase())) == 1
