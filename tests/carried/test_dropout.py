"""What is lost: how often, what comes instead, and that it hurts."""

import numpy as np
import pytest
from glassbox import EchoEnv, EchoParallel, Player, observations, play, same
from gymnasium import spaces

from robust_envs import AsAgents, Dropout, Switch, Uniform, robust


def both(make, members, seed=0, **options):
    """The observations without and with losses, and when something was lost."""
    env = robust(make(), dropout=members, nature=Uniform(), trace=True)
    shown = observations(play(env, seed, **options))
    lost = env.trace.moves["dropout", "agent_0"].executed[:, 0].astype(bool)
    return observations(play(make(), seed, **options)), shown, lost


def long():
    return EchoEnv(horizon=2000)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_values_are_lost_as_often_as_the_probability_says(probability):
    _, _, lost = both(long, Dropout(probability), steps=2000)
    assert abs(lost.mean() - probability) < 4 * np.sqrt(probability * (1 - probability) / 2000)


@pytest.mark.parametrize("observation", ["float32", "uint8", "dict", "tuple", "scalar"])
def test_repeat_shows_the_last_value_that_came_through_and_loses_no_first_one(observation):
    nominal, shown, lost = both(lambda: EchoEnv(observation), Dropout(0.6), seed=3)
    assert not lost[0]
    assert lost.any()
    through = [max(k for k in range(t + 1) if not lost[k]) for t in range(len(nominal))]
    assert same(shown, [nominal[k] for k in through])


def test_stuck_shows_one_value_from_the_first_loss_to_the_end_of_the_episode():
    found = []
    for seed in range(10):
        nominal, shown, lost = both(EchoEnv, Dropout(0.2, mode="stuck"), seed=seed)
        first = int(np.argmax(lost)) if lost.any() else len(nominal)
        found.append(first)
        assert lost[first:].all()
        assert same(shown, nominal[:first] + [nominal[first - 1]] * (len(nominal) - first))
    assert len(set(found)) > 3


def test_zero_shows_zeros_and_what_is_nearest_to_them_where_there_is_no_zero():
    nominal, shown, lost = both(EchoEnv, Dropout(0.5, mode="zero"))
    assert same(shown, [np.zeros_like(one) if gone else one for one, gone in zip(nominal, lost, strict=True)])

    class Far(EchoEnv):
        def __init__(self):
            super().__init__()
            self.observation_space = spaces.Box(2.0, 3.0, (3,), np.float32)

    assert same(both(Far, Dropout(1.0, mode="zero"))[1][0], np.full(3, 2.0, np.float32))


def test_a_lost_action_is_the_last_one_again_or_the_first_of_all():
    for mode in ("repeat", "zero"):
        env = robust(EchoEnv(action="late"), dropout=Dropout(0.5, mode=mode, of="action"), nature=Uniform(), trace=True)
        play(env)
        naked = EchoEnv(action="late")
        play(naked)
        lost = env.trace.moves["dropout", "agent_0"].executed[:, 0]
        assert lost.any()
        for t, (sent, got) in enumerate(zip(naked.received, env.unwrapped.received, strict=True)):
            instead = env.action_space.start if mode == "zero" else env.unwrapped.received[max(t - 1, 0)]
            assert got == (instead if lost[t] else sent)


def test_a_budget_is_the_most_that_is_lost_in_an_episode():
    for seed in range(3):
        _, _, lost = both(long, Dropout(0.5, budget=7), seed=seed, steps=300)
        assert lost.sum() == 7
        assert lost[:60].sum() == 7


def test_lost_coordinates_are_the_ones_named():
    nominal, shown, lost = (np.array(one) for one in both(EchoEnv, Dropout(1.0, mode="zero", at=slice(1, None))))
    assert lost.all()
    assert same(shown[:, 0], nominal[:, 0])
    assert not shown[:, 1:].any()


def test_the_mask_comes_through_and_only_legal_actions_are_repeated():
    class Legal(EchoEnv):
        def step(self, action):
            assert self.mask[action], "an illegal action"
            observation, *rest = super().step(action)
            self.mask = observation["action_mask"]
            return observation, *rest

        def reset(self, **how):
            observation, info = super().reset(**how)
            self.mask = observation["action_mask"]
            return observation, info

    for mode in ("repeat", "zero", "stuck"):
        env = robust(Legal("masked", "discrete"), dropout=Dropout(0.9, mode=mode, of="action"), nature=Uniform())
        for seed in range(5):
            play(env, seed=seed)
    nominal, shown, _ = both(lambda: EchoEnv("masked", "discrete"), Dropout(0.9))
    assert same([one["action_mask"] for one in shown], [one["action_mask"] for one in nominal])


def test_agents_lose_different_values_and_the_dead_keep_none():
    players = {"a_0": Player(), "a_1": Player(), "a_2": Player(dies=3)}
    env = robust(EchoParallel(players, horizon=30), dropout=Dropout(0.5), nature=Uniform(), trace=True)
    play(env, steps=30)
    lost = {agent: env.trace.moves["dropout", agent].executed[:, 0] for agent in players}
    assert len(lost["a_2"]) == 4
    assert not same(lost["a_0"], lost["a_1"])


def test_a_probability_may_be_given_as_a_switch_and_set_as_the_radius():
    first, second = (
        play(robust(EchoEnv(), dropout=members, nature=Uniform())) for members in (Switch(0.4), Dropout(0.4))
    )
    assert same(first, second)
    env = robust(EchoEnv(), dropout=Dropout(0.4), nature=Uniform())
    env.radius = 0.0
    assert same(play(env), play(EchoEnv()))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (lambda: Dropout(1.5), ValueError, r"probability must be in \[0, 1\], got probability=1.5"),
        (lambda: Dropout("often"), TypeError, "probability must be a number, got"),
        (
            lambda: Dropout(0.5, mode="last"),
            ValueError,
            "mode must be one of 'repeat', 'stuck', 'zero', got mode='last'",
        ),
        (lambda: Dropout(0.5, budget=-1), ValueError, "budget must be an integer >= 0, got budget=-1"),
        (lambda: Dropout(0.5, of="state"), ValueError, "of must be one of"),
        (lambda: robust(EchoEnv(), dropout=0.5, nature=Uniform()), TypeError, r"dropout must be Dropout\(...\)"),
        (
            lambda: robust(EchoEnv(), action=Dropout(0.5), nature=Uniform()),
            ValueError,
            "give it to the channel dropout",
        ),
    ],
)
def test_what_is_no_loss_is_refused_by_name_rule_and_value(given, error, words):
    with pytest.raises(error, match=words):
        given()


def test_text_can_be_repeated_but_has_no_zero():
    class Talks(EchoEnv):
        def __init__(self):
            super().__init__()
            self.observation_space = spaces.Text(4)

        def reset(self, **how):
            return "now", {}

        def step(self, action):
            return "then", 0.0, False, False, {}

    env = robust(Talks(), dropout=Dropout(1.0), nature=Uniform())
    assert (env.reset(seed=0)[0], env.step(np.zeros(2, np.float32))[0]) == ("now", "now")
    with pytest.raises(ValueError, match="dropout of agent_0: a Text space has no zero: take mode='repeat' or 'stuck'"):
        robust(Talks(), dropout=Dropout(1.0, mode="zero"), nature=Uniform())


@pytest.mark.parametrize("of", ["observation", "action"])
def test_losses_bring_down_the_pole_more_the_more_there_are(world, of):
    returns = [
        world.pole_return(robust(world.pole(), dropout=Dropout(p, of=of), nature=Uniform())) for p in (0.0, 0.3, 0.9)
    ]
    assert returns[0] == 500
    assert returns[0] > returns[1] + 100 > returns[2] + 150


def test_a_nature_that_is_an_agent_loses_what_hurts_most(world):
    # The same number of losses: those of a nature that waits for the pole to lean hurt more than those of chance.
    members = Dropout(1.0, mode="zero", budget=8, of="action")
    by_chance = Dropout(0.05, mode="zero", budget=8, of="action")
    chance = world.pole_return(robust(world.pole(), dropout=by_chance, nature=Uniform()))
    game = robust(world.pole(), dropout=members, nature=AsAgents(team=world.balance))
    total = 0.0
    for seed in range(4):
        seen, _ = game.reset(seed=seed)
        over = False
        while not over:
            falls_right = seen[2] + 0.5 * seen[3] > 0.05  # "nothing" pushes to the left
            seen, reward, terminated, truncated, _ = game.step(int(falls_right))
            total, over = total - reward, terminated or truncated
    assert total / 4 < chance - 50
