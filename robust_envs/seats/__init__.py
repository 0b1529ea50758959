"""Seats: one nature at one place (channel, agent), each with its set, its random stream and its own clock."""

from __future__ import annotations

from typing import Any

import numpy as np

from robust_envs.channels import BoxPort, DiscretePort, ScalarPort
from robust_envs.natures.move import is_drawn
from robust_envs.seats.choice import ChoiceSeat
from robust_envs.seats.fast import BoxSeat, RewardSeat
from robust_envs.seats.scaled import ScaledSeat
from robust_envs.seats.seat import OutsideSetError, Seat
from robust_envs.sets import PerEpisode, PerState, Switch

__all__ = ["ChoiceSeat", "OutsideSetError", "ScaledSeat", "Seat", "make_seat"]


def make_seat(**parts: Any) -> Seat:
    """Choose the kind of seat: all give the same numbers, some are faster."""
    port, members, nature = parts["port"], parts["members"], parts["nature"]
    floats = isinstance(port, BoxPort) and np.dtype(port.space.dtype).kind == "f"
    blocks = is_drawn(nature) and members.monotone and not isinstance(members, PerEpisode | Switch)
    if isinstance(port, DiscretePort):
        return ChoiceSeat(**parts)
    if isinstance(members, PerState):
        return ScaledSeat(**parts)
    if blocks and isinstance(port, ScalarPort):
        return RewardSeat(**parts)
    if blocks and floats:
        return BoxSeat(**parts)
    return Seat(**parts)
