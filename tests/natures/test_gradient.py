"""Gradient attacks: the textbook steps on a model whose gradient is known, and real policies made worse."""

import gymnasium
import numpy as np
import pytest
from glassbox import EchoEnv, EchoParallel, Player, play, same
from gymnasium import spaces

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")

from robust_envs import (  # noqa: E402
    L1,
    L2,
    Ellipsoid,
    Finite,
    GradientAttack,
    Interval,
    Linf,
    Mixture,
    Product,
    Switch,
    Uniform,
    WorstCase,
    joint,
    per_episode,
    robust,
    scheduled,
)
from robust_envs.evaluation import evaluate  # noqa: E402

GOAL = np.array([3.0, -2.0, 1.0])


class LinearValue(torch.nn.Module):
    """The value of a state is a linear function of it: its gradient is the goal."""

    def forward(self, observations):
        return observations @ torch.as_tensor(GOAL, dtype=observations.dtype)[:, None]


def still(dim=3):
    net = torch.nn.Linear(dim, 2)
    with torch.no_grad():
        net.weight.copy_(torch.arange(2.0 * dim).reshape(2, dim).sin())
        net.bias.zero_()
    return net


SETS = [
    Linf(0.3),
    L2(0.5),
    L1(0.4),
    Interval(-0.1, 0.3),
    Ellipsoid(np.diag([1.0, 0.5, 2.0])),
    Linf(0.1, unit=(1, 0, 2)),
]


@pytest.mark.parametrize("members", SETS, ids=repr)
@pytest.mark.parametrize("steps", [1, 40])
def test_on_a_linear_value_the_attack_is_the_worst_member(members, steps):
    # Goodfellow et al. (2015): the sign step is the exact maximiser of a linear loss over the Linf ball; here any set
    attack = GradientAttack(still(), discrete=True, critic=LinearValue(), target="value", steps=steps)
    env = robust(EchoEnv(), observation=members, nature=attack)
    env.reset(seed=0)
    expected, chosen = members.bind(3).worst(GOAL), env.last_move["observation", "agent_0"].chosen
    assert GOAL @ chosen <= 0.9 * GOAL @ expected
    if steps == 1:
        np.testing.assert_allclose(chosen, expected, atol=1e-6)


def test_fgsm_is_the_sign_of_the_gradient():
    net = still()
    env = robust(EchoEnv(), observation=Linf(0.1), nature=GradientAttack(net, discrete=True, target="least"))
    observation = torch.tensor(play(EchoEnv())[0][0])[None].requires_grad_()
    logits = net(observation)
    (gradient,) = torch.autograd.grad(-torch.log_softmax(logits, 1)[0, logits.argmin()], [observation])
    env.reset(seed=0)
    expected = -0.1 * np.sign(gradient[0].numpy())
    np.testing.assert_allclose(env.last_move["observation", "agent_0"].chosen, expected, rtol=1e-6)


@pytest.mark.parametrize("discrete", [True, False])
def test_more_steps_and_restarts_find_no_less_divergence_than_noise(discrete):
    net = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for part in net.parameters():
            part.data.normal_()

    def divergence(nature):
        env = robust(EchoEnv(), observation=L2(0.5), nature=nature)
        nominal, robustly = (torch.tensor(np.stack([one[0] for one in play(e)])) for e in (EchoEnv(), env))
        a, b = net(nominal).detach(), net(robustly).detach()
        if not discrete:
            return float(((a - b) ** 2).sum())
        return float(torch.nn.functional.kl_div(b.log_softmax(1), a.softmax(1), reduction="sum"))

    options = {"discrete": discrete, "target": "divergence"}
    noise, one = divergence(Uniform()), divergence(GradientAttack(net, **options))
    many = divergence(GradientAttack(net, **options, steps=10, restarts=3))
    assert noise < one < many * 1.001


def test_an_attack_on_actions_follows_the_critic_of_actions():
    class Critic(torch.nn.Module):
        def forward(self, observations, actions):
            return actions @ torch.tensor([[1.0], [-1.0]]) + observations.sum(1, keepdim=True)

    attack = GradientAttack(critic=Critic(), target="value")
    env = robust(EchoEnv(), action=Linf(0.25), nature=attack)
    env.reset(seed=0)
    env.step(np.zeros(2, np.float32))
    np.testing.assert_allclose(env.unwrapped.received[0], [-0.25, 0.25])


def test_the_least_worst_choice_is_what_the_policy_likes_least_among_the_legal():
    net = torch.nn.Linear(3, 4)
    attack = GradientAttack(net, discrete=True, target="least")
    env = robust(EchoEnv(observation="masked", action="discrete"), action=Finite([0, 1, 2, 3]), nature=attack)
    observation, _ = env.reset(seed=0)
    for _ in range(8):
        logits = net(torch.tensor(observation["observation"])).detach().numpy()
        legal = np.flatnonzero(observation["action_mask"])
        nominal = env.unwrapped.action_space.sample(observation["action_mask"])
        observation, *_ = env.step(nominal)
        assert env.unwrapped.received[-1] == legal[logits[legal].argmin()]


@pytest.fixture(scope="module")
def models():
    from stable_baselines3 import DQN, PPO, SAC, TD3

    cartpole, pendulum = gymnasium.make("CartPole-v1"), gymnasium.make("Pendulum-v1")
    return {
        "PPO": (PPO("MlpPolicy", cartpole, seed=0), "CartPole-v1"),
        "PPO, Box": (PPO("MlpPolicy", pendulum, seed=0), "Pendulum-v1"),
        "DQN": (DQN("MlpPolicy", cartpole, seed=0, buffer_size=10), "CartPole-v1"),
        "SAC": (SAC("MlpPolicy", pendulum, seed=0, buffer_size=10), "Pendulum-v1"),
        "TD3": (TD3("MlpPolicy", pendulum, seed=2, buffer_size=10), "Pendulum-v1"),
    }


def attacks(name):
    yield from ("divergence", "value")
    if name in ("PPO", "DQN"):
        yield "least"


@pytest.mark.parametrize("name", ["PPO", "PPO, Box", "DQN", "SAC", "TD3"])
def test_stable_baselines_models_are_attacked_and_left_as_they_were(models, name):
    model, task = models[name]
    before = {key: tensor.clone() for key, tensor in model.policy.state_dict().items()}
    state = torch.random.get_rng_state()
    for target in attacks(name):
        attack = GradientAttack(model, target=target, steps=3)
        env = robust(gymnasium.make(task), observation=Linf(0.1), nature=attack, trace=True)
        play(env)
        assert np.abs(env.trace.moves["observation", "agent_0"].executed).max() > 0.05
        assert same(play(env), play(robust(gymnasium.make(task), observation=Linf(0.1), nature=attack)))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.policy.state_dict().items())
    assert all(parameter.grad is None for parameter in model.policy.parameters())


@pytest.mark.parametrize("name", ["SAC", "TD3"])
def test_the_critics_of_stable_baselines_value_actions(models, name):
    model, task = models[name]
    env = robust(gymnasium.make(task), action=Linf(0.5), nature=GradientAttack(model, target="value", steps=20))
    observation, _ = env.reset(seed=0)
    action, _ = model.predict(observation, deterministic=True)
    env.step(action)
    executed = env.last_move["action", "agent_0"]

    def value(chosen):
        actions = torch.tensor(chosen / 2, dtype=torch.float32)[None]  # the critic's live in [-1, 1]
        return min(float(q.detach()) for q in model.critic(torch.tensor(observation)[None], actions))

    assert value(executed.nominal + executed.executed) < value(executed.nominal)


def test_our_trainers_are_attacked_agent_by_agent():
    from algos.deep import MADDPG

    players = {"a_0": Player(), "a_1": Player(observation="float64"), "b_0": Player(action="discrete")}
    model = MADDPG(EchoParallel(players), seed=0)
    attack = GradientAttack(model, steps=3)
    env = robust(EchoParallel(players), observation=Linf(0.3), nature=attack, trace=True)
    observations = play(env)[0][0]
    assert all(np.abs(moves.executed).max() > 0.1 for moves in env.trace.moves.values())
    for agent, observation in observations.items():  # what is differentiated is what is played
        answer = model.torch_policy(agent)(torch.tensor(observation, dtype=torch.float32)[None])
        action, _ = model.predict({agent: observation})
        if agent == "b_0":
            assert int(answer.logits.argmax()) == action[agent]
        else:
            np.testing.assert_allclose(answer[0].detach(), action[agent], atol=1e-6)


def test_an_attack_lowers_the_return_more_than_noise():
    net = torch.nn.Linear(4, 2)  # lean with the pole: the policy that balances
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.0, 0.0, -1.0, -1.0], [0.0, 0.0, 1.0, 1.0]]))
        net.bias.zero_()
    natures = {"noise": Uniform(), "attack": GradientAttack(net, discrete=True, target="least")}
    found = evaluate(
        lambda seen: int(net(torch.as_tensor(seen)).argmax()),
        lambda: gymnasium.make("CartPole-v1"),
        observation=Linf(0.15),
        natures=natures,
        levels=(0, 1),
        episodes=8,
    )
    nominal, noisy, attacked = (found.summary(*at).mean for at in (("noise", 0), ("noise", 1), ("attack", 1)))
    assert nominal > 400
    assert attacked < 0.5 * noisy


@pytest.mark.parametrize(
    "frame", [lambda n: Mixture(0.5, n), lambda n: scheduled(n, every=2)], ids=["Mixture", "every"]
)
def test_attacks_can_be_mixed_and_scheduled(frame):
    nature = frame(GradientAttack(still(), discrete=True))
    env = robust(EchoEnv(), observation=Linf(0.1), nature=nature, trace=True)
    play(env)
    moved = env.trace.moves["observation", "agent_0"].executed.any(axis=1)
    assert 0 < moved.sum() < len(moved)


def test_a_budget_over_the_episode_holds():
    nature = GradientAttack(still(), discrete=True, target="least", steps=3)
    env = robust(EchoEnv(), observation=per_episode(L2(0.5)), nature=nature, trace=True)
    play(env)
    assert np.linalg.norm(env.trace.moves["observation", "agent_0"].executed) <= 0.5 + 1e-6


def test_networks_with_dropout_draw_nothing():
    net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 2)).train()
    env = robust(EchoEnv(), observation=Linf(0.1), nature=GradientAttack(net, discrete=True, steps=2))
    state = torch.random.get_rng_state()
    play(env)
    assert torch.equal(state, torch.random.get_rng_state())
    assert net[1].training


def test_attacks_work_where_gradients_are_switched_off():
    env = robust(EchoEnv(), observation=Linf(0.1), nature=GradientAttack(still(), discrete=True, target="least"))
    with torch.no_grad():
        said = play(env)
    assert same(said, play(env))


class Images(gymnasium.Env):
    observation_space, action_space = spaces.Box(0, 255, (36, 36, 3), np.uint8), spaces.Discrete(2)


def attack(**how):
    return lambda: GradientAttack(still(), discrete=True, **how)


def at(nature, play_too=False, kind=EchoEnv, **channels):
    def make():
        env = robust(kind(), **channels, nature=nature() if nature is not WorstCase else WorstCase())
        return play(env) if play_too else env

    return make


OBSERVATION = {"observation": Linf(1)}
PARTS = {"observation": Product({"position": Linf(1)})}
valued = attack(target="value")
critic_only = lambda: GradientAttack(critic=still(), target="value")  # noqa: E731
discrete = lambda: EchoEnv(action="discrete")  # noqa: E731
BAD = {
    "a function": (lambda: GradientAttack(lambda o: 0), TypeError, "must be differentiable.*torch_policy"),
    "an object": (lambda: GradientAttack(object()), TypeError, "must be differentiable.*Stable-Baselines3"),
    "a dict of functions": (lambda: GradientAttack({"a_0": len}), TypeError, "must be differentiable"),
    "nothing": (GradientAttack, TypeError, "policy must be given"),
    "plain": (lambda: GradientAttack(still()), ValueError, "discrete must be given"),
    "target": (attack(target="worst"), ValueError, "target must be one of 'divergence'.*'worst'"),
    "steps": (attack(steps=0), ValueError, "steps must be an integer >= 1.*0"),
    "restarts": (attack(restarts=2.5), TypeError, "restarts must be an integer >= 1.*2.5"),
    "step size": (attack(step_size=0), ValueError, "step_size must be finite and > 0"),
    "critic": (attack(critic=len), TypeError, "critic must be a torch.nn.Module"),
    "reward": (at(attack(), reward=Linf(1)), ValueError, "observations and actions.*'reward'"),
    "worst observation": (at(WorstCase, **OBSERVATION), ValueError, "GradientAttack"),
    "no policy": (at(critic_only, **OBSERVATION), ValueError, "needs a policy"),
    "actions": (at(attack(), action=Linf(1)), ValueError, "needs target='value'"),
    "choices": (at(attack(), kind=discrete, action=Switch(1)), ValueError, "'least' or 'value'"),
    "no critic": (at(valued, True, **OBSERVATION), TypeError, "critic must be given"),
    "no critic of actions": (at(valued, True, action=Linf(1)), TypeError, "SAC, TD3"),
    "joint": (at(attack(), True, EchoParallel, observation=joint(Linf(1))), ValueError, "one agent at a time"),
    "parts": (at(attack(), True, lambda: EchoEnv("dict"), **PARTS), ValueError, "needs Box observations"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_attacked_is_refused_with_what_is_needed(case):
    make, kind, words = BAD[case]
    with pytest.raises(kind, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_policy_that_is_cut_off_from_its_input_is_refused():
    class Cut(torch.nn.Module):
        def forward(self, observations):
            return torch.zeros(1, 2)

    env = robust(EchoEnv(), observation=Linf(1), nature=GradientAttack(Cut(), discrete=True, target="least"))
    with pytest.raises(TypeError, match="must be differentiable"):
        env.reset(seed=0)


def test_a_model_of_images_is_refused():
    from stable_baselines3 import PPO

    model = PPO("CnnPolicy", Images(), n_steps=2, batch_size=2)
    with pytest.raises(TypeError, match="no image"):
        GradientAttack(model)


def test_a_shorter_step_goes_less_far():
    sizes = []
    for step_size in (0.25, 0.5, None):
        attack = GradientAttack(still(), discrete=True, target="least", step_size=step_size)
        env = robust(EchoEnv(), observation=Linf(0.2), nature=attack)
        env.reset(seed=0)
        sizes.append(np.abs(env.last_move["observation", "agent_0"].chosen).max())
    np.testing.assert_allclose(sizes, [0.05, 0.1, 0.2])
