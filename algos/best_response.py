"""Train the adversary of a frozen policy, and get it back as a nature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv

from robust_envs import AsAgents, Policy, robust

__all__ = ["BestResponse"]


class BestResponse:
    r"""Look for the worst nature against a policy that no longer learns, by reinforcement learning.

    The policy plays inside (``AsAgents(team=policy)``), nature is all that is left to act, and its reward is minus that
    of the agents it opposes: training it approximates \(\min_\nu J(\pi, \nu)\). The return under what comes out is
    an upper bound on the true worst case; more steps can only find worse.

    One nature in a Gymnasium environment is a Gymnasium environment, on which Stable-Baselines3's PPO is trained. With
    several natures, or in a ParallelEnv, one of our own trainers is: MADDPG by default.

    Args:
        policy: The frozen team: anything with ``predict``, a callable, or a dict by agent.
        env_fn: Builds the environment without ``robust()``: a Gymnasium Env or a ParallelEnv.
        wrap: Puts nature in its place (``AsAgents`` around by default), e.g. ``lambda agents: Mixture(0.1, agents)`` to
            train what acts in one move out of ten.
        seed: The one source of randomness, >= 0.
        trainer: Makes the learner: called with (game, seed), returns something with ``learn`` and ``predict``.
        channels: Uncertainty sets by channel, as in `robust`.

    Attributes:
        game: The environment in which nature acts.
        model: The learner.

    Raises:
        TypeError: If `env_fn` builds another kind of environment, or nothing can be built.
        ValueError: If the sets do not fit the environment.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf
        >>> lean = lambda observation: int(observation[2] + observation[3] > 0)
        >>> search = BestResponse(lean, lambda: gymnasium.make("CartPole-v1"), observation=Linf(0.1))
        >>> search.game.action_space  # 0: do nothing; the others: a coordinate, up or down
        Discrete(9)

    References:
        Huan Zhang, Hongge Chen, Duane Boning, Cho-Jui Hsieh (2021), Robust Reinforcement Learning on State Observations
        with Learned Optimal Adversary.
        Lerrel Pinto, James Davidson, Rahul Sukthankar, Abhinav Gupta (2017), Robust Adversarial Reinforcement Learning.
    """

    def __init__(
        self,
        policy: Any,
        env_fn: Callable[[], Any],
        *,
        wrap: Callable[[Any], Any] | None = None,
        seed: int = 0,
        trainer: Callable[[Any, int], Any] | None = None,
        **channels: Any,
    ) -> None:
        if not callable(env_fn):
            raise TypeError(f"env_fn must be callable and build an environment, got {type(env_fn).__name__}")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(f"seed must be an integer >= 0, got seed={seed!r}")
        agents = AsAgents(team=policy)
        self.game = robust(env_fn(), **channels, nature=agents if wrap is None else wrap(agents))
        self._wrap, self.seed = wrap, seed
        self.model = (_default_trainer if trainer is None else trainer)(self.game, seed)

    def learn(self, total_timesteps: int, **options: Any) -> Any:
        """Train, on from where training stands, and return what has been found.

        Args:
            total_timesteps: Steps of the environment, >= 1.
            options: Passed on to the learner's ``learn``.

        Returns:
            A nature for ``robust(env, <the same channels>, nature=...)``; it acts without exploring.
        """
        self.model.learn(total_timesteps, **options)
        return self.nature

    @property
    def nature(self) -> Any:
        """The nature as it is now."""
        found = Policy(self.model)
        return found if self._wrap is None else self._wrap(found)


def _default_trainer(game: Any, seed: int) -> Any:
    if isinstance(game, gymnasium.Env):
        from stable_baselines3 import PPO

        return PPO("MlpPolicy", game, seed=seed, device="cpu", **_settings(game.action_space))
    if isinstance(game, ParallelEnv):
        from algos.deep import MADDPG

        return MADDPG(game, seed=seed)
    raise TypeError(f"env_fn must build a gymnasium Env or a pettingzoo ParallelEnv, got {type(game).__name__}")


def _settings(action_space: Any) -> dict[str, Any]:
    """Rollouts shorter than PPO's own: adversaries of a frozen policy are found in few steps."""
    assert isinstance(action_space, Box | Discrete)  # what natures act in
    return {"n_steps": 512, "batch_size": 128, "gamma": 0.99, "verbose": 0}
