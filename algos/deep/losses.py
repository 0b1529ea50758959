"""Losses as pure functions. N agents, B transitions; subscript tm1 is the step before, t the step after."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def bootstrapped_target(r_t: Tensor, discount_t: Tensor, q_t: Tensor) -> Tensor:
    """Return the one-step target of a critic, `y_i = r_i + discount_i Q_i(o', a')`.

    `discount_t` is gamma where the agent lives on and 0 where it terminated. A time limit is a truncation: there the
    agent lives on, and the target bootstraps.

    Args:
        r_t: rewards, (N, B).
        discount_t: discounts in [0, 1], (N, B).
        q_t: target critics at the next observations and the target actors' actions, (N, B).

    Returns:
        Targets, (N, B), through which no gradient flows.

    Example:
        >>> import torch
        >>> bootstrapped_target(torch.tensor([[1.0, 1.0]]), torch.tensor([[0.5, 0.0]]), torch.tensor([[4.0, 4.0]]))
        tensor([[3., 1.]])

    References:
        Lowe, Wu, Tamar, Harb, Abbeel, Mordatch (2017), Multi-Agent Actor-Critic for Mixed Cooperative-Competitive
        Environments, equation 6. Pardo, Tavakoli, Levdik, Kormushev (2018), Time Limits in Reinforcement Learning.
    """
    check_rank(2, r_t=r_t, discount_t=discount_t, q_t=q_t)
    return (r_t + discount_t * q_t).detach()


def critic_loss(q_tm1: Tensor, target_tm1: Tensor, present_tm1: Tensor) -> Tensor:
    """Return each critic's mean squared error to its target, `E[(Q_i(o, a) - y_i)^2]`.

    Args:
        q_tm1: critics at the stored observations and actions, (N, B).
        target_tm1: their targets, (N, B).
        present_tm1: 1 where the agent was alive, 0 where it was not and the transition does not count, (N, B).

    Returns:
        One loss per agent, (N,).

    Example:
        >>> import torch
        >>> critic_loss(torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
        tensor([4.])

    References:
        Lowe et al. (2017), equation 6.
    """
    check_rank(2, q_tm1=q_tm1, target_tm1=target_tm1, present_tm1=present_tm1)
    return mean_over((q_tm1 - target_tm1).square(), present_tm1)


def actor_loss(q_tm1: Tensor, outputs_tm1: Tensor, real: Tensor, present_tm1: Tensor, penalty: float) -> Tensor:
    """Return each actor's loss, `-E[Q_i(o, a_1.., mu_i(o_i), ..a_N)] + penalty E[mean(outputs_i^2)]`.

    The penalty on the actors' outputs before softmax or tanh keeps them where the gradient is not yet flat.

    Args:
        q_tm1: critics with the agent's own action from its actor and the others' from the buffer, (N, B).
        outputs_tm1: the actors' outputs before softmax or tanh, (N, B, A).
        real: 1 where an output coordinate is real, 0 where it is padding, (N, A).
        present_tm1: 1 where the agent was alive, (N, B).
        penalty: weight of the penalty, >= 0.

    Returns:
        One loss per agent, (N,).

    Example:
        >>> import torch
        >>> outputs = torch.tensor([[[2.0, 9.0]]])
        >>> actor_loss(torch.tensor([[3.0]]), outputs, torch.tensor([[1.0, 0.0]]), torch.ones(1, 1), 0.5)
        tensor([-1.])

    References:
        Lowe et al. (2017), equation 5; the penalty is in the code released with it.
    """
    check_rank(2, q_tm1=q_tm1, real=real, present_tm1=present_tm1)
    check_rank(3, outputs_tm1=outputs_tm1)
    squares = (outputs_tm1.square() * real[:, None]).sum(-1) / real.sum(-1, keepdim=True)
    return mean_over(penalty * squares - q_tm1, present_tm1)


def nature_regression_loss(n_tm1: Tensor, r_t: Tensor, present_tm1: Tensor) -> Tensor:
    """Return each nature's squared error to the observed reward, `E[(n_i(o, a) - r_i)^2]`.

    Its minimiser is `n_i = E[r_i | o, a]`, the reward without its noise: what is left of the published nature when
    its weight goes to infinity.

    Args:
        n_tm1: natures at the stored observations and actions, (N, B).
        r_t: observed rewards, (N, B).
        present_tm1: 1 where the agent was alive, (N, B).

    Returns:
        One loss per agent, (N,).

    Example:
        >>> import torch
        >>> nature_regression_loss(torch.tensor([[1.0]]), torch.tensor([[3.0]]), torch.ones(1, 1))
        tensor([4.])
    """
    check_rank(2, n_tm1=n_tm1, r_t=r_t, present_tm1=present_tm1)
    return mean_over((n_tm1 - r_t).square(), present_tm1)


def nature_published_loss(n_tm1: Tensor, r_t: Tensor, present_tm1: Tensor, weight: float) -> Tensor:
    """Return each nature's published loss, `E[n_i(o, a)] + weight E[(n_i(o, a) - r_i)^2]`.

    Nature lowers the reward and is held near the observed one. Its minimiser is
    `n_i = E[r_i | o, a] - 1 / (2 weight)`: a denoised reward less a constant that knows nothing of any radius.

    Args:
        n_tm1: natures at the stored observations and actions, (N, B).
        r_t: observed rewards, (N, B).
        present_tm1: 1 where the agent was alive, (N, B).
        weight: how strongly nature is held, > 0.

    Returns:
        One loss per agent, (N,).

    Example:
        >>> import torch
        >>> nature_published_loss(torch.tensor([[1.0]]), torch.tensor([[3.0]]), torch.ones(1, 1), 0.5)
        tensor([3.])

    References:
        Zhang, Sun, Tao, Genc, Mallya, Basar (2020), Robust Multi-Agent Reinforcement Learning with Model Uncertainty,
        algorithm 1; the loss is as in the public code that descends from the authors'.
    """
    check_rank(2, n_tm1=n_tm1, r_t=r_t, present_tm1=present_tm1)
    return mean_over(n_tm1 + weight * (n_tm1 - r_t).square(), present_tm1)


def mean_over(values: Tensor, present: Tensor) -> Tensor:
    """Average (N, B) over the transitions that count; 0 for an agent with none."""
    return (values * present).sum(1) / present.sum(1).clamp(min=1.0)


def check_rank(rank: int, **tensors: Tensor) -> None:
    """Raise, naming the tensor, unless all have this rank."""
    for name, tensor in tensors.items():
        if tensor.ndim != rank:
            raise ValueError(f"{name} must have rank {rank}, got shape {tuple(tensor.shape)}")
