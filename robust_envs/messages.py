"""Which numbers of actions and observations are messages, in environments we know."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["TABLES", "Message", "message_of"]


class Message(NamedTuple):
    """Where the messages of one agent are.

    Attributes:
        said: Coordinates of what it says in its action; ``None`` if it says nothing.
        base: Where actions are Discrete, the message is ``action // base``.
        heard: Coordinates of what it hears in its observation; ``None`` if it hears nothing.
    """

    said: slice | None = None
    base: int | None = None
    heard: slice | None = None


# By the environment's name, then by the beginning of an agent's id.
TABLES: dict[str, dict[str, Message]] = {
    "simple_reference_v3": {"agent": Message(slice(5, None), 5, slice(-10, None))},
    "simple_speaker_listener_v4": {
        "speaker": Message(slice(0, None), 1),
        "listener": Message(heard=slice(-3, None)),
    },
    "simple_crypto_v3": {  # what eve and bob say is their guess, which nobody hears
        "eve": Message(heard=slice(0, 4)),
        "bob": Message(heard=slice(-4, None)),
        "alice": Message(slice(0, None), 1),
    },
    "simple_world_comm_v3": {
        "leadadversary": Message(slice(5, None), 5, slice(-4, None)),
        "adversary": Message(heard=slice(-4, None)),
    },
}


def message_of(name: str | None, agent: str) -> Message | None:
    """Return where the messages of an agent are.

    Args:
        name: The environment's ``metadata["name"]``.
        agent: Agent id.

    Returns:
        ``None`` if the environment is not in the table.

    Example:
        >>> message_of("simple_speaker_listener_v4", "listener_0").heard
        slice(-3, None, None)
        >>> message_of("simple_world_comm_v3", "agent_0")
        Message(said=None, base=None, heard=None)
    """
    table = TABLES.get(name or "")
    return None if table is None else table.get(str(agent).split("_")[0], Message())
