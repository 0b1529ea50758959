"""Counterexamples on disk: exact, small, readable in a diff; whatever is damaged is refused."""

import json
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from robust_envs import L1, L2, Ellipsoid, Finite, Interval, Linf, Product, Switch, joint, per_episode
from robust_envs.testing import (
    Counterexample,
    Expect,
    PerturbedStep,
    load_counterexample,
    load_counterexamples,
    save_counterexample,
)
from robust_envs.testing.notation import read_property, read_set, write_set

FOUND = Counterexample(
    env={"id": "CartPole-v1", "kwargs": {"max_episode_steps": 200}, "versions": {"gymnasium": "1.2.0"}},
    wrappers=("TimeLimit",),
    agents=("agent_0",),
    policy={"kind": "function", "sha256": None, "deterministic": True},
    seed=3,
    channels={"observation": Linf(0.3, unit=(0.1, 0.2, 0.3, 0.4))},
    q=256,
    property={"name": "returns_at_least", "expression": "return >= 200", "margin": -12.5},
    rule={"text": "delta[theta] = 0.3 * sign(x)", "terms": [[0, 2, 0, 1]]},
    steps=tuple(PerturbedStep(t, "agent_0", "observation", (0, 0, -176, 0)) for t in range(10)),
    horizon=188,
    expect=Expect(188.0, 188, True, "d072"),
    search={"strategy": "signs", "episodes_to_first": 1, "budget": 50, "seed": 0},
    shrink={"episodes": 38, "one_minimal": True, "from_steps": 28},
)


def test_what_is_saved_is_loaded(tmp_path):
    assert load_counterexample(save_counterexample(FOUND, tmp_path)) == FOUND


def test_a_file_of_ten_steps_is_about_a_kilobyte_with_a_line_for_each_step(tmp_path):
    text = save_counterexample(FOUND, tmp_path).read_text()
    assert len(text) < 1700
    assert sum(line.startswith("    [") for line in text.splitlines()) == 10
    assert json.loads(text)["steps"][0] == [0, "agent_0", "observation", [0, 0, -176, 0]]


def test_the_same_counterexample_has_the_same_name_and_another_one_another(tmp_path):
    first = save_counterexample(FOUND, tmp_path)
    assert first.name.startswith("CartPole-v1-returns_at_least-")
    assert save_counterexample(replace(FOUND, search={}, rule=None), tmp_path) == first
    assert save_counterexample(replace(FOUND, seed=4), tmp_path) != first
    assert save_counterexample(FOUND, tmp_path, name="my test[1/2]").name.startswith("my-test-1-2-")
    assert len(list(load_counterexamples(tmp_path))) == 3


def test_a_folder_that_is_not_there_holds_none(tmp_path):
    assert list(load_counterexamples(tmp_path / "none")) == []


@pytest.mark.parametrize(
    "members",
    [
        L2(0.5, names=("a", "b")),
        Interval((-0.1, 0.0), (0.2, 0.3)),
        Ellipsoid([[2.0, 0.5], [0.5, 1.0]], 0.3),
        Finite([[0.0, 1.0], [2.0, 3.0]]),
        Switch(0.25),
        joint(per_episode(L1(2.0), horizon=25)),
        Product({"position": Linf(0.1), 1: Product({"x": L2(1e-300)})}),
        {"a_0": Linf(1.0), "a_1": L1(2.0)},
    ],
    ids=repr,
)
def test_all_sets_can_be_kept(members, tmp_path):
    found = replace(FOUND, channels={"action": members})
    assert load_counterexample(save_counterexample(found, tmp_path)).channels == found.channels


def test_perturbed_pictures_lie_in_an_npz_beside_it(tmp_path):
    rng = np.random.default_rng(0)
    steps = tuple(
        PerturbedStep(t, agent, "observation", tuple(rng.integers(-256, 257, 1000).tolist()))
        for t in range(4)
        for agent in "ab"
    )
    found = replace(FOUND, agents=("a", "b"), steps=steps)
    path = save_counterexample(found, tmp_path)
    assert len(path.read_text()) < 1700
    assert load_counterexample(path) == found
    beside = path.with_suffix(".npz")
    beside.write_bytes(beside.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="npz is not the file that was saved with it"):
        load_counterexample(path)
    beside.unlink()
    with pytest.raises(ValueError, match="npz must lie beside it"):
        load_counterexample(path)


def changed(**values):
    return lambda content: content.update(values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(format="robust-envs trace"), "format must be 'robust-envs counterexample', got 'robust-envs trace'"),
        (changed(version=2), "version of robust-envs counterexample must be 1 to 1, got version=2"),
        (changed(seed=1.5), "seed must be an integer >= 0, got seed=1.5"),
        (changed(seed=True), "seed must be an integer >= 0, got seed=True"),
        (changed(q=0), "q must be an integer >= 1"),
        (changed(channels={}), "channels must be an object that names a channel"),
        (changed(channels={"weather": "Linf(1.0)"}), "channels must be among reward, observation, action"),
        (changed(channels={"reward": "__import__('os').system('true')"}), "a set holds names of sets|a set must be"),
        (changed(channels={"reward": "Linf(-1)"}), "radius must be finite and >= 0"),
        (changed(channels={"reward": 3}), "a set must be a text, got 3"),
        (changed(agents="agent_0"), "agents must be a list of texts"),
        (changed(steps=[[0, "agent_0", "observation", [0.5]]]), "integers must be an integer, got integers=0.5"),
        (changed(steps=[[0, "agent_0", "observation"]]), "a step must be"),
        (changed(steps=[[-1, "agent_0", "observation", [1]]]), "time must be an integer >= 0"),
        (changed(steps=[[0, "agent_0", "weather", [1]]]), "channels must be among"),
        (changed(steps="none"), "steps must be a list"),
        (changed(steps={"npz": "../x.npz", "sha256": "", "places": []}), "npz must be a file beside it"),
        (changed(expect={"total": 1.0}), "expect must hold total, length, terminated, sha256"),
        (changed(env=[]), "env must be an object"),
        (changed(rule=3), "rule must be an object or null"),
        (lambda content: content.pop("horizon"), "horizon is missing"),
    ],
)
def test_what_is_no_counterexample_is_refused_with_the_reason(change, said, tmp_path):
    path = save_counterexample(FOUND, tmp_path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"{path.name} is no counterexample: .*({said})"):
        load_counterexample(path)
    with pytest.raises(ValueError, match="is no counterexample"):
        list(load_counterexamples(tmp_path))


@given(data=st.data())
def test_a_damaged_file_is_refused_or_says_something_else_but_never_crashes(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    text = bytearray(save_counterexample(FOUND, folder).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "damaged.json"
    path.write_bytes(bytes(text[: data.draw(st.integers(0, len(text)))]))
    said = "damaged.json is no counterexample"
    try:
        load_counterexample(path)
    except ValueError as error:
        said = str(error)
    assert said.startswith("damaged.json is no counterexample")


def test_a_file_that_is_not_there_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_counterexample(tmp_path / "none.json")


def test_what_is_no_json_cannot_be_saved(tmp_path):
    with pytest.raises(ValueError, match="must be made of JSON"):
        save_counterexample(replace(FOUND, env={"id": object()}), tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- words ---


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("linf:0.1", Linf(0.1)),
        (" L2:5e-1 ", L2(0.5)),
        ("interval:-0.1,0.2", Interval(-0.1, 0.2)),
        ("finite:0,2", Finite([0, 2])),
        ("switch:0.1", Switch(0.1)),
        ("Linf(0.1, unit=(1, 2))", Linf(0.1, unit=(1, 2))),
        ("per_episode(L1(2.0), horizon=25)", per_episode(L1(2.0), horizon=25)),
        ("Product({'a': linf(1)})", None),
    ],
)
def test_sets_are_read(text, members):
    if members is None:
        with pytest.raises(ValueError, match="got 'linf'; did you mean 'Linf'"):
            read_set(text)
    else:
        assert read_set(text) == members


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("linf:", "linf must be written linf:NUMBER"),
        ("linf:1,2", "linf:1,2 is no set"),
        ("linf:-1", "radius must be finite and >= 0, got radius=-1.0"),
        ("0.1", "a set must be written like linf:0.1"),
        ("Linf(0.1", "a set must be written like linf:0.1"),
        ("Linf(**{'radius': 1})", "a set holds names of sets"),
        ("Linf(open('x'))", "a set must be one of"),
        ("Linf(1).radius", "a set holds names of sets"),
        ("(" * 300, "a set must be written like"),
        ("Linf(0.1, colour=3)", "is no set"),
    ],
)
def test_what_is_no_set_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        read_set(text)


def test_sets_are_written_as_they_are_read():
    assert write_set(Linf(0.1, unit=(1, 2))) == "Linf(0.1, unit=(1.0, 2.0))"


class Tale:
    """An episode of which only the sums are known."""

    def __init__(self, **returns):
        self.returns, self.total, self.agents = returns, sum(returns.values()), tuple(returns)

    def states(self, agent):
        return np.array([[0.0, 0.1, 0.3], [0.0, 0.1, -0.1]])


@pytest.mark.parametrize(
    ("text", "margin"),
    [
        ("return>=-60", 63.0),
        ("return >= 2.5e0", 0.5),
        ("return>=80%", -1.0),
        ("return loses at most 20% of nominal", -1.0),
        ("return[a]>=1", 0.0),
        ("return of b >= 1", 1.0),
        ("worst_agent>=2", -1.0),
        ("return of every agent >= 0.5", 0.5),
        ("obs[2]<=0.5", 0.2),
        ("observation[2]>=0", -0.1),
        ("-0.5<=obs[2]<=0.5", 0.4),
        ("return>=2 and worst_agent>=2", -1.0),
        ("return>=2 or worst_agent>=2", 1.0),
        ("return>=9 and return>=9 or return>=1", 2.0),
        ("return>=9 and (return>=9 or return>=1)", -6.0),
    ],
)
def test_properties_are_read(text, margin):
    nominal = Tale(a=4.0, b=1.0)
    found = read_property(text)
    assert found.margin(Tale(a=1.0, b=2.0), nominal) == pytest.approx(margin)
    if "obs" not in text:
        assert read_property(str(found)).margin(Tale(a=1.0, b=2.0), nominal) == pytest.approx(margin)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("return => 3", "a property must be written like return>=-60, .* got 'return => 3'"),
        ("", "a property must be written like"),
        ("(return>=1", "must close its parentheses"),
        ("return>=1)", r"got '\)' left over"),
        ("return>=1 and", "must be written like"),
        ("return>=150%", "nominal_fraction must be in"),
        ("0.5<=obs[1]<=0.1", "low must lie below high"),
        ("print('x')", "must be written like"),
    ],
)
def test_what_is_no_property_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        read_property(text)
