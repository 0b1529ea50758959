"""What natures did as agents of a parallel game replays as natures inside: the same trace, the same bits."""

import numpy as np
import pytest
from glassbox import FAMILY, EchoEnv, EchoParallel, draw, play, same

from robust_envs import L2, AsAgents, Interval, Linf, Replay, Uniform, joint, robust

GAME = {"reward": Linf(0.5), "observation": Linf(0.2), "action": Linf(0.3)}


def idle(observation):
    return np.float32([0.25, -0.5])


class Mortals(EchoParallel):
    def __init__(self):
        super().__init__({"a_0": FAMILY["a_0"], "a_1": FAMILY["a_1"], "a_2": FAMILY["a_2"]})


@pytest.mark.parametrize("kind", [EchoEnv, Mortals])
@pytest.mark.parametrize("view", ["agents", "natures alone"])
@pytest.mark.parametrize("shared", [False, True])
def test_what_natures_did_as_parallel_agents_replays(kind, view, shared):
    sets = {**GAME, "observation": joint(L2(0.4))} if shared and kind is Mortals else GAME
    team = None if view == "agents" else idle
    game = robust(kind(), **sets, nature=AsAgents(team=team), trace=True)
    rng, said = np.random.default_rng(0), [game.reset(seed=5)]
    while game.agents:
        natures = {name: draw(game.action_space(name), rng) for name in game.natures}
        said.append(game.step({**{agent: idle(None) for agent in game.agents}, **natures}))
    again = robust(kind(), **sets, nature=Replay(game.trace), trace=True)
    alone, heard = kind is EchoEnv, [again.reset()]
    while len(heard) < len(said):
        heard.append(again.step(idle(None) if alone else {agent: idle(None) for agent in again.agents}))
    assert again.trace.differences(game.trace) == []
    if view == "agents":
        for ours, theirs in zip(said, heard, strict=True):
            for one, other in zip(ours[:-1], theirs[:-1], strict=True):  # all but infos
                by_agent = {"agent_0": other} if alone else other
                assert all(same(one[agent], by_agent[agent]) for agent in by_agent)


def test_beyond_the_end_of_a_trace_nature_does_as_little_as_its_set_allows():
    members = Interval(0.2, 0.3)
    first = robust(EchoEnv(), reward=members, nature=Uniform(), trace=True)
    first.reset(seed=0)
    first.step(np.zeros(2, np.float32))
    again = robust(EchoEnv(), reward=members, nature=Replay(first.trace), trace=True)
    play(again, 0)
    executed = again.trace.moves["reward", "agent_0"].executed[:, 0]
    assert np.allclose(executed[1:], 0.2)
