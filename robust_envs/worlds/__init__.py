"""What is uncertain about the environment itself: its parameters, its first state, its next state."""

from robust_envs.worlds.kernel import Kernel
from robust_envs.worlds.lever import Lever
from robust_envs.worlds.option import Option, OptionsLever, asks_options
from robust_envs.worlds.parameter import Parameter
from robust_envs.worlds.world import World

__all__ = ["Kernel", "Lever", "Option", "OptionsLever", "Parameter", "World", "asks_options"]
