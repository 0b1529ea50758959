"""A trained adversary: it lowers the return more than noise does, comes back as a nature, and obeys its seed."""

import gymnasium
import numpy as np
import pytest
from glassbox import EchoParallel, Player, play, same
from mpe2 import simple_spread_v3

from algos.best_response import BestResponse
from algos.deep import MADDPG, MADDPGConfig
from robust_envs import Linf, Mixture, Policy, Switch, Uniform, robust
from robust_envs.evaluation import evaluate


def cartpole():
    return gymnasium.make("CartPole-v1")


def lean(observation):
    return int(observation[2] + observation[3] > 0)


def head_for_the_middle(observation):
    return int(np.argmax([0, *np.stack([-observation[2:4], observation[2:4]]).T.reshape(-1)]))


@pytest.mark.slow
def test_a_trained_nature_lowers_the_return_more_than_noise():
    nature = BestResponse(lean, cartpole, action=Switch(0.3), seed=0).learn(3000)
    assert isinstance(nature, Policy)
    natures = {"noise": Uniform(), "trained": nature}
    found = evaluate(lean, cartpole, action=Switch(0.3), natures=natures, levels=(0, 1), episodes=12)
    nominal, noisy, trained = (found.summary(*at).mean for at in (("noise", 0), ("noise", 1), ("trained", 1)))
    assert nominal > 400
    assert trained < 0.8 * noisy


def test_training_obeys_its_seed():
    def weights(seed):
        search = BestResponse(lean, cartpole, observation=Linf(0.1), seed=seed)
        search.learn(512)
        return [tensor.numpy().copy() for tensor in search.model.policy.state_dict().values()]

    assert same(weights(0), weights(0))
    assert not same(weights(0), weights(1))


def small(game, seed):
    return MADDPG(game, MADDPGConfig(learning_starts=30, batch_size=16, update_every=25, hidden_sizes=(16,)), seed=seed)


def test_several_natures_are_trained_together_and_come_back_as_one():
    make = lambda: simple_spread_v3.parallel_env(max_cycles=10)  # noqa: E731
    search = BestResponse(head_for_the_middle, make, observation=Linf(0.5), trainer=small)
    assert search.game.possible_agents == ["nature_0", "nature_1", "nature_2"]
    env = robust(make(), observation=Linf(0.5), nature=search.learn(60), trace=True)
    play(env)
    assert any(moves.executed.any() for moves in env.trace.moves.values())


def test_what_was_trained_in_a_frame_comes_back_in_it():
    search = BestResponse(lean, cartpole, action=Switch(1.0), wrap=lambda agents: Mixture(0.1, agents))
    nature = search.learn(512)
    assert isinstance(nature, Mixture)
    env = robust(cartpole(), action=Switch(1.0), nature=nature, trace=True)
    play(env)
    assert env.trace.moves["action", "agent_0"].executed.any(axis=1).mean() < 0.5


def test_one_nature_of_a_team_is_trained_too():
    players = {"a_0": Player(), "a_1": Player()}
    still = lambda observation: np.zeros(2, np.float32)  # noqa: E731
    search = BestResponse(still, lambda: EchoParallel(players), action={"a_1": Linf(0.5)}, trainer=small)
    env = robust(EchoParallel(players), action={"a_1": Linf(0.5)}, nature=search.learn(40))
    assert same(play(env), play(env))


BAD = {
    "an environment": (
        lambda: BestResponse(lean, cartpole(), observation=Linf(1)),
        TypeError,
        "env_fn must be callable",
    ),
    "seed": (lambda: BestResponse(lean, cartpole, observation=Linf(1), seed=-1), ValueError, "seed must be .*-1"),
    "policy": (lambda: BestResponse(3, cartpole, observation=Linf(1)), TypeError, r"team must have predict\(\)"),
    "no channel": (lambda: BestResponse(lean, cartpole), ValueError, "at least one channel"),
    "channel": (lambda: BestResponse(lean, cartpole, observe=Linf(1)), ValueError, "unknown channel 'observe'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(case):
    make, kind, words = BAD[case]
    with pytest.raises(kind, match=words):
        make()
