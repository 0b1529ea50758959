"""The stacked update against the same maths written agent by agent with ordinary torch modules."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from algos.deep import MADDPG, RMADDPG, MADDPGConfig, RMADDPGConfig

SETTINGS = {"hidden_sizes": (8, 8), "gamma": 0.9, "tau": 0.1, "max_grad_norm": 0.3, "logit_penalty": 0.05}


@pytest.fixture
def env(toys):
    return toys.mixed_game(horizon=5, terminate=False, deaths={"early": 3})


def collect(model, seed=0):
    """Fill the model's buffer with random transitions of its team and return a batch of them."""
    rng, team = np.random.default_rng(seed), model._team
    game = model.get_env()
    for episode in range(20):
        frame = game.reset(episode, episode=episode)
        while not game.over:
            outputs = rng.normal(size=team.real_actions.shape).astype(np.float32)
            actions = model._head.sample(outputs, frame.legal, rng) * frame.present[:, None]
            step = game.step(actions)
            noisy = step._replace(
                reward=(step.reward + rng.normal(size=3).astype(np.float32)) * frame.present,
                frame=step.frame._replace(observation=step.frame.observation * rng.normal(size=(3, 1)).astype("f4")),
            )
            model._state.buffer.add(frame, actions, noisy)
            frame = noisy.frame
    return model._state.buffer.sample(64, torch.device("cpu"))


class Loop:
    """MADDPG, and R-MADDPG when it has natures, one agent at a time."""

    def __init__(self, model, config):
        self.config, self.team = config, model._team
        self.modules = {name: self.modules_of(stack) for name, stack in model._state.stacks.items()}
        self.targets = copy.deepcopy(self.modules)
        rates = {"actors": config.actor_learning_rate, "critics": config.critic_learning_rate}
        rates["natures"] = getattr(config, "nature_learning_rate", None)
        self.adams = {k: [torch.optim.Adam(m.parameters(), lr=rates[k]) for m in ms] for k, ms in self.modules.items()}

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

    def act(self, i, outputs, legal):
        """Return agent i's noiseless action."""
        size = self.team.seats[i].action_size
        if self.team.seats[i].kind == "box":
            action = torch.tanh(outputs[:, :size])
        else:
            action = torch.softmax(outputs[:, :size].masked_fill(~legal[i][:, :size], -torch.inf), dim=1)
        return nn.functional.pad(action, (0, outputs.shape[1] - size))

    def step(self, name, i, loss):
        module, adam = self.modules[name][i], self.adams[name][i]
        adam.zero_grad()
        loss.backward(inputs=list(module.parameters()))
        nn.utils.clip_grad_norm_(module.parameters(), self.config.max_grad_norm)
        adam.step()

    @staticmethod
    def mean(values, present):
        return values[present > 0].mean()

    def update(self, batch):
        agents, config = range(len(self.team.seats)), self.config
        with torch.no_grad():
            following = [
                self.act(j, self.targets["actors"][j](batch.next_observation[j]), batch.next_legal) for j in agents
            ]
            following = [a * batch.continues[j][:, None] for j, a in enumerate(following)]
            next_joint = torch.cat([*batch.next_observation, *following], dim=1)
        for i in agents:
            with torch.no_grad():
                reward = self.targets["natures"][i](batch.joint)[:, 0] if "natures" in self.targets else batch.reward[i]
                target = reward + config.gamma * batch.continues[i] * self.targets["critics"][i](next_joint)[:, 0]
            error = (self.modules["critics"][i](batch.joint)[:, 0] - target) ** 2
            self.step("critics", i, self.mean(error, batch.present[i]))
        for i in agents:
            outputs = self.modules["actors"][i](batch.observation[i])
            actions = [batch.action[:, j] for j in agents]
            actions[i] = self.act(i, outputs, batch.legal)
            q = self.modules["critics"][i](torch.cat([*batch.observation, *actions], dim=1))[:, 0]
            squares = (outputs[:, : self.team.seats[i].action_size] ** 2).mean(1)
            self.step("actors", i, self.mean(config.logit_penalty * squares - q, batch.present[i]))
        for i in agents if "natures" in self.modules else ():
            nature = self.modules["natures"][i](batch.joint)[:, 0]
            lowering = nature if config.nature == "published" else 0.0
            weight = config.nature_weight if config.nature == "published" else 1.0
            self.step("natures", i, self.mean(lowering + weight * (nature - batch.reward[i]) ** 2, batch.present[i]))
        for name, modules in self.modules.items():
            for target, module in zip(self.targets[name], modules, strict=True):
                for slow, fast in zip(target.parameters(), module.parameters(), strict=True):
                    slow.data += config.tau * (fast.data - slow.data)


@pytest.mark.parametrize(
    ("algorithm", "config"),
    [
        (MADDPG, MADDPGConfig(**SETTINGS)),
        (RMADDPG, RMADDPGConfig(**SETTINGS, nature="published", nature_weight=0.3)),
        (RMADDPG, RMADDPGConfig(**SETTINGS, nature="regression")),
    ],
)
def test_update_of_all_agents_equals_the_loop_over_agents(env, algorithm, config):
    model = algorithm(env, config, seed=1)
    loop, batch = Loop(model, config), collect(model)
    for _ in range(4):
        model._update(batch)
        loop.update(batch)
    for name, stack in model._state.stacks.items():
        inputs = batch.observation if name == "actors" else batch.joint.expand(3, *batch.joint.shape)
        for i in range(3):
            torch.testing.assert_close(stack(inputs)[i], loop.modules[name][i](inputs[i]), rtol=1e-3, atol=1e-4)
            expected = loop.targets[name][i](inputs[i])
            torch.testing.assert_close(stack.evaluate_target(inputs)[i], expected, rtol=1e-3, atol=1e-4)


def parameters(model):
    return {name: stack.parameters.detach().clone() for name, stack in model._state.stacks.items()}


def updated(env, algorithm=MADDPG, config=None, change=None):
    """Return the parameters after one update on a batch that `change` altered."""
    model = algorithm(env, algorithm.config_class(**SETTINGS) if config is None else config, seed=1)
    batch = collect(model)
    model._update(batch if change is None else change(batch))
    return parameters(model)


def test_what_happened_to_an_absent_agent_changes_nothing_for_it(env):
    def spoil(batch):
        absent = (batch.present == 0).float()
        assert absent.any()
        return batch._replace(reward=batch.reward + 100 * absent)

    before, after = updated(env), updated(env, change=spoil)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("part", ["joint", "observation", "action", "reward", "continues", "next_observation"])
def test_every_part_of_a_batch_matters(env, part):
    changed = updated(env, change=lambda batch: batch._replace(**{part: 1.0 - getattr(batch, part)}))
    assert any(not torch.equal(changed[name], unchanged) for name, unchanged in updated(env).items())


@pytest.mark.parametrize(
    "setting",
    [
        {"gamma": 0.5},
        {"max_grad_norm": 0.1},
        {"logit_penalty": 0.5},
        {"actor_learning_rate": 0.5},
        {"critic_learning_rate": 0.5},
        {"nature_learning_rate": 0.5},
        {"nature_weight": 5.0},
        {"nature": "regression"},
        {"nature": "none"},
        {"hidden_sizes": (4,)},
    ],
    ids=str,
)
def test_every_setting_of_the_update_matters(env, setting):
    base = {**SETTINGS, "max_grad_norm": 0.3}
    plain = updated(env, RMADDPG, RMADDPGConfig(**base))
    changed = updated(env, RMADDPG, RMADDPGConfig(**{**base, **setting}))
    assert plain.keys() != changed.keys() or any(not torch.equal(plain[n], changed[n]) for n in plain)


@pytest.mark.parametrize("nature", ["published", "regression"])
def test_critics_with_a_nature_do_not_see_the_stored_reward(env, nature):
    config = RMADDPGConfig(**SETTINGS, nature=nature)
    plain = updated(env, RMADDPG, config)
    changed = updated(env, RMADDPG, config, change=lambda batch: batch._replace(reward=batch.reward + 3.0))
    assert torch.equal(plain["critics"], changed["critics"])
    assert not torch.equal(plain["natures"], changed["natures"])


def test_nature_none_is_maddpg_bit_for_bit(toys):
    def trained(algorithm, config):
        model = algorithm(toys.mixed_game(horizon=5, deaths={"early": 3}), config, seed=3)
        model.learn(120)
        return model

    settings = {**SETTINGS, "learning_starts": 20, "update_every": 10, "batch_size": 16}
    plain = trained(MADDPG, MADDPGConfig(**settings))
    robust = trained(RMADDPG, RMADDPGConfig(**settings, nature="none"))
    for name, stack in plain._state.stacks.items():
        for part, tensor in stack.state().items():
            assert torch.equal(tensor, robust._state.stacks[name].state()[part])
    assert torch.equal(plain._state.buffer.state()["rows"], robust._state.buffer.state()["rows"])
    for published in ("published", "regression"):
        other = trained(RMADDPG, RMADDPGConfig(**settings, nature=published))
        assert not torch.equal(parameters(other)["critics"], parameters(plain)["critics"])
