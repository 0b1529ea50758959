"""Natures that answer for discrete actions of thousands of games."""

from __future__ import annotations

from typing import Any

import pytest

from robust_envs import Finite, OutsideSetError, Policy, Switch, robust

torch = pytest.importorskip("torch")
vmas = pytest.importorskip("vmas")
pytestmark = pytest.mark.filterwarnings("ignore")  # of gym, which VMAS imports

GAMES = 64


class Heard:
    """What the simulator is told, kept."""

    def __init__(self) -> None:
        self.env = vmas.make_env("simple_spread", num_envs=GAMES, device="cpu", continuous_actions=False, seed=0)
        self.actions: list[Any] = []
        step = self.env.step

        def listen(actions: Any) -> Any:
            self.actions.append([action.clone().reshape(-1) for action in actions])
            return step(actions)

        self.env.step = listen

    def after(self, members: Any, nature: Any) -> list[Any]:
        """Return the actions of one step in which every agent chose 1."""
        env = robust(self.env, action=members, nature=nature)
        env.reset(seed=3)
        env.step([torch.ones(GAMES, 1, dtype=torch.long) for _ in env.agents])
        return self.actions[-1]


def test_a_function_of_the_move_replaces_choices_by_members() -> None:
    played = Heard().after(Finite([2, 4]), lambda move: torch.full_like(move.nominal, 4))
    assert all(bool((action == 4).all()) for action in played)


def test_a_switch_lets_it_through_as_often_as_it_says() -> None:
    played = torch.cat(Heard().after(Switch(0.5), lambda move: torch.full_like(move.nominal, 3)))
    assert set(played.tolist()) == {1, 3}
    assert 0.3 < float((played == 3).float().mean()) < 0.7


def test_leaving_a_choice_is_always_allowed() -> None:
    played = Heard().after(Finite([2, 4]), lambda move: move.nominal)
    assert all(bool((action == 1).all()) for action in played)


def test_a_policy_names_the_slot_and_0_leaves_the_choice() -> None:
    second = Heard().after(Finite([2, 4]), Policy(lambda seen: torch.full((len(seen),), 2)))
    assert all(bool((action == 4).all()) for action in second)
    left = Heard().after(Finite([2, 4]), Policy(lambda seen: torch.zeros(len(seen))))
    assert all(bool((action == 1).all()) for action in left)


@pytest.mark.parametrize(
    ("nature", "reason"),
    [
        (lambda move: torch.full_like(move.nominal, 3), r"must answer choices among \[2, 4\] or leave them"),
        (lambda move: 4, "must answer a tensor of choices"),
    ],
)
def test_other_answers_are_refused(nature: Any, reason: str) -> None:
    with pytest.raises(OutsideSetError, match=reason):
        Heard().after(Finite([2, 4]), nature)
