"""What deep Q-learning is made of, as pure functions. N learners, B transitions, A actions; tm1 before, t after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from algos.deep.losses import check_rank, mean_over

if TYPE_CHECKING:
    from torch import Tensor

_IMPOSSIBLE = -1e9  # finite, so that an agent left without an action has a maximum


def taken(q_tm1: Tensor, action_tm1: Tensor) -> Tensor:
    """Return the value of the action that was taken, `Q_i(o_i, a_i)`; 0 where none was.

    Args:
        q_tm1: values of all actions, (N, B, A).
        action_tm1: one-hot, all zero where the agent was absent, (N, B, A).

    Returns:
        (N, B).

    Example:
        >>> import torch
        >>> taken(torch.tensor([[[1.0, 5.0]]]), torch.tensor([[[0.0, 1.0]]]))
        tensor([[5.]])
    """
    check_rank(3, q_tm1=q_tm1, action_tm1=action_tm1)
    return (q_tm1 * action_tm1).sum(-1)


def greedy_value(q_t: Tensor, chooser_t: Tensor, legal_t: Tensor) -> Tensor:
    """Return the value of the best legal action, `Q_i'(o', argmax over legal a of C_i(o', a))`.

    With the target network as chooser it is the maximum; with the learned one it is double Q-learning, which does not
    overestimate.

    Args:
        q_t: values that count, of the target network, (N, B, A).
        chooser_t: values that choose, (N, B, A).
        legal_t: which actions are legal, broadcast to (N, B, A).

    Returns:
        (N, B).

    Example:
        >>> import torch
        >>> q, chooser = torch.tensor([[[1.0, 5.0, 9.0]]]), torch.tensor([[[3.0, 2.0, 7.0]]])
        >>> greedy_value(q, chooser, torch.tensor([[[True, True, False]]]))
        tensor([[1.]])

    References:
        van Hasselt, Guez, Silver (2016), Deep Reinforcement Learning with Double Q-learning.
    """
    check_rank(3, q_t=q_t, chooser_t=chooser_t)
    best = torch.where(legal_t, chooser_t, _IMPOSSIBLE).argmax(-1, keepdim=True)
    return q_t.gather(-1, best)[..., 0]


def tail_value(v_t: Tensor, eta_tm1: Tensor, level: float) -> Tensor:
    """Return one sample of the mean over the worst `level` of outcomes, `eta - max(eta - V(s'), 0) / level`.

    In expectation over s' it is at most CVaR_level(V), and equal where eta is the quantile of V(s') at `level`: the
    dual form of the CVaR. It is linear in the distribution of s', so one sample is unbiased.

    Args:
        v_t: values of the next states, (N, B).
        eta_tm1: the dual variable at the state and action before, (N, B).
        level: in (0, 1].

    Returns:
        (N, B).

    Example:
        >>> import torch
        >>> tail_value(torch.tensor([[0.0, 4.0]]), torch.tensor([[1.0, 1.0]]), 0.5)
        tensor([[-1.,  1.]])

    References:
        Rockafellar, Uryasev (2000), Optimization of conditional value-at-risk, theorem 1.
    """
    check_rank(2, v_t=v_t, eta_tm1=eta_tm1)
    return eta_tm1 - (eta_tm1 - v_t).clamp(min=0.0) / level


def tail_loss(v_t: Tensor, eta_tm1: Tensor, present_tm1: Tensor, level: float) -> Tensor:
    """Return each dual variable's loss, `E[max(eta - V(s'), 0) / level - eta]`: at its minimum eta is the quantile.

    Args:
        v_t: values of the next states, (N, B).
        eta_tm1: dual variables at the states and actions before, (N, B).
        present_tm1: 1 where the transition counts, (N, B).
        level: in (0, 1].

    Returns:
        One loss per learner, (N,).

    Example:
        >>> import torch
        >>> tail_loss(torch.tensor([[0.0, 4.0]]), torch.tensor([[1.0, 1.0]]), torch.ones(1, 2), 0.5)
        tensor([0.])

    References:
        Panaganti, Xu, Kalathil, Ghavamzadeh (2022), Robust Reinforcement Learning using Offline Data, equation 8.
    """
    check_rank(2, present_tm1=present_tm1)
    return mean_over(-tail_value(v_t, eta_tm1, level), present_tm1)


def with_floor(v_t: Tensor, floor: Tensor, share: float) -> Tensor:
    """Return the value ahead when nature moves a share of the mass to the worst state, `(1 - R) V(s') + R min V`.

    Args:
        v_t: values of the next states, (N, B).
        floor: least value of any state, (N, 1).
        share: R, in [0, 1].

    Returns:
        (N, B).

    Example:
        >>> import torch
        >>> with_floor(torch.tensor([[4.0]]), torch.tensor([[-6.0]]), 0.1)
        tensor([[3.]])

    References:
        Wang, Zou (2021), Online Robust Reinforcement Learning with Model Uncertainty, equation 8.
    """
    check_rank(2, v_t=v_t, floor=floor)
    return (1.0 - share) * v_t + share * floor


def least(v: Tensor, counts: Tensor) -> Tensor:
    """Return each learner's least value among those that count, (N, 1); 0 for a learner with none.

    Args:
        v: values, (N, B).
        counts: 1 where the value counts, (N, B).

    Example:
        >>> import torch
        >>> least(torch.tensor([[3.0, -9.0]]), torch.tensor([[1.0, 0.0]]))
        tensor([[3.]])
    """
    check_rank(2, v=v, counts=counts)
    lowest = torch.where(counts > 0, v, torch.inf).amin(1, keepdim=True)
    return torch.where(lowest.isinf(), 0.0, lowest)


def mix(q: Tensor, weights: Tensor, size: int) -> Tensor:
    """Return the team's value, a monotone function of the agents' values that the state decides.

        Q_tot = |w2| . elu(q |W1| + b1) + v,   W1, b1, w2, v from the state

    Weights count by their absolute value, so Q_tot never falls where one Q_i rises.

    Args:
        q: the agents' values, (R, B, N).
        weights: W1 (N, size), b1 (size), w2 (size), v (1) side by side, (R, B, N * size + 2 * size + 1).
        size: hidden units of the mixer.

    Returns:
        (R, B).

    Example:
        >>> import torch
        >>> mix(torch.tensor([[[2.0, 3.0]]]), torch.tensor([[[1.0, -1.0, 0.0, 2.0, 10.0]]]), 1)
        tensor([[20.]])

    References:
        Rashid, Samvelyan, Schroeder de Witt, Farquhar, Foerster, Whiteson (2018), QMIX: Monotonic Value Function
        Factorisation for Deep Multi-Agent Reinforcement Learning, section 4.
    """
    check_rank(3, q=q, weights=weights)
    agents = q.shape[-1]
    first, bias, second, value = weights.split([agents * size, size, size, 1], dim=-1)
    hidden = torch.nn.functional.elu((q.unsqueeze(-1) * first.abs().unflatten(-1, (agents, size))).sum(-2) + bias)
    total: Tensor = (hidden * second.abs()).sum(-1) + value[..., 0]
    return total
