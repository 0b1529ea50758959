"""How fast trainers are: `learn` on both backends, a round of updates against a loop over agents, nature's price.

Run as a program it prints the table of docs/benchmarks.md. All on one thread; ratios in one process, in turns.
"""

import copy
import time

import numpy as np
import pytest
import torch
from interleaved import cpu_seconds, ratios
from torch import nn

from algos.deep import RMADDPG, RMADDPGConfig, SideBySide, VmasGames
from algos.deep.memory import keep_memory
from algos.experiments.particles import DirectParticles
from robust_envs import L2, Linf, Noise, Uniform, WorstCase, joint, robust

PAPER = RMADDPGConfig(batch_size=1024, update_every=100, learning_starts=1024)
REFERENCE = 210  # environment steps per CPU-second of the public R-MADDPG code, doing the same work


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def vmas_env(games, **options):
    vmas = pytest.importorskip("vmas")
    return vmas.make_env("simple_spread", num_envs=games, max_steps=25, seed=0, terminated_truncated=True, **options)


def vmas_games(games=128):
    return VmasGames(robust(vmas_env(games), reward=Linf(2.0), nature=Noise()))


def particles():
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    return robust(DirectParticles(spread.parallel_env(max_cycles=25)), reward=Linf(2.0), nature=Noise())


def speed(env, steps, seeds=(0,)):
    """Return environment steps of all games and seeds per second of wall clock, and of the processor, in `learn`."""
    model = RMADDPG(env, PAPER, seeds=seeds)
    wall, cpu = time.perf_counter(), time.process_time()
    model.learn(steps)
    done = model.num_timesteps * len(seeds)
    return done / (time.perf_counter() - wall), done / (time.process_time() - cpu)


class Loop:
    """R-MADDPG's round with one torch module and one Adam per network, agent by agent."""

    def __init__(self, model):
        agents = len(model._team.seats)
        self.modules = {name: [_module(stack, i) for i in range(agents)] for name, stack in model._state.stacks.items()}
        self.targets = copy.deepcopy(self.modules)
        self.adams = {k: [torch.optim.Adam(m.parameters(), lr=1e-2) for m in ms] for k, ms in self.modules.items()}

    def _step(self, name, i, loss):
        module, adam = self.modules[name][i], self.adams[name][i]
        adam.zero_grad()
        loss.backward(inputs=list(module.parameters()))
        nn.utils.clip_grad_norm_(module.parameters(), 0.5)
        adam.step()

    def update(self, batch):
        agents = range(len(self.modules["actors"]))
        with torch.no_grad():
            following = [torch.softmax(self.targets["actors"][j](batch.next_observation[j]), 1) for j in agents]
            next_joint = torch.cat([*batch.next_observation, *following], dim=1)
        for i in agents:
            with torch.no_grad():
                believed = self.targets["natures"][i](batch.joint)[:, 0]
                target = believed + 0.95 * batch.continues[i] * self.targets["critics"][i](next_joint)[:, 0]
            self._step("critics", i, (self.modules["critics"][i](batch.joint)[:, 0] - target).square().mean())
            outputs = self.modules["actors"][i](batch.observation[i])
            actions = [batch.action[:, j] for j in agents]
            actions[i] = torch.softmax(outputs, 1)
            q = self.modules["critics"][i](torch.cat([*batch.observation, *actions], dim=1))[:, 0]
            self._step("actors", i, 1e-3 * outputs.square().mean() - q.mean())
            nature = self.modules["natures"][i](batch.joint)[:, 0]
            self._step("natures", i, nature.mean() + (nature - batch.reward[i]).square().mean())
        with torch.no_grad():
            for name, modules in self.modules.items():
                for target, module in zip(self.targets[name], modules, strict=True):
                    for slow, fast in zip(target.parameters(), module.parameters(), strict=True):
                        slow.lerp_(fast, 0.01)


def _module(stack, i):
    layers = []
    for weight, bias in stack.net.layers(stack.parameters.detach()):
        linear = nn.Linear(*weight.shape[1:])
        linear.weight.data, linear.bias.data = weight[i].T.clone(), bias[i, 0].clone()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def round_ratios(seeds=(1, 4), rounds=15):
    """Return CPU time of a round for each number of seeds, per seed, over that of the loop, and the loop's in ms."""
    keep_memory()
    models = {n: RMADDPG([particles() for _ in range(n)], PAPER, seeds=range(n)).learn(1100) for n in seeds}
    cpu = torch.device("cpu")
    single = next(iter(models.values()))
    loop, batch = Loop(single), single._state.runs[0].buffer.sample(1024, cpu)
    batches = {n: model._state.sample(1024, cpu) for n, model in models.items()}
    chunks = {str(n): lambda n=n: models[n]._update(batches[n]) for n in seeds}
    seconds = cpu_seconds({"loop": lambda: loop.update(batch), **chunks}, rounds=rounds)
    return {n: seconds[str(n)] / n / seconds["loop"] for n in seeds}, 1e3 * seconds["loop"]


NATURES = {
    "reward, Noise": {"reward": Linf(2.0), "nature": Noise()},
    "reward, joint WorstCase": {"reward": joint(L2(1.0)), "nature": WorstCase()},
    "action, Uniform": {"action": Linf(0.1), "nature": Uniform()},
    "observation, Uniform": {"observation": Linf(0.1), "nature": Uniform()},
    "observation, Noise": {"observation": Linf(0.1), "nature": Noise()},
}


def nature_prices(games=4096, rounds=31):
    """Return the CPU time of a robust step over that of a naked one."""
    envs = {"naked": vmas_env(games), **{name: robust(vmas_env(games), **what) for name, what in NATURES.items()}}
    actions = [torch.rand(games, 2) * 2 - 1 for _ in range(3)]
    for env in envs.values():
        env.reset(seed=0)
    chunks = {name: lambda env=env: env.step([a.clone() for a in actions]) for name, env in envs.items()}
    return {name: 1.0 / ratio for name, ratio in ratios(chunks, rounds=rounds).items() if name != "naked"}


@pytest.mark.slow
def test_vmas_trains_at_twenty_times_the_public_code():
    assert max(speed(vmas_games(), 12_800)[1] for _ in range(2)) >= 4000


@pytest.mark.slow
def test_mpe2_trains_at_six_times_the_public_code():
    assert max(speed(particles(), 4000)[1] for _ in range(2)) >= 6 * REFERENCE


@pytest.mark.slow
def test_stacked_round_takes_less_than_a_loop_over_agents():
    found = [round_ratios()[0] for _ in range(2)]
    # The goals are 0.6 and 0.4: docs/benchmarks.md says what is reached.
    assert min(ratio[1] for ratio in found) <= 0.65
    assert min(ratio[4] for ratio in found) <= 0.55


@pytest.mark.slow
def test_noise_on_the_rewards_of_4096_games_costs_little():
    assert min(nature_prices()["reward, Noise"] for _ in range(2)) <= 1.15


if __name__ == "__main__":
    torch.set_num_threads(1)
    keep_memory()
    for name, found in {
        "vmas, 128 games": speed(vmas_games(), 25_600),
        "vmas, 1024 games": speed(vmas_games(1024), 30_720),
        "vmas, 4 seeds of 128 games": speed(SideBySide([vmas_games() for _ in range(4)]), 12_800, range(4)),
        "mpe2, 1 game": speed(particles(), 8000),
    }.items():
        print(f"{name}: {found[1]:,.0f} steps per CPU-second, {found[0]:,.0f} per second of the clock")
    by_seeds, loop = round_ratios()
    print(f"a loop's round: {loop:.1f} ms; per seed, over it:", {n: round(float(r), 2) for n, r in by_seeds.items()})
    print(
        "a robust step of 4096 games over a naked one:",
        {n: round(float(np.round(r, 3)), 3) for n, r in nature_prices().items()},
    )
