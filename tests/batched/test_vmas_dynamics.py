"""Parameters of a VMAS simulator, moved for all games at once."""

from __future__ import annotations

from typing import Any

import pytest

from robust_envs import Delay, Linf, Noise, Nominal, Policy, Relative, Uniform, per_step, robust

torch = pytest.importorskip("torch")
vmas = pytest.importorskip("vmas")
pytestmark = pytest.mark.filterwarnings("ignore")  # of gym, which VMAS imports

GAMES = 3


def make() -> Any:
    return vmas.make_env("simple_spread", num_envs=GAMES, device="cpu", continuous_actions=True, seed=0)


def played(env: Any, steps: int = 6, seed: int = 5) -> list[Any]:
    """Return all observations under fixed actions."""
    push = [torch.full((GAMES, env.get_agent_action_size(agent)), 0.7) for agent in env.agents]
    found = list(env.reset(seed=seed))
    for _ in range(steps):
        found += env.step(push)[0]
    return found


def same(a: list[Any], b: list[Any]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize("often", [lambda members: members, per_step])
def test_the_simulation_changes_with_its_parameters_and_obeys_the_seed(often: Any) -> None:
    env = robust(make(), dynamics={"drag": often(Relative(0.5))}, nature=Uniform())
    moved = played(env)
    assert same(moved[:3], played(make())[:3]), "an episode begins as it does without nature"
    assert not same(moved, played(make()))
    assert same(moved, played(robust(make(), dynamics={"drag": often(Relative(0.5))}, nature=Uniform())))
    assert not same(moved, played(env, seed=6)[: len(moved)])


def test_the_parameter_is_what_the_move_says_and_the_environments_own_afterwards() -> None:
    env = make()
    own = env.world._drag
    wrapped = robust(env, dynamics={"drag": Linf(0.1)}, nature=Uniform())
    seen = set()
    for _ in range(4):
        wrapped.reset()
        ((key, move),) = wrapped.last_move.items()
        assert key[0] == "dynamics"
        assert env.world._drag == pytest.approx(own + float(move.executed[0]))
        assert float(move.nominal[0]) == own
        seen.add(env.world._drag)
    assert len(seen) == 4
    wrapped._perturber.restore()
    assert env.world._drag == own


@pytest.mark.parametrize("nature", [Nominal(), Uniform()])
def test_radius_0_is_the_environment_itself(nature: Any) -> None:
    assert same(played(robust(make(), dynamics={"drag": Linf(0.0)}, nature=nature)), played(make()))


def test_dynamics_leave_the_noise_on_other_channels_where_it_is() -> None:
    alone = robust(make(), observation=Linf(0.1), nature=Noise())
    both = robust(make(), observation=Linf(0.1), dynamics={"drag": Linf(0.0)}, nature=Noise())
    assert same(played(alone), played(both))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"delay": Delay(2)}, "delay is not for batched games, which take reward, observation, action, dynamics"),
        ({"start": Linf(0.1)}, "start is not for batched games"),
        ({"dynamics": {"drag": Linf(0.1)}, "nature": Policy(lambda seen: 0)}, "must be one that looks at none of them"),
        ({"dynamics": {"drga": Linf(0.1)}}, "drag"),
    ],
)
def test_what_thousands_of_games_cannot_do_is_refused_with_the_reason(arguments: Any, reason: str) -> None:
    with pytest.raises((ValueError, TypeError), match=reason):
        robust(make(), **{"nature": Uniform(), **arguments})
