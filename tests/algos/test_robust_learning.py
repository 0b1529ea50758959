"""Games whose robust optimum is known and is not the nominal one; exact equilibria; trained adversaries."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from algos.deep import (
    M3DDPG,
    MADDPG,
    MATD3,
    RMAAC,
    RMADDPG,
    M3DDPGConfig,
    MADDPGConfig,
    MATD3Config,
    RMAACConfig,
    RMADDPGConfig,
)
from algos.tabular import robust_exploitability, tabulate
from robust_envs import L2, AsAgents, Linf, robust
from robust_envs.envs import MarkovGame, MarkovGameEnv, named_game

FAST = {
    "hidden_sizes": (32,),
    "batch_size": 64,
    "update_every": 2,
    "learning_starts": 100,
    "tau": 0.1,
    "actor_learning_rate": 0.01,
    "critic_learning_rate": 0.01,
    "logit_penalty": 0.0,
}
EVERYONE = {
    "matd3": (MATD3, MATD3Config(**FAST)),
    "m3ddpg": (M3DDPG, M3DDPGConfig(**FAST, epsilon=0.05)),
    "m3ddpg learned": (M3DDPG, M3DDPGConfig(**FAST, epsilon=0.05, nature="learned")),
    "rmaddpg set": (RMADDPG, RMADDPGConfig(**FAST, nature="set", reward_set=Linf(0.3))),
    "rmaac": (RMAAC, RMAACConfig(**FAST, observation_set=Linf(0.1))),
    "inferring": (MADDPG, MADDPGConfig(**FAST, infer_policies=True)),
    "ernie": (MADDPG, MADDPGConfig(**FAST, ernie_weight=0.1, ernie_set=Linf(0.1))),
}


SELDOM = ("inferring", "ernie", "rmaddpg set")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SELDOM else n for n in EVERYONE])
def test_cooperative_matrix_game_is_solved(toys, name):
    algorithm, config = EVERYONE[name]
    payoff = [[1, 0, 0], [0, 0, 3], [0, 1, 0]]
    model = algorithm(toys.matrix_game(payoff), config, seed=0).learn(1200)
    actions, _ = model.predict({"a": np.ones(1, np.float32), "b": np.ones(1, np.float32)})
    assert actions == {"a": 1, "b": 2}


def learn_offline(model, rounds=800):
    """Take rounds of updates on a thousand steps of random play."""
    model.learn(1000)
    for _ in range(rounds):
        model._update(model._state.sample(256, torch.device("cpu")))
    model._actors.refresh()
    return model


OFFLINE = {**FAST, "hidden_sizes": (32, 32), "learning_starts": 2000, "logit_penalty": 0.01}


def leaning_game(toys):
    """Make a game where "a" should lean on "b", unless b may be elsewhere: r_a = x (y + 0.3), and b likes y = 0.

    Where y is 0 the best x is 1. Where |y| may be 0.6, r_a is least 0.3 x - 0.6 |x|, and the best x is 0.
    """
    seats = toys.team_of(a=(toys.box(1), toys.box(1)), b=(toys.box(1), toys.box(1)))

    def reward(actions):
        x, y = float(actions["a"][0]), float(actions["b"][0])
        return {"a": x * (y + 0.3), "b": -y * y}

    return toys.Toy(*seats, reward)


@pytest.mark.parametrize(
    ("algorithm", "config", "lean"),
    [
        (MADDPG, MADDPGConfig(**OFFLINE), 1.0),
        (M3DDPG, M3DDPGConfig(**OFFLINE, epsilon=0.6), 0.0),
        (M3DDPG, M3DDPGConfig(**OFFLINE, epsilon=0.6, nature="learned"), 0.0),
    ],
    ids=["maddpg", "gradient", "learned"],
)
def test_agent_that_cannot_trust_its_partner_does_not_lean_on_it(toys, algorithm, config, lean):
    model = learn_offline(algorithm(leaning_game(toys), config, seed=0))
    actions, _ = model.predict({"a": np.ones(1, np.float32), "b": np.ones(1, np.float32)})
    assert float(actions["a"][0]) == pytest.approx(lean, abs=0.25)
    assert float(actions["b"][0]) == pytest.approx(0.0, abs=0.2)


def ice_game(toys):
    """Make a game of one agent that sees how thick the ice is, o in [-0.5, 0.5]: to cross pays 1 where o > 0, else -2.

    The agent should cross from o = 0 on. Where what it sees may be 0.2 off it should from 0.2 on: below, the ice may be
    thin, and thin ice costs more than to wait.
    """

    class Ice(toys.Toy):
        def reset(self, seed=None, options=None):
            self.ice = float(np.random.default_rng(seed).uniform(-0.5, 0.5))
            return super().reset(seed, options)

        def _observe(self, agents):
            return {a: np.full(1, self.ice, np.float32) for a in agents}

    env = Ice(*toys.team_of(a=(toys.box(1), toys.box(1, 0.0, 1.0))), None)
    env._reward = lambda actions: {"a": float(actions["a"][0]) * (1.0 if env.ice > 0 else -2.0)}
    return env


def crosses_from(model):
    """Return the thickness from which the agent crosses, by how often it does."""
    seen = np.linspace(-0.5, 0.5, 201, dtype=np.float32)
    return 0.5 - float(np.mean([model.predict({"a": np.array([o])})[0]["a"][0] for o in seen]))


def test_agent_that_cannot_trust_its_eyes_crosses_thicker_ice_only(toys):
    plain = learn_offline(MADDPG(ice_game(toys), MADDPGConfig(**OFFLINE), seed=0))
    config = RMAACConfig(**OFFLINE, observation_set=Linf(0.2), nature_learning_rate=0.01)
    careful = learn_offline(RMAAC(ice_game(toys), config, seed=0))
    assert crosses_from(plain) == pytest.approx(0.0, abs=0.06)
    assert crosses_from(careful) == pytest.approx(0.2, abs=0.06)


def test_price_of_change_makes_policies_flatter(toys):
    def steepest(weight):
        config = MADDPGConfig(**OFFLINE, ernie_weight=weight, ernie_set=Linf(0.1))
        model = learn_offline(MADDPG(ice_game(toys), config, seed=0), rounds=400)
        seen = np.linspace(-0.5, 0.5, 41, dtype=np.float32)
        moves = np.array([model.predict({"a": np.array([o])})[0]["a"][0] for o in seen])
        return float(np.diff(moves).max())

    assert steepest(1.0) < 0.5 * steepest(0.0)


ONE_SHOT = {**FAST, "hidden_sizes": (16,), "learning_starts": 64}
EQUILIBRIA = {
    "maddpg": (MADDPG, MADDPGConfig(**ONE_SHOT)),
    "matd3": (MATD3, MATD3Config(**ONE_SHOT)),
    "m3ddpg": (M3DDPG, M3DDPGConfig(**ONE_SHOT, epsilon=0.05)),
    "rmaddpg set": (RMADDPG, RMADDPGConfig(**ONE_SHOT, nature="set", reward_set=Linf(0.4))),
    "rmaddpg regression": (RMADDPG, RMADDPGConfig(**ONE_SHOT, nature="regression", reward_set=Linf(0.4))),
}


@pytest.mark.parametrize("game", ["prisoners-dilemma", pytest.param("stag-hunt", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", EQUILIBRIA)
def test_learnt_policies_are_exact_robust_equilibria_of_matrix_games(name, game):
    algorithm, config = EQUILIBRIA[name]
    payoffs, seeds = named_game(game), [0, 1, 2]
    envs = [MarkovGameEnv(payoffs, horizon=5) for _ in seeds]
    model = algorithm(envs, replace(config, gamma=float(payoffs.discount)), seeds=seeds).learn(800)
    for run in range(len(seeds)):
        policies = {p: lambda o, p=p, run=run: model.predict({p: o}, run=run)[0][p] for p in payoffs.players}
        table = tabulate(policies, payoffs)
        assert float(robust_exploitability(payoffs, table, reward_set=Linf(0.4)).max()) == 0.0


def chances(model, run):
    """Return the softmax policies of a matrix game, in the precision that certificates need."""
    seen, _ = model._team.encode(dict.fromkeys(model._team.agents, 0))
    outputs = model._actors(np.tile(seen, (len(model.seeds), 1))).astype(float).reshape(len(model.seeds), len(seen), -1)
    weights = np.exp(outputs[run] - outputs[run].max(1, keepdims=True))
    return tuple((weights / weights.sum(1, keepdims=True))[:, None])


@pytest.mark.parametrize(
    ("config", "low", "high"),
    [
        # All on the best action, which nature then empties.
        pytest.param(RMADDPGConfig(**ONE_SHOT, nature="none"), 0.3, 1.0, marks=pytest.mark.slow),
        (RMADDPGConfig(**ONE_SHOT, nature="set", reward_set=L2(2.0), rectangular="s"), 0.0, 0.15),
    ],
    ids=["no nature", "one ball"],
)
def test_one_ball_over_the_rewards_of_all_actions_makes_mixing_pay(config, low, high):
    game, seeds = MarkovGame.from_matrix([1.0, 0.7, 0.4]), [0, 1, 2]
    steps = {"gamma": 0.0, "actor_learning_rate": 0.003, "tau": 0.02}
    envs = [MarkovGameEnv(game, horizon=5) for _ in seeds]
    model = RMADDPG(envs, replace(config, **steps), seeds=seeds).learn(1500)
    for run in range(len(seeds)):
        gap = robust_exploitability(game, chances(model, run), reward_set=L2(2.0), rectangular="s").max()
        assert low <= float(gap) <= high


def push_game(toys, **options):
    """Make a game of one agent that should play 0.5; with `robust(action=...)` nature pushes its action."""
    seats = toys.team_of(a=(toys.box(1), toys.box(1)))
    return toys.Toy(*seats, lambda actions: {"a": -float((actions["a"][0] - 0.5) ** 2)}, **options)


def test_trained_nature_agents_do_the_harm_that_is_possible(toys):
    def best(observation):
        return np.array([0.5], np.float32)

    game = robust(push_game(toys), action=Linf(0.3), nature=AsAgents(team=best))
    (nature,) = game.possible_agents
    model = MADDPG(game, MADDPGConfig(**FAST, action_noise=0.5), seed=0).learn(1500)
    observations, _ = game.reset(seed=0)
    _, rewards, *_ = game.step(model.predict(observations)[0])
    assert rewards[nature] == pytest.approx(0.3**2, rel=0.1)  # the worst push costs 0.09, no push costs nothing


@pytest.mark.parametrize("channel", ["action", "reward"])
def test_nature_that_is_trained_with_the_team_lowers_its_return_by_the_radius(toys, channel):
    def team_return(model, game):
        observations, _ = game.reset(seed=0)
        return game.step(model.predict(observations)[0])[1]["a"]

    def straight():
        env = push_game(toys)
        env._reward = lambda actions: {"a": float(actions["a"][0])}  # the saddle point: the team at 1, nature at -0.3
        return env

    config = MADDPGConfig(**FAST, action_noise=0.5)
    alone = MADDPG(straight(), config, seed=0).learn(800)
    game = robust(straight(), **{channel: Linf(0.3)}, nature=AsAgents())
    together = MADDPG(game, config, seed=0).learn(800)
    assert team_return(alone, straight()) == pytest.approx(1.0, abs=0.05)
    assert team_return(together, game) == pytest.approx(0.7, abs=0.05)
