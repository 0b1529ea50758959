"""What a round of the Q-learners costs beside one of MADDPG's, on one thread, in one process, in turns.

Run as a program it prints the table of docs/algorithms/deep_q.md.
"""

import pytest
import torch
from interleaved import cpu_seconds

from algos.deep import IQL, MADDPG, QMIX, VDN, IQLConfig, MADDPGConfig, QMIXConfig, VDNConfig
from algos.deep.memory import keep_memory

CASES = {
    "MADDPG": (MADDPG, MADDPGConfig, {}),
    "IQL": (IQL, IQLConfig, {}),
    "IQL, Contamination": (IQL, IQLConfig, {"transition_set": "Contamination(0.1)"}),
    "IQL, TotalVariation": (IQL, IQLConfig, {"transition_set": "TotalVariation(0.1)"}),
    "VDN": (VDN, VDNConfig, {}),
    "QMIX": (QMIX, QMIXConfig, {}),
    "QMIX, TotalVariation": (QMIX, QMIXConfig, {"transition_set": "TotalVariation(0.1)"}),
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rounds_of(name, batch_size, seeds=(0,)):
    """Return a function that does two rounds of updates of a trainer."""
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    trainer, config, settings = CASES[name]
    envs = [spread.parallel_env(max_cycles=25) for _ in seeds]
    chosen = config(learning_starts=batch_size, batch_size=batch_size, update_every=10**6, **settings)
    model = trainer(envs, chosen, seeds=seeds).learn(batch_size)
    batch = model._state.sample(batch_size, torch.device("cpu"))

    def rounds():
        for _ in range(2):
            model._update(batch)

    return rounds


@pytest.mark.slow
@pytest.mark.parametrize(("name", "at_most"), [("IQL", 0.8), ("VDN", 0.8), ("QMIX", 1.4)])
def test_a_round_costs_at_most_this_share_of_one_of_maddpg(name, at_most):
    seconds = cpu_seconds({one: rounds_of(one, 256) for one in ("MADDPG", name)}, rounds=31)
    assert seconds[name] <= at_most * seconds["MADDPG"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["IQL, TotalVariation", "QMIX"])
def test_four_seeds_together_cost_less_than_one_by_one(name):
    chunks = {"alone": rounds_of(name, 256), "together": rounds_of(name, 256, (0, 1, 2, 3))}
    seconds = cpu_seconds(chunks, rounds=31)
    assert seconds["together"] <= 4 * 0.95 * seconds["alone"]


def main():
    torch.set_num_threads(1)
    keep_memory()
    found = {size: cpu_seconds({name: rounds_of(name, size) for name in CASES}, rounds=31) for size in (256, 1024)}
    together = cpu_seconds({name: rounds_of(name, 256, (0, 1, 2, 3)) for name in CASES}, rounds=15)
    for name in CASES:
        shares = [found[size][name] / found[size]["MADDPG"] for size in found]
        seed = together[name] / 4 / found[256][name]
        print(f"| {name} | {found[256][name] * 500:.1f} ms |", " | ".join(f"{n:.2f}" for n in (*shares, seed)), "|")


if __name__ == "__main__":
    main()
