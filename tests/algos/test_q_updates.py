"""The stacked update against the same maths written agent by agent with ordinary torch modules."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from algos.deep import IQL, QMIX, VDN, IQLConfig, QMIXConfig, VDNConfig
from robust_envs import L2, Contamination, CVaR, Linf, TotalVariation, joint

SETTINGS = {"hidden_sizes": (8, 8), "gamma": 0.9, "tau": 0.1, "max_grad_norm": 0.3, "learning_rate": 0.01}
ALGORITHMS = [(IQL, IQLConfig), (VDN, VDNConfig), (QMIX, QMIXConfig)]
SETS = [None, Contamination(0.3), TotalVariation(0.4), CVaR(0.5)]


@pytest.fixture
def env(toys):
    return differing(toys)


def differing(toys, **options):
    """Make a game of three agents that differ in every space, with discrete actions; "early" dies at step 3."""
    masked = spaces.Dict({"observation": toys.box(2), "action_mask": spaces.MultiBinary(4)})
    seats = toys.team_of(
        early=(toys.box(3), spaces.Discrete(3, start=5)),
        late=(spaces.Discrete(4), spaces.Discrete(2)),
        masked=(masked, spaces.Discrete(4)),
    )
    names = ("early", "late", "masked")
    options = {"horizon": 5, "terminate": False, "deaths": {"early": 3}} | options
    return toys.Toy(*seats, lambda actions: dict.fromkeys(names, 1.0), **options)


def collect(model, seed=0):
    """Fill the model's buffer with random transitions of its team and return a batch of them."""
    rng, team = np.random.default_rng(seed), model._team
    game = model.get_env()
    for episode in range(20):
        frame = game.reset(episode, episode=episode)
        while not game.over:
            actions = model._head.uniform(np.zeros(team.real_actions.shape), frame.legal, rng) * frame.present[:, None]
            step = game.step(actions)
            noisy = step._replace(
                reward=(step.reward + rng.normal(size=3).astype(np.float32)) * frame.present,
                frame=step.frame._replace(observation=step.frame.observation * rng.normal(size=(3, 1)).astype("f4")),
            )
            model._state.buffer.add(frame, actions, noisy)
            frame = noisy.frame
    return model._state.buffer.sample(64, torch.device("cpu"))


class Loop:
    """IQL, VDN and QMIX, one agent at a time."""

    def __init__(self, model):
        self.kind, self.config, self.team = type(model), model.config, model._team
        self.modules = {name: self.modules_of(stack) for name, stack in model._state.stacks.items()}
        self.targets = copy.deepcopy(self.modules)
        rate = self.config.learning_rate
        self.adams = {k: [torch.optim.Adam(m.parameters(), lr=rate) for m in ms] for k, ms in self.modules.items()}

    @staticmethod
    def modules_of(stack):
        modules = []
        for i in range(len(stack.parameters)):
            layers = []
            for weight, bias in stack.net.layers(stack.parameters.detach()):
                linear = nn.Linear(*weight.shape[1:])
                linear.weight.data, linear.bias.data = weight[i].T.clone(), bias[i, 0].clone()
                layers += [linear, nn.ReLU()]
            modules.append(nn.Sequential(*layers[:-1]))
        return modules

    def greedy(self, i, observation, legal, *, chooser):
        size = self.team.seats[i].action_size
        allowed = chooser[i](observation[i])[:, :size].masked_fill(~legal[i][:, :size], -torch.inf)
        return self.targets["q"][i](observation[i]).gather(1, allowed.argmax(1, keepdim=True))[:, 0]

    def join(self, values, modules, observation):
        """Turn the agents' values into those of the learners."""
        if self.kind is IQL:
            return values
        if self.kind is VDN:
            return [sum(values)]
        weights = modules["mixers"][0](torch.cat(list(observation), dim=1))
        n, size = len(values), self.config.mixing_size
        first, bias, second, value = weights.split([n * size, size, size, 1], dim=1)
        columns = [q[:, None] * first[:, i * size : (i + 1) * size].abs() for i, q in enumerate(values)]
        hidden = nn.functional.elu(sum(columns) + bias)
        return [(hidden * second.abs()).sum(1) + value[:, 0]]

    def eta(self, i, batch, modules):
        if self.kind is IQL:
            return (modules["tails"][i](batch.observation[i]) * batch.action[:, i]).sum(1)
        return modules["tails"][0](batch.joint)[:, 0]

    def ahead(self, batch, present, continues):
        """Return the value ahead under nature's worst, and without nature, by learner."""
        agents = range(len(self.team.seats))
        chooser = self.modules["q"] if self.config.double else self.targets["q"]
        following = [
            self.greedy(i, batch.next_observation, batch.next_legal, chooser=chooser) * batch.continues[i]
            for i in agents
        ]
        plain = self.join(following, self.targets, batch.next_observation)
        plain = [v * c for v, c in zip(plain, continues, strict=True)]
        here = [
            self.greedy(i, batch.observation, batch.legal, chooser=self.targets["q"]) * batch.present[i] for i in agents
        ]
        here = self.join(here, self.targets, batch.observation)
        tail, worst = self.config.tail, []
        for i, v in enumerate(plain):
            counts = present[i] > 0
            floor = torch.cat([v[counts], here[i][counts]]).min()
            w = v
            if tail.level < 1:
                eta = self.eta(i, batch, self.targets)
                w = eta - torch.relu(eta - v) / tail.level
            worst.append((1 - tail.floor_share) * w + tail.floor_share * floor)
        return worst, plain

    def step(self, loss, names):
        modules = [(name, i, module) for name in names for i, module in enumerate(self.modules[name])]
        for name, i, _ in modules:
            self.adams[name][i].zero_grad()
        loss.backward(inputs=[p for *_, module in modules for p in module.parameters()])
        for name, i, module in modules:
            nn.utils.clip_grad_norm_(module.parameters(), self.config.max_grad_norm)
            self.adams[name][i].step()

    def update(self, batch):
        shift = 0.5 if self.config.reward_set is not None else 0.0
        present, continues = batch.present, batch.continues
        reward = batch.reward - shift * present
        if self.kind is not IQL:
            reward = reward.sum(0, keepdim=True)
            present, continues = (flags.amax(0, keepdim=True) for flags in (present, continues))
        with torch.no_grad():
            worst, plain = self.ahead(batch, present, continues)
            targets = [reward[i] + self.config.gamma * v for i, v in enumerate(worst)]
        agents = range(len(self.team.seats))
        q = [(self.modules["q"][i](batch.observation[i]) * batch.action[:, i]).sum(1) for i in agents]
        joined = self.join(q, self.modules, batch.observation)
        loss = sum(((v - y) ** 2)[p > 0].mean() for v, y, p in zip(joined, targets, present, strict=True))
        self.step(loss, ["q", "mixers"] if self.kind is QMIX else ["q"])
        if self.config.tail.level < 1:
            losses = 0.0
            for i, v in enumerate(plain):
                eta = self.eta(i, batch, self.modules)
                losses += (torch.relu(eta - v) / self.config.tail.level - eta)[present[i] > 0].mean()
            self.step(losses, ["tails"])
        for name, modules in self.modules.items():
            for target, module in zip(self.targets[name], modules, strict=True):
                for slow, fast in zip(target.parameters(), module.parameters(), strict=True):
                    slow.data += self.config.tau * (fast.data - slow.data)


@pytest.mark.parametrize("members", SETS, ids=str)
@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_update_of_all_agents_equals_the_loop_over_agents(env, algorithm, config, members):
    chosen = config(**SETTINGS, transition_set=members, reward_set=Linf(0.5), double=members != CVaR(0.5))
    model = algorithm(env, chosen, seed=1)
    loop, batch = Loop(model), collect(model)
    for _ in range(4):
        model._update(batch)
        loop.update(batch)
    seen = {"q": batch.observation, "mixers": torch.cat(list(batch.observation), dim=1)[None]}
    seen["tails"] = batch.observation if algorithm is IQL else batch.joint[None]
    for name, stack in model._state.stacks.items():
        for i, module in enumerate(loop.modules[name]):
            inputs = seen[name]
            torch.testing.assert_close(stack(inputs)[i], module(inputs[i]), rtol=1e-3, atol=1e-4)
            expected = loop.targets[name][i](inputs[i])
            torch.testing.assert_close(stack.evaluate_target(inputs)[i], expected, rtol=1e-3, atol=1e-4)


def parameters(model):
    return {name: stack.parameters.detach().clone() for name, stack in model._state.stacks.items()}


def updated(env, algorithm, config, change=None):
    """Return the parameters after one update on a batch that `change` altered."""
    model = algorithm(env, config, seed=1)
    batch = collect(model)
    model._update(batch if change is None else change(batch))
    return parameters(model)


def differ(one, other):
    return one.keys() != other.keys() or any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_what_happened_to_an_absent_agent_changes_nothing(env, algorithm, config):
    def spoil(batch):
        absent = batch.present == 0
        assert absent.any()
        spoiled = batch._replace(reward=torch.where(absent, 100.0, batch.reward))
        if algorithm is QMIX:  # its mixer sees all observations, those of the dead as well
            return spoiled
        return spoiled._replace(observation=torch.where(absent[..., None], 7.0, batch.observation))

    chosen = config(**SETTINGS, transition_set=Contamination(0.5), reward_set=Linf(1.0))
    assert not differ(updated(env, algorithm, chosen), updated(env, algorithm, chosen, change=spoil))


@pytest.mark.parametrize("part", ["observation", "action", "reward", "continues", "next_observation"])
@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_every_part_of_a_batch_matters(env, algorithm, config, part):
    changed = updated(env, algorithm, config(**SETTINGS), lambda b: b._replace(**{part: 1.0 - getattr(b, part)}))
    assert differ(changed, updated(env, algorithm, config(**SETTINGS)))


@pytest.mark.parametrize(
    "setting",
    [
        {"gamma": 0.5},
        {"max_grad_norm": 0.01},
        {"learning_rate": 0.5},
        {"reward_set": Linf(0.5)},
        {"reward_set": {"late": Linf(0.5)}},
        {"reward_set": joint(L2(0.5))},
        *({"transition_set": members} for members in SETS[1:]),
        {"hidden_sizes": (4,)},
    ],
    ids=str,
)
@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_every_setting_of_the_update_matters(env, algorithm, config, setting):
    plain = updated(env, algorithm, config(**SETTINGS))
    assert differ(plain, updated(env, algorithm, config(**{**SETTINGS, **setting})))


@pytest.mark.parametrize("setting", [{"mixing_size": 3}, {"mixer_hidden_sizes": ()}, {"mixer_hidden_sizes": (5, 5)}])
def test_every_setting_of_the_mixer_matters(env, setting):
    assert differ(updated(env, QMIX, QMIXConfig(**SETTINGS)), updated(env, QMIX, QMIXConfig(**SETTINGS, **setting)))


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_double_q_learning_lets_the_learned_network_choose(env, algorithm, config):
    def second(chosen):
        model = algorithm(env, chosen, seed=1)
        batch = collect(model)
        for _ in range(20):  # the networks begin as their targets
            model._update(batch)
        return parameters(model)

    chosen = config(**{**SETTINGS, "learning_rate": 0.1})
    assert differ(second(chosen), second(replace(chosen, double=False)))


@pytest.mark.parametrize("members", [Contamination(0.0), TotalVariation(0.0), CVaR(1.0)], ids=str)
@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_radius_zero_is_the_plain_method_bit_for_bit(toys, algorithm, config, members):
    def trained(**sets):
        settings = {**SETTINGS, "learning_starts": 20, "update_every": 5, "batch_size": 16}
        return algorithm(differing(toys), config(**settings, **sets), seed=3).learn(120)

    plain, robust = trained(), trained(transition_set=members, reward_set=Linf(0.0))
    assert plain._state.stacks.keys() == robust._state.stacks.keys()
    for name, stack in plain._state.stacks.items():
        for part, tensor in stack.state().items():
            assert torch.equal(tensor, robust._state.stacks[name].state()[part])
    assert torch.equal(plain._state.buffer.state()["rows"], robust._state.buffer.state()["rows"])
    other = trained(transition_set=Contamination(0.3))
    assert differ(parameters(other), parameters(plain))


def test_reward_set_is_a_nature_that_lowers_every_reward(toys):
    def lowered(actions):
        return dict.fromkeys(("early", "late", "masked"), 1.0 - 0.5)

    declared = IQL(differing(toys), IQLConfig(**SETTINGS, reward_set=Linf(0.5), learning_starts=20, batch_size=16))
    lower = differing(toys)
    lower._reward = lowered
    wrapped = IQL(lower, IQLConfig(**SETTINGS, learning_starts=20, batch_size=16))
    assert not differ(parameters(declared.learn(100)), parameters(wrapped.learn(100)))


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_metrics_are_those_of_the_page(env, algorithm, config):
    def logged(**sets):
        model = algorithm(env, config(**SETTINGS, **sets), seed=1)
        return {name: values.shape for name, values in model._update(collect(model)).items()}

    plain = dict.fromkeys(("q_loss", "q"), (3,))
    worst = plain | dict.fromkeys(("value_ahead", "worst_value_ahead"), (3,))
    assert logged() == plain
    assert logged(reward_set=Linf(0.1)) == plain | {"nature": (3,)}
    assert logged(transition_set=Contamination(0.1)) == worst
    assert logged(transition_set=TotalVariation(0.1)) == worst | {"tail_loss": (3,)}


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_products_of_half_precision_learn_nearly_the_same(env, algorithm, config):
    chosen = config(**SETTINGS, transition_set=TotalVariation(0.3))
    full, half = (algorithm(env, replace(chosen, precision=p), seed=1) for p in ("float32", "bfloat16"))
    for model in (full, half):
        collect(model)
        for _ in range(5):
            model._measured_update()
    for name, stack in full._state.stacks.items():
        other = half._state.stacks[name].parameters
        assert not torch.equal(stack.parameters, other)
        torch.testing.assert_close(other, stack.parameters, rtol=0.0, atol=0.06)


def test_every_agents_value_raises_the_team_value_of_a_trained_mixer(env):
    model = QMIX(env, QMIXConfig(**SETTINGS), seed=1)
    batch = collect(model)
    for _ in range(50):
        model._update(batch)
    values = torch.randn(3, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    total = model._joined(values, batch, following=False, target=False)
    (slopes,) = torch.autograd.grad(total.sum(), values)
    assert (slopes >= 0).all()
    assert (slopes > 0).any()
