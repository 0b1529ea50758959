"""Play any PettingZoo ParallelEnv in BenchMARL, robust or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gymnasium import spaces
from pettingzoo import ParallelEnv

from robust_envs.adapters.missing import require

try:
    from benchmarl.environments.pettingzoo.common import PettingZooClass
    from torchrl.envs import PettingZooWrapper
except ImportError:  # said by `GameTask` when it is made
    PettingZooClass = object

__all__ = ["GameTask"]


class GameTask(PettingZooClass):  # type: ignore[misc]  # BenchMARL may be missing
    """A BenchMARL task made of any PettingZoo ParallelEnv.

    Agents are grouped by the front of their names, as TorchRL groups them: ``agent_0, agent_1`` are group ``agent`` and
    natures are group ``nature``, with policies of its own. The critics of a group see ``state()`` where the environment
    has it.

    Args:
        env_fn: Builds the environment; must pickle, for BenchMARL keeps the task with its checkpoints.
        max_steps: Steps of the longest episode, >= 1: how far evaluations play.
        name: What results call it.
        transforms: Each makes a transform to append, e.g. `RobustTransform`; called for each copy, so that none is
            shared.

    Raises:
        ImportError: If BenchMARL is missing.
        TypeError: If `env_fn` builds no ParallelEnv.
        ValueError: If BenchMARL cannot hold the agents, with what to do instead.

    Example:
        Use it where BenchMARL takes a task::

            task = GameTask(partial(make, AsAgents()), max_steps=25, name="spread")
            Experiment(task=task, algorithm_config=IppoConfig.get_from_yaml(), ...).run()
    """

    def __init__(
        self,
        env_fn: Callable[[], Any],
        *,
        max_steps: int,
        name: str = "game",
        transforms: Sequence[Callable[[], Any]] = (),
    ) -> None:
        require("benchmarl", "benchmarl")
        if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
            raise ValueError(f"max_steps must be an integer >= 1, got max_steps={max_steps!r}")
        env = env_fn()
        _check(env)
        super().__init__(name, {"max_cycles": max_steps})
        self._env_fn, self._transforms = env_fn, tuple(transforms)
        self._continuous = isinstance(env.action_space(env.possible_agents[0]), spaces.Box)
        self._has_state = getattr(env, "state_space", None) is not None
        self._renders = getattr(env, "render_mode", None) == "rgb_array"
        env.close()

    def get_env_fun(self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any) -> Callable[[], Any]:
        return partial(self._make, seed, device)

    def _make(self, seed: int | None, device: Any) -> Any:
        return PettingZooWrapper(
            self._env_fn(), return_state=self._has_state, categorical_actions=True, seed=seed, device=device
        )

    def get_env_transforms(self, env: Any) -> list[Any]:
        return [make() for make in self._transforms]

    def supports_continuous_actions(self) -> bool:
        return self._continuous

    def supports_discrete_actions(self) -> bool:
        return not self._continuous

    def has_state(self) -> bool:
        return self._has_state

    def has_render(self, env: Any) -> bool:
        return self._renders

    @staticmethod
    def env_name() -> str:
        return "robust_envs"


def _check(env: Any) -> None:
    """Raise unless BenchMARL can hold the agents of a game."""
    if not isinstance(env, ParallelEnv):
        raise TypeError(f"env_fn must build a pettingzoo ParallelEnv, got {type(env).__name__}")
    kinds = {type(env.action_space(agent)).__name__ for agent in env.possible_agents}
    if len(kinds) > 1:
        raise ValueError(
            "BenchMARL trains agents that all act in a Box or all in a Discrete space: give nature the team's kind of "
            f"actions, or train in turns through AsAgents(team=...) and Policy(...), got {sorted(kinds)}"
        )
    groups: dict[str, list[str]] = {}
    for agent in env.possible_agents:
        groups.setdefault(agent.rpartition("_")[0] or agent, []).append(agent)
    for group, agents in groups.items():
        for what in ("observation_space", "action_space"):
            different = {str(getattr(env, what)(agent)) for agent in agents}
            if len(different) > 1:
                raise ValueError(
                    f"BenchMARL stacks a group, whose agents must have one {what}: seat all natures in one robust "
                    f"layer, or use AsAgents(uniform_spaces=True), got {sorted(different)} in group {group!r}"
                )
