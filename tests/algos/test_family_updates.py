"""What the family computes in an update: targets, partners, natures and prices, held against other ways to them."""

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
from algos.deep.actor_critic import everybody_sees, see_next, target_actions
from robust_envs import L2, Finite, Linf, joint

SMALL = {"hidden_sizes": (16, 16), "learning_starts": 20, "update_every": 5, "batch_size": 16}


@pytest.fixture
def filled(toys):
    """Return a function that makes a trainer whose buffer holds random play, and a batch of it."""

    def make(algorithm, config, seeds=(2,)):
        envs = [toys.box_game() for _ in seeds]
        model = algorithm(envs, replace(config, learning_starts=1000), seeds=list(seeds)).learn(150)
        return model, model._state.sample(32, torch.device("cpu"))

    return make


def rounds(model, batch, count):
    """Take some updates on one batch, so that nothing stands where it was drawn."""
    for _ in range(count):
        model._update(batch)


def next_seen(model, batch):
    return see_next(batch, target_actions(model._nets, batch, batch.next_observation, model.config))


def q_of(stack, i, inputs):
    """Evaluate network i of a stack, layer by layer."""
    *hidden, (weight, bias) = stack.net.layers(stack.parameters.detach())
    for w, b in hidden:
        inputs = torch.relu(inputs @ w[i] + b[i])
    return (inputs @ weight[i] + bias[i])[..., 0]


@pytest.mark.parametrize("twins", [False, True])
def test_partners_step_down_the_slope_of_each_critic_as_a_loop_over_agents_finds_it(filled, twins):
    epsilon = (0.3, 0.2, 0.1)
    model, batch = filled(M3DDPG, M3DDPGConfig(**SMALL, epsilon=epsilon, twin_critics=twins))
    rounds(model, batch, 3)
    seen = everybody_sees(batch.joint, 3)
    moved = model._harm(batch, seen)
    sizes, width = (3, 2, 4), 4  # early: 3 choices, late: a box of 2, third: 4 choices
    begin = batch.joint.shape[-1] - 3 * width
    for i in range(3):
        joint = batch.joint.clone().requires_grad_()
        (slope,) = torch.autograd.grad(q_of(model._state.stacks["critics"], i, joint).sum(), [joint])
        assert torch.equal(moved[i][:, :begin], batch.joint[:, :begin])
        for j, size in enumerate(sizes):
            columns = slice(begin + j * width, begin + j * width + size)
            given, g = batch.joint[:, columns], slope[:, columns]
            if j == i:
                assert torch.equal(moved[i][:, columns], given)
                continue
            g = g if j == 1 else g - g.mean(1, keepdim=True)
            step = -epsilon[j] * g / g.norm(dim=1, keepdim=True)
            alive = batch.present[j] > 0
            if j == 1:
                expected = (given + step).clamp(-1, 1)
            else:
                expected = model._partners._sets.project(
                    torch.nn.functional.pad(given + step, (0, width - size))[:, None].expand(-1, 3, -1)
                )[:, j, :size]
            torch.testing.assert_close(moved[i][alive][:, columns], expected[alive], atol=2e-5, rtol=1e-4)
            assert torch.equal(moved[i][~alive][:, columns], given[~alive])


@pytest.mark.parametrize("nature", ["gradient", "learned"])
def test_partners_lower_the_values_that_targets_and_actors_see(filled, nature):
    model, batch = filled(M3DDPG, M3DDPGConfig(**SMALL, epsilon=0.2, nature=nature, nature_learning_rate=0.01))
    rounds(model, batch, 2)
    if nature == "learned":
        for _ in range(200):
            model._update_natures(batch)
        model._natures.target.copy_(model._natures.parameters.detach())
    nets = model._nets
    seen = everybody_sees(batch.joint, 3)
    calm, harmed = nets.first_q(seen).mean(1), nets.first_q(model._harm(batch, seen)).mean(1)
    assert float(harmed.sum()) < float(calm.sum()) - 1e-3
    with torch.no_grad():
        seen_t = next_seen(model, batch)
        calm, harmed = nets.first_target_q(seen_t).mean(1), nets.first_target_q(model._harm_next(batch, seen_t)).mean(1)
    assert float(harmed.sum()) < float(calm.sum()) - 1e-3


def test_both_halves_of_the_minimax_are_used(filled):
    found = []
    for half in (None, "_harm_next", "_harm"):
        model, batch = filled(M3DDPG, M3DDPGConfig(**SMALL, epsilon=0.5))
        if half is not None:
            setattr(model, half, lambda batch, seen: seen)
        model._update(batch)
        found.append({name: stack.parameters.detach().clone() for name, stack in model._state.stacks.items()})
    both, no_target, no_actor = found
    assert not torch.equal(both["critics"], no_target["critics"])
    assert torch.equal(both["critics"], no_actor["critics"])
    assert not torch.equal(both["actors"], no_actor["actors"])


def test_own_action_keeps_its_slope_when_partners_are_moved(filled):
    model, batch = filled(M3DDPG, M3DDPGConfig(**SMALL, epsilon=0.2))
    joint = everybody_sees(batch.joint, 3).flatten(0, -3).clone().requires_grad_()
    weights = torch.randn(joint.shape, generator=torch.Generator().manual_seed(0))
    (slope,) = torch.autograd.grad((model._harm(batch, joint) * weights).sum(), [joint])
    torch.testing.assert_close(slope, weights)


def test_targets_of_twins_are_the_lower_of_both(filled):
    model, batch = filled(MATD3, MATD3Config(**SMALL, target_noise=0.0))
    rounds(model, batch, 4)
    with torch.no_grad():
        seen = next_seen(model, batch)
        target = model._state.stacks["critics"].net(model._state.stacks["critics"].target, torch.cat([seen, seen]))
        least, first = model._nets.least_target_q(seen), model._nets.first_target_q(seen)
    torch.testing.assert_close(least, torch.minimum(target[:3, :, 0], target[3:, :, 0]))
    torch.testing.assert_close(first, target[:3, :, 0])
    assert not torch.allclose(least, first)
    assert not torch.allclose(target[:3], target[3:])


def test_actors_and_targets_wait_and_critics_do_not(filled):
    model, batch = filled(MATD3, MATD3Config(**SMALL, policy_delay=3))
    for number in range(1, 7):
        before = {name: stack.state() for name, stack in model._state.stacks.items()}
        before = {name: {part: t.clone() for part, t in state.items()} for name, state in before.items()}
        metrics = model._update(batch)
        moved = {name: not torch.equal(before[name]["target"], s.target) for name, s in model._state.stacks.items()}
        assert ("actor_loss" in metrics) == moved["actors"] == moved["critics"] == (number % 3 == 0)
        critics = model._state.stacks["critics"].parameters
        assert not torch.equal(before["critics"]["parameters"], critics)


def test_noise_on_targets_differs_by_round_and_by_seed_and_is_cut(filled):
    config = MATD3Config(**SMALL, target_noise=5.0, target_noise_clip=0.25)
    model, batch = filled(MATD3, config, seeds=(2, 7))
    quiet = target_actions(model._nets, batch, batch.next_observation, replace(config, target_noise=0.0))
    noisy = target_actions(model._nets, batch, batch.next_observation, config)
    again = target_actions(model._nets, batch, batch.next_observation, config)
    assert torch.equal(noisy, again)
    moved = (noisy - quiet)[[1, 4], :, :2]  # "late" of each seed has a box
    assert 0.2 < float(moved.abs().max()) <= 0.25 + 1e-6
    assert not torch.allclose(moved[0], moved[1])
    model._update(batch)
    later = target_actions(model._nets, batch, batch.next_observation, config)
    assert not torch.equal(noisy, later)


def test_set_nature_takes_the_worst_delta_from_the_stored_reward(filled):
    config = RMADDPGConfig(**SMALL, nature="set", reward_set=joint(L2(3.0)))
    model, batch = filled(RMADDPG, config)
    torch.testing.assert_close(model._believed_rewards(batch), batch.reward - 3.0 / 3**0.5)
    some, batch = filled(RMADDPG, replace(config, reward_set={"late": Finite([[-0.5], [2.0]])}))
    torch.testing.assert_close(
        some._believed_rewards(batch) - batch.reward, torch.tensor([[0.0], [-0.5], [0.0]]).expand(3, 32)
    )


@pytest.mark.parametrize("members", [Linf(0.3), L2(0.3), L2(0.3, unit=(1.0, 0.0, 2.0))], ids=repr)
def test_natures_on_observations_stay_in_their_set_and_lower_the_value(filled, members):
    model, batch = filled(RMAAC, RMAACConfig(**SMALL, observation_set=members, nature_learning_rate=0.01))
    losses = [float(model._update_natures(batch)["nature_loss"].sum()) for _ in range(200)]
    assert losses[-1] < losses[0]
    delta = model._perturbed(batch, batch.observation, model._natures.parameters.detach()) - batch.observation
    assert bool(members.bind(3).contains(delta, tolerance=1e-5).all())
    assert float(delta.abs().max()) > 0.1
    assert float(delta[1, :, 2:].abs().max()) == float(delta[2, :, 1:].abs().max()) == 0.0  # padding


def test_ernie_finds_a_member_that_changes_policies_more_than_chance_does(filled):
    members = L2(0.4)
    model, batch = filled(MADDPG, MADDPGConfig(**SMALL, ernie_weight=1.0, ernie_set=members))
    ernie, nets = model._nets.ernie, model._nets
    own = nets.head(nets.actors(batch.observation), batch.legal)
    seen = (batch.observation, batch.legal, batch.present)
    found = ernie.change(nets.actors, nets.head, seen, own, nets.draws("ernie"))
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        delta = members.bind(3).sample(generator, batch.observation.shape[:2]) * ernie._real
        moved = nets.head(nets.actors(batch.observation + delta), batch.legal)
        change = ((moved - own).square().sum(-1) * batch.present).sum(1) / batch.present.sum(1)
        assert bool((change <= found).all())


def test_inferred_policies_stand_in_for_the_others_and_only_for_them(filled):
    model, batch = filled(MADDPG, MADDPGConfig(**SMALL, infer_policies=True))
    rounds(model, batch, 3)
    with torch.no_grad():
        own = target_actions(model._nets, batch, batch.next_observation, model.config)
        seen = model._inferred.see_next(batch, own)
        plain = see_next(batch, own)
    begin = batch.joint.shape[-1] - 12
    assert torch.equal(seen[..., :begin], plain[..., :begin])
    stack = model._inferred.stack
    for i in range(3):
        for j in range(3):
            columns = slice(begin + 4 * j, begin + 4 * j + 4)
            if i == j:
                assert torch.equal(seen[i][:, columns], plain[i][:, columns])
                continue
            inputs = batch.next_observation[j].expand(9, *batch.next_observation[j].shape)
            outputs = stack.evaluate_target(inputs)[3 * i + j]
            size = (3, 2, 4)[j]
            action = torch.tanh(outputs[:, :size]) if j == 1 else torch.softmax(outputs[:, :size], -1)
            torch.testing.assert_close(seen[i][:, columns][:, :size], action * batch.continues[j][:, None])


def test_inference_tends_to_what_the_others_did(filled):
    model, batch = filled(MADDPG, MADDPGConfig(**SMALL, infer_policies=True, inference_entropy=0.0))
    for _ in range(300):
        model._inferred.update(batch)
    outputs = model._inferred.stack(model._inferred._by_pair(batch.observation)).unflatten(0, (3, 3)).detach()
    for watched, size in ((0, 3), (2, 4)):
        played = batch.action[:, watched, :size][batch.present[watched] > 0]
        for watcher in {0, 1, 2} - {watched}:
            found = torch.softmax(outputs[watcher, watched, :, :size], -1)[batch.present[watched] > 0]
            torch.testing.assert_close(found.mean(0), played.mean(0), atol=0.02, rtol=0)
    boxes_found = torch.tanh(outputs[0, 1, :, :2]).mean(0)
    torch.testing.assert_close(boxes_found, batch.action[:, 1, :2].mean(0), atol=0.05, rtol=0)


def test_one_ball_over_joint_actions_is_taken_from_the_likely_ones(toys):
    config = RMADDPGConfig(**SMALL, nature="set", reward_set={"a": L2(3.0)}, rectangular="s")
    model = RMADDPG(toys.matrix_game(np.eye(2)), replace(config, learning_starts=1000), seed=0).learn(60)
    batch = model._state.sample(32, torch.device("cpu"))
    outputs = model._nets.actors.evaluate_target(batch.observation)
    policies = torch.softmax(outputs[:, 0], -1)
    joint_policy = torch.outer(policies[0], policies[1])
    played = batch.action.argmax(-1)
    expected = -3.0 * joint_policy[played[:, 0], played[:, 1]] / joint_policy.norm()
    shift = model._believed_rewards(batch) - batch.reward
    torch.testing.assert_close(shift, torch.stack([expected, torch.zeros(32)]), atol=1e-5, rtol=1e-5)
