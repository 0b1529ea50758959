"""The search on every channel: what it finds lies in the sets, replays in one robust layer, and survives a file."""

import gymnasium
import numpy as np
import pytest
from glassbox import EchoParallel, Player
from gymnasium import spaces
from mpe2 import simple_speaker_listener_v4

from robust_envs import (
    KL,
    L1,
    L2,
    Delay,
    Dropout,
    Finite,
    Interval,
    Linf,
    Relative,
    Replay,
    Switch,
    heard,
    per_episode,
    per_state,
    per_step,
    robust,
    said,
)
from robust_envs.evaluation.rollouts import play
from robust_envs.testing import (
    NotRobustError,
    always_within,
    assert_robust,
    falsify,
    load_counterexample,
    relative_return,
    replay_counterexample,
    returns_at_least,
    robust_radius,
    save_counterexample,
)
from robust_envs.testing.arena import Arena
from robust_envs.testing.problem import scout
from robust_envs.testing.rules import nothing
from robust_envs.testing.search.decode import Decoder
from robust_envs.testing.search.windows import window_of

LENGTH = 100
FEW = {"max_episodes": 60, "shrink_rules": 40, "shrink_traces": 60, "unseen": 4}


def balance(observation):
    return int(observation @ [0.1, 0.3, 3.0, 1.0] > 0)


def pole():
    return gymnasium.make("CartPole-v1", max_episode_steps=LENGTH)


def friend(observation):
    return int(np.argmax(observation))


def liar(observation):
    return (int(np.argmax(observation)) + 1) % 3


def listener(observation):
    landmark = int(np.argmax(observation[8:11]))
    way = observation[2 + 2 * landmark : 4 + 2 * landmark]
    axis = int(np.argmax(np.abs(way)))
    return 1 + 2 * axis + int(way[axis] > 0)


TEAM = {"speaker_0": friend, "listener_0": listener}


def talk():
    return simple_speaker_listener_v4.parallel_env()


POLE = balance, pole, returns_at_least(float(LENGTH))
TALK = TEAM, talk, relative_return(0.7)
TURNS = TEAM, simple_speaker_listener_v4.env, relative_return(0.7)
CASES = {
    "delay": (POLE, {"delay": Delay(6)}),
    "delay of an episode": (POLE, {"delay": Delay(7, each="episode")}),
    "delay with gaps": (POLE, {"delay": Delay([0, 6], of="action")}),
    "dropout": (POLE, {"dropout": Dropout(0.8)}),
    "dropout with a budget": (POLE, {"dropout": Dropout(mode="zero", budget=10, of="action")}),
    "dynamics": (POLE, {"dynamics": {"force_mag": Interval(-12.0, 12.0), "gravity": Relative(0.2)}}),
    "dynamics, listed": (POLE, {"dynamics": {"force_mag": Finite([8.0, -10.0])}}),
    "dynamics at every step": (POLE, {"dynamics": {"force_mag": per_step(Relative(0.95))}}),
    "start": (POLE, {"start": Linf(0.25)}),
    "transition": (POLE, {"transition": Linf(0.03)}),
    "several at once": (POLE, {"transition": L2(0.02), "observation": Linf(0.1), "action": Switch(0.1)}),
    "said": (TALK, {"message": said(Switch(0.7))}),
    "heard": (TALK, {"message": heard(Linf(0.9))}),
    "words": (TALK, {"message": heard(Switch(0.7))}),
    "heard no more": (TALK, {"dropout": Dropout(0.9, of="heard", mode="zero")}),
    "said, in turns": (TURNS, {"message": said(Switch(0.7))}),
    "dynamics, in turns": (TURNS, {"dynamics": {"damping": Relative(0.9), "dt": Relative(0.5)}}),
    "partners": (TALK, {"partners": {"speaker_0": Finite([friend, liar])}}),
    "partners at every step": (TALK, {"partners": {"speaker_0": per_step(Finite([friend, liar]))}}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_found_on_any_channel_replays_in_one_layer_and_from_a_file(case, tmp_path):
    (policy, env_fn, demanded), channels = CASES[case]
    result = falsify(policy, env_fn, **channels, property=demanded, seed=1, **FEW)
    assert result.found
    assert result.counterexample is not None
    env = robust(env_fn(), **channels, nature=Replay(result.trace), trace=True)
    played = play(env, policy, seed=result.trace.seed)
    assert sum(played.returns.values()) == result.counterexample.expect.total
    assert env.trace.differences(result.trace) == []
    kept = load_counterexample(save_counterexample(result.counterexample, tmp_path))
    given = channels if "partners" in channels else None
    again = replay_counterexample(kept, policy, env_fn, property=demanded, channels=given)
    assert (again.verdict, again.same_trajectory) == ("fails", True)


def test_the_worst_parameters_and_the_worst_start_are_found_where_they_are_known():
    class Well(gymnasium.Env):
        """Pay minus 1 and the distance of a number from home, where it is reset to, times a weight of 1."""

        observation_space, action_space = spaces.Box(-9.0, 9.0, (1,), np.float64), spaces.Discrete(2)
        weight, home = 1.0, 0.5

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.state, self.left = np.array([self.home]), 3
            return self._get_obs(), {}

        def _get_obs(self):
            return self.state.copy()

        def step(self, action):
            self.left -= 1
            return (
                self._get_obs(),
                -self.weight * (1 + abs(float(self.state[0]) - self.home)),
                self.left == 0,
                False,
                {},
            )

    result = falsify(
        lambda observation: 0,
        Well,
        dynamics={"weight": Interval(0.5, 3.0)},
        start={"state": Linf(0.2)},
        property=returns_at_least(-10.79),  # of 3 steps at a weight of 3, 0.2 away: -10.8
        max_episodes=80,
        unseen=0,
    )
    assert result.found
    assert result.worst_margin == pytest.approx(-0.01)
    moved = {channel: row.executed.ravel() for (channel, _), row in result.worst_trace.moves.items()}
    assert moved["dynamics"] == pytest.approx([2.0])
    assert np.abs(moved["start"]) == pytest.approx([0.2])


def test_the_environment_has_its_own_parameters_back():
    envs = []

    def keep():
        envs.append(pole())
        return envs[-1]

    falsify(balance, keep, dynamics={"masspole": Relative(0.5)}, property=returns_at_least(5.0), max_episodes=3)
    assert [env.unwrapped.masspole for env in envs] == [0.1]


def test_properties_see_the_world_as_nature_left_it():
    within = always_within(-0.2, 0.2, of=2, name="upright")
    result = falsify(balance, pole, start=Linf(0.3), property=within, max_episodes=40, unseen=0)
    moved = result.worst_trace.moves["start", "*"].executed[0]
    env = robust(pole(), start=Linf(0.3), nature=Replay(result.worst_trace))
    observation, _ = env.reset(seed=result.env_seed)
    assert abs(moved[2]) > 0.1
    assert result.worst_margin <= (0.2 - abs(observation[2])) / 0.2 + 1e-6


def test_a_choice_for_the_whole_episode_is_one_number_and_told_as_such():
    result = falsify(balance, pole, delay=Delay(7, each="episode"), property=POLE[2], seed=1, **FEW)
    assert result.rule.text == "delay 7 always"
    (step,) = result.shrunk.steps
    assert (step.t, step.integers) == (0, (7,))
    assert ", 1 number;" in result.report()


def test_rules_of_the_world_name_its_parameters():
    result = falsify(balance, pole, dynamics={"force_mag": Interval(-12.0, 12.0)}, property=POLE[2], seed=1, **FEW)
    assert result.rule.text == "delta[force_mag] = -22"
    result = falsify(balance, pole, transition=Linf(0.03), property=POLE[2], seed=1, **FEW)
    assert "theta" in result.rule.text


def test_partners_are_named_in_files_and_must_be_given_again(tmp_path):
    channels = {"partners": {"speaker_0": Finite([friend, liar])}}
    result = falsify(TEAM, talk, **channels, property=TALK[2], seed=1, **FEW)
    assert result.channels["partners"] == "{'speaker_0': Finite((friend, liar))}"
    path = save_counterexample(result.counterexample, tmp_path)
    assert "0x" not in path.read_text()
    with pytest.raises(ValueError, match=r"partners must be given.*only names them.*friend, liar"):
        replay_counterexample(load_counterexample(path), TEAM, talk, property=TALK[2])
    saved = [load_counterexample(path)]
    again = falsify(TEAM, talk, **channels, property=TALK[2], saved=saved, max_episodes=1, unseen=0)
    assert again.first.strategy == "saved"


def test_what_cannot_be_written_is_told_all_the_same(tmp_path):
    hears = heard(Linf(0.9), at=lambda space: slice(8, 11))
    channels = {"message": {"listener_0": hears}}
    with pytest.raises(NotRobustError, match=r"not kept in a file: ") as caught:
        assert_robust(TEAM, talk, **channels, property=TALK[2], seed=1, folder=tmp_path, **FEW)
    assert caught.value.result.found
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "channels",
    [
        {"observation": per_state(Linf(0.1), radius=lambda observation: 0.1)},
        {"reward": Linf(0.1), "observation": per_state(Linf(0.1), radius=lambda observation: 0.2)},
    ],
)
def test_sets_that_are_others_at_every_move_are_refused(channels):
    with pytest.raises(ValueError, match=r"observation must be given sets that are the same at every move"):
        falsify(balance, pole, **channels, property=POLE[2])


def test_sets_of_distributions_are_refused():
    from robust_envs.envs import MarkovDecisionEnv, MarkovGame

    game = MarkovGame.from_gymnasium(gymnasium.make("CliffWalking-v1"))
    with pytest.raises(ValueError, match=r"transition must be given sets that are the same at every move"):
        falsify(lambda _: 0, lambda: MarkovDecisionEnv(game), transition=KL(0.1), property=returns_at_least(0.0))


def test_the_radius_of_the_world_is_bisected_about_its_nominal_values():
    given = {"dynamics": {"force_mag": Interval(-10.0, 10.0)}, "property": POLE[2], "max_episodes": 8}
    found = robust_radius(balance, pole, **given, tolerance=0.3)
    assert 0.0 < found.held < found.broken <= 1.0  # all of it pushes the other way, nothing of it is the nominal 10
    late = robust_radius(balance, pole, delay=Delay(7), property=POLE[2], max_episodes=8, tolerance=0.2)
    assert 0.0 < late.broken <= 1.0


def test_the_search_of_the_world_finds_the_same_in_other_processes():
    given = {"dynamics": {"force_mag": per_step(Relative(0.95))}, "property": POLE[2], "seed": 3, **FEW}
    here, there = falsify(balance, pole, **given), falsify(balance, pole, **given, executor="process")
    assert here.episodes_to_first == there.episodes_to_first
    assert here.counterexample == there.counterexample


def test_agents_that_see_masks_share_what_they_see():
    players = {agent: Player(observation="masked", action="discrete") for agent in ("a", "b")}
    result = falsify(
        lambda observation: 0,
        lambda: EchoParallel(players),
        observation=Linf(0.1),
        property=returns_at_least(-1e9),
        max_episodes=30,
    )
    assert (result.found, result.searched) == (False, 30)


def test_rules_act_from_starts_that_have_other_nominal_values():
    for members in (Interval(-0.3, 0.3), {"state[2]": Interval(-0.3, 0.3)}):
        result = falsify(balance, pole, start=members, property=POLE[2], max_episodes=40, shrink_rules=40, unseen=6)
        assert result.rule.transfer.seeds == 6


def test_as_little_as_the_sets_allow_may_be_enough(tmp_path):
    for channels in ({"delay": Delay([6])}, {"dynamics": {"force_mag": Finite([-12.0])}}):
        given = {**channels, "property": POLE[2]}
        result = falsify(balance, pole, **given, unseen=0)
        assert (result.nominal_margin, result.first.strategy, result.episodes_to_first) == (0.0, "least", 1)
        kept = load_counterexample(save_counterexample(result.counterexample, tmp_path))
        assert kept.steps == ()
        assert replay_counterexample(kept, balance, pole).verdict == "fails"
        assert robust_radius(balance, pole, **given, max_episodes=4, tolerance=0.3).broken > 0.0


def test_no_delay_at_all_is_the_environment_itself():
    found = robust_radius(balance, pole, delay=Delay(1), property=POLE[2], max_episodes=4, tolerance=0.3)
    assert found.held >= 0.75  # of a delay of 1 nothing is left below 1


@pytest.fixture(scope="module")
def late():
    return falsify(balance, pole, delay=Delay(6), property=POLE[2], seed=1, **FEW).counterexample


@pytest.fixture(scope="module")
def lost():
    return falsify(balance, pole, dropout=Dropout(0.9), property=POLE[2], seed=1, **FEW).counterexample


@pytest.mark.parametrize(
    ("which", "today", "verdict"),
    [
        ("late", {"delay": Delay(6)}, "fails"),
        ("late", {"delay": Delay(9)}, "fails"),
        ("late", {"delay": Delay(2)}, "outside-set"),
        ("late", {"delay": Delay(6, of="action")}, "outside-set"),
        ("late", {"delay": Delay(6, each="episode")}, "outside-set"),
        ("lost", {"dropout": Dropout(0.95)}, "fails"),
        ("lost", {"dropout": Dropout(0.05)}, "outside-set"),
        ("lost", {"dropout": Dropout(0.9, budget=1)}, "outside-set"),
        ("lost", {"dropout": Dropout(0.9, mode="zero")}, "outside-set"),
    ],
)
def test_choices_that_the_sets_of_today_do_not_allow_lie_outside(which, today, verdict, request):
    kept = request.getfixturevalue(which)
    assert replay_counterexample(kept, balance, pole, channels=today).verdict == verdict


def test_files_about_other_channels_are_passed_over(late):
    given = {"property": POLE[2], "saved": [late], "max_episodes": 1, "unseen": 0}
    result = falsify(balance, pole, action=Switch(0.01), **given)
    assert "saved" not in result.episodes


def test_coins_are_those_of_one_layer_with_all_channels():
    heads = []

    def note(move):
        if move.channel == "dropout":
            heads[-1].append(move.step)
        return nothing(move)

    channels = {"dropout": Dropout(0.5), "dynamics": {"masspole": Relative(0.1)}}
    for one in ({"dropout": Dropout(0.5)}, channels):
        heads.append([])
        Arena(balance, pole, one).play(note, 3)
    heads.append([])
    play(robust(pole(), **channels, nature=note), balance, seed=3)
    assert heads[0] == heads[1] == heads[2]
    assert 20 < len(heads[0]) < 80


def test_rules_spend_a_budget_on_the_world_evenly():
    arena = Arena(balance, pole, {"dynamics": {"force_mag": per_step(per_episode(L1(4.0)))}})
    problem, _ = scout(arena, 0, np.random.default_rng(0))
    decoder, windows = Decoder(problem), [window_of(problem.places[0], 3, 8)]
    _, trace = arena.record(decoder.nature(np.ones(decoder.size), windows=windows), 0)
    spent = np.abs(trace.moves["dynamics", "*"].executed).ravel()
    assert np.allclose(spent[3:11], 0.5)
    assert not spent[:3].any()
    assert not spent[11:].any()


@pytest.mark.parametrize("moment", [0, 1, 7, 30, 60, 90])
def test_ctrl_c_at_any_moment_of_shrinking_keeps_the_best_so_far(moment):
    judged = []
    stop = -1

    def margin(episode):
        judged.append(episode.length)
        if len(judged) == stop:
            raise KeyboardInterrupt
        return episode.length - LENGTH

    given = {"delay": Delay(6), "property": margin, "seed": 1, "shrink_rules": 0, "unseen": 0}
    falsify(balance, pole, **given, shrink_traces=0)
    stop = len(judged) + moment  # the last judgement is about what goes into the result
    judged.clear()
    result = falsify(balance, pole, **given)
    assert result.found
    assert result.shrunk is not None
    assert result.counterexample is not None
