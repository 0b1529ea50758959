"""Natures with a shape, a schedule or parts refuse bad input with one clear sentence."""

import numpy as np
import pytest
from glassbox import EchoEnv, play
from nature_cases import feedback

from robust_envs import (
    L2,
    AsAgents,
    Drift,
    Finite,
    Impulse,
    Interval,
    LinearFeedback,
    Linf,
    Mixture,
    Noise,
    Periodic,
    Population,
    RandomWalk,
    Replay,
    Step,
    Switch,
    Trace,
    Uniform,
    WorstCase,
    per_episode,
    robust,
    scheduled,
)

TRACE = Trace(seed=0, options=None, depth=0, moves={})
U = Uniform()


def on(nature, **channels):
    return lambda: robust(EchoEnv(action="discrete" if "action" in channels else "box"), **channels, nature=nature())


BAD = {
    "start": (lambda: scheduled(U, start=-1), ValueError, "start must be an integer >= 0, got start=-1"),
    "start kind": (lambda: scheduled(U, start=1.5), TypeError, "start must be an integer.*1.5"),
    "stop": (lambda: scheduled(U, start=3, stop=3), ValueError, "stop must be an integer >= 4"),
    "every": (lambda: scheduled(U, every=0), ValueError, "every must be an integer >= 1"),
    "duration": (lambda: scheduled(U, duration=0), ValueError, "duration must be an integer >= 1"),
    "probability": (lambda: scheduled(U, probability=1.1), ValueError, r"probability must be in \[0, 1\].*1.1"),
    "budget": (lambda: scheduled(U, budget=-1), ValueError, "budget must be an integer >= 0"),
    "curriculum": (lambda: scheduled(U, curriculum=[(0, 2.0)]), ValueError, "curriculum must be pairs"),
    "curriculum order": (lambda: scheduled(U, curriculum=[(5, 0), (1, 1)]), ValueError, "ascending order"),
    "curriculum empty": (lambda: scheduled(U, curriculum=[]), ValueError, "at least one episode"),
    "no nature": (lambda: scheduled(3), TypeError, "nature must be a nature or a callable.*3"),
    "a class": (lambda: scheduled(Uniform), TypeError, r"write Uniform\(\)"),
    "a replay": (lambda: scheduled(Replay(TRACE)), ValueError, "repeats a whole episode"),
    "epsilon": (lambda: Mixture(-0.1, U), ValueError, r"epsilon must be in \[0, 1\]"),
    "epsilon kind": (lambda: Mixture("0.1", U), TypeError, "epsilon must be a number"),
    "nobody": (lambda: Population([]), ValueError, "at least one nature"),
    "one of them": (lambda: Population([U, 3]), TypeError, "natures must be a nature"),
    "agents in it": (lambda: Population([U, AsAgents()]), ValueError, "share one seat"),
    "weights": (lambda: Population([U, U], weights=[1]), ValueError, "weights must be 2 numbers"),
    "weights all 0": (lambda: Population([U, U], weights=[0, 0]), ValueError, "not all 0"),
    "each": (lambda: Population([U], each="step"), ValueError, "each must be 'episode' or 'move'.*'step'"),
    "at": (lambda: Impulse(at=-1), ValueError, "at must be an integer >= 0"),
    "impulse duration": (lambda: Impulse(duration=0), ValueError, "duration must be"),
    "axis": (lambda: Step(axis=[0.0, 0.0]), ValueError, "axis must be finite numbers, not all 0"),
    "axis length": (on(lambda: Step(axis=[1.0]), observation=Linf(1)), ValueError, "axis must have 3 numbers"),
    "period": (lambda: Periodic(period=0), ValueError, "period must be finite and > 0"),
    "phase": (lambda: Periodic(phase=np.nan), ValueError, "phase must be finite"),
    "over": (lambda: Drift(over=0), ValueError, "over must be an integer >= 1"),
    "step size": (lambda: RandomWalk(step=-1), ValueError, "step must be finite and > 0"),
    "gain": (lambda: LinearFeedback([1.0, 2.0]), ValueError, "gain must hold finite numbers in 2"),
    "gain words": (lambda: LinearFeedback([["a"]]), TypeError, "gain must hold numbers"),
    "bias": (lambda: LinearFeedback([[1.0]], [1.0, 2.0]), ValueError, "bias must have 1 number"),
    "squash": (lambda: LinearFeedback([[1.0]], squash="relu"), ValueError, "squash must be 'tanh' or 'sign'.*'relu'"),
    "gain rows": (on(lambda: feedback(2, 3), observation=Linf(1)), ValueError, "gain must have 3 rows"),
    "shapes on choices": (on(Impulse, action=Switch(0.5)), ValueError, "cannot replace a choice"),
    "noisy choices": (on(lambda: Mixture(0.1, U, noisy=True), action=Switch(0.5)), ValueError, "cannot replace"),
    "no rest": (on(lambda: scheduled(U), reward=Interval(1, 2)), ValueError, "the set must hold 0"),
    "no fractions": (on(Drift, reward=Finite([1.0, 0.0])), ValueError, "fractions of members"),
    "no fractions, curriculum": (
        on(lambda: scheduled(U, curriculum=[(0, 1)]), reward=Finite([1.0, 0.0])),
        ValueError,
        "fractions of members",
    ),
    "a part that does not fit": (on(lambda: Mixture(0.1, WorstCase()), observation=Linf(1)), ValueError, "reward only"),
    "a part that plans": (
        on(lambda: scheduled(U), observation=per_episode(L2(1), horizon=9)),
        ValueError,
        r"plans a budget.*scheduled\(budget=",
    ),
    "noise in it": (on(lambda: Population([Noise()]), observation=L2(1)), ValueError, "Linf or Interval"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_parameter_rule_and_value(case):
    make, kind, words = BAD[case]
    with pytest.raises(kind, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_law_of_the_wrong_width_says_what_nature_sees():
    with pytest.raises(ValueError, match="gain must have 3 columns, what nature sees, got 2"):
        play(robust(EchoEnv(), observation=Linf(1), nature=feedback(3, 2)))
