"""What late and lost values, messages and strangers cost: wrapped over naked steps per CPU-second.

`python tests/benchmarks/test_carried_overhead.py` prints the table of docs/benchmarks.md.
"""

import gymnasium
import numpy as np
import pytest
from interleaved import ratios
from mpe2 import simple_reference_v3, simple_spread_v3

from robust_envs import Delay, Dropout, Finite, Linf, Switch, Uniform, heard, robust

STEPS = 300


def play(env, actions):
    env.reset(seed=0)

    def chunk():
        for action in actions:
            result = env.step(action)
            if isinstance(action, dict):
                if not env.agents:
                    env.reset()
            elif result[2] or result[3]:
                env.reset()

    return chunk


def cartpole(rounds=31):
    actions = [int(action) for action in np.random.default_rng(0).integers(0, 2, STEPS)]
    made = lambda **given: robust(gymnasium.make("CartPole-v1"), **given, nature=Uniform())  # noqa: E731
    envs = {
        "naked": gymnasium.make("CartPole-v1"),
        "observation=Linf(0.1)": made(observation=Linf(0.1)),
        "action=Switch(0.5)": made(action=Switch(0.5)),
        "delay=Delay(3)": made(delay=Delay(3)),
        'delay=Delay(3, of="action")': made(delay=Delay(3, of="action")),
        "dropout=Dropout(0.3)": made(dropout=Dropout(0.3)),
        "radius 0": made(delay=Delay(0), dropout=Dropout(0.0)),
    }
    return ratios({name: play(env, actions) for name, env in envs.items()}, rounds=rounds)


def still(observation):
    """A stranger that stands still."""
    return 0


def team(module, sentences, rounds):
    naked = module.parallel_env()
    rng = np.random.default_rng(0)
    spaces = {agent: int(naked.action_space(agent).n) for agent in naked.possible_agents}
    actions = [{agent: int(rng.integers(n)) for agent, n in spaces.items()} for _ in range(STEPS // 3)]
    envs = {"naked": naked}
    envs |= {name: robust(module.parallel_env(), **given, nature=Uniform()) for name, given in sentences.items()}
    return ratios({name: play(env, actions) for name, env in envs.items()}, rounds=rounds)


def spread(rounds=31):
    sentences = {
        "observation=Linf(0.1)": {"observation": Linf(0.1)},
        "delay=Delay(3)": {"delay": Delay(3)},
        "dropout=Dropout(0.3)": {"dropout": Dropout(0.3)},
        "partners={...}": {"partners": {"agent_1": Finite([still])}},
        "observation, delay, dropout": {"observation": Linf(0.1), "delay": Delay(3), "dropout": Dropout(0.3)},
    }
    return team(simple_spread_v3, sentences, rounds)


def reference(rounds=31):
    sentences = {
        "observation=Linf(0.1)": {"observation": Linf(0.1)},
        "message=Switch(0.3)": {"message": Switch(0.3)},
        "message=heard(Linf(0.3))": {"message": heard(Linf(0.3))},
    }
    return team(simple_reference_v3, sentences, rounds)


@pytest.mark.slow
@pytest.mark.parametrize("measure", [spread, reference])
def test_each_channel_costs_a_team_hardly_more_than_noise_on_observations(measure):
    measured = measure()
    noise = measured.pop("observation=Linf(0.1)")
    assert min(ratio for name, ratio in measured.items() if "," not in name) > 0.9 * noise


@pytest.mark.slow
def test_a_late_or_lost_value_of_cartpole_costs_no_more_than_a_replaced_action():
    measured = cartpole()
    assert min(measured["delay=Delay(3)"], measured["dropout=Dropout(0.3)"]) > 0.8 * measured["action=Switch(0.5)"]


if __name__ == "__main__":
    for title, measure in (("CartPole", cartpole), ("simple_spread", spread), ("simple_reference", reference)):
        print(title)
        for name, ratio in measure(rounds=61).items():
            print(f"  {name:32s} {ratio:.2f}")
