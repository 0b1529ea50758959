"""Seats: one nature at one place (channel, agent), each with its set, its random stream and its own clock."""

from __future__ import annotations

from typing import Any

import numpy as np

from robust_envs.channels import BoxPort, DiscretePort, ScalarPort
from robust_envs.natures.move import is_drawn
from robust_envs.parts import CoordinatesPort, DigitPort, MenuPort
from robust_envs.seats.chain import Chain
from robust_envs.seats.choice import ChoiceSeat
from robust_envs.seats.fast import BoxSeat, PartSeat, RewardSeat
from robust_envs.seats.kernel import KernelSeat
from robust_envs.seats.menu import DelaySeat, DigitSeat, DropoutSeat, MenuSeat, PartnerSeat, WordSeat
from robust_envs.seats.scaled import ScaledSeat
from robust_envs.seats.seat import OutsideSetError, Seat
from robust_envs.sets import ChoiceSet, Delay, Dropout, PerEpisode, PerState

__all__ = [
    "Chain",
    "ChoiceSeat",
    "KernelSeat",
    "MenuSeat",
    "OutsideSetError",
    "PartnerSeat",
    "ScaledSeat",
    "Seat",
    "make_seat",
]


def make_seat(*, space: Any = None, **parts: Any) -> Seat:
    """Choose the kind of seat: all give the same numbers, some are faster."""
    port, members, nature = parts["port"], parts["members"], parts["nature"]
    floats = isinstance(port, BoxPort) and np.dtype(port.space.dtype).kind == "f"
    blocks = is_drawn(nature) and members.monotone and not isinstance(members, PerEpisode | ChoiceSet)
    if isinstance(port, MenuPort):
        return _menu_seat(space, parts)
    if isinstance(port, DiscretePort):
        return (DigitSeat if isinstance(port, DigitPort) else ChoiceSeat)(**parts)
    if isinstance(members, PerState):
        return ScaledSeat(**parts)
    if blocks and isinstance(port, ScalarPort):
        return RewardSeat(**parts)
    if blocks and floats:
        return BoxSeat(**parts)
    if blocks and isinstance(port, CoordinatesPort) and port.plain:
        return PartSeat(**parts)
    return Seat(**parts)


def _menu_seat(space: Any, parts: dict[str, Any]) -> Seat:
    members = parts["members"]
    if space is not None:
        return PartnerSeat(space=space, **parts)
    kinds = ((Delay, DelaySeat), (Dropout, DropoutSeat))
    return next((seat for kind, seat in kinds if isinstance(members, kind)), WordSeat)(**parts)
