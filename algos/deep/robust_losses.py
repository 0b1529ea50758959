"""What makes a loss robust, as pure functions. M networks, B transitions; subscript tm1 is the step before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from algos.deep.losses import check_rank, mean_over

if TYPE_CHECKING:
    from torch import Tensor

_TINY = 1e-12  # a gradient or an output this short has no direction


def worst_step(gradient: Tensor, epsilon: Tensor) -> Tensor:
    """Return the step of length epsilon that lowers a function most to first order, `-epsilon g / |g|`.

    It is the minimiser of `<g, d>` over the Euclidean ball |d| <= epsilon. Where the gradient is 0 so is the step.

    Args:
        gradient: g, (..., n).
        epsilon: radii >= 0, that fit (..., 1).

    Returns:
        Steps, (..., n).

    Example:
        >>> import torch
        >>> worst_step(torch.tensor([3.0, 4.0]), torch.tensor([0.5]))
        tensor([-0.3000, -0.4000])

    References:
        Li, Wu, Cui, Dong, Fang, Russell (2019), Robust Multi-Agent Reinforcement Learning via Minimax Deep
        Deterministic Policy Gradient, equations 13 to 15.
    """
    step: Tensor = -epsilon * gradient / gradient.norm(dim=-1, keepdim=True).clamp(min=_TINY)
    return step


def into_ball(outputs: Tensor, axes: Tensor) -> Tensor:
    """Bring outputs x smoothly into a Euclidean ball, `axes tanh(|x|) x / |x|`.

    Unlike a projection it has a gradient everywhere, so that a network whose outputs went too far comes back.

    Args:
        outputs: x, (..., n).
        axes: half axes of the ball >= 0, that fit (..., n).

    Returns:
        Members of the ball, (..., n).

    Example:
        >>> import torch
        >>> into_ball(torch.tensor([30.0, 40.0]), torch.tensor([0.5, 0.5]))
        tensor([0.3000, 0.4000])
    """
    # The root of a sum that is never 0: at 0 a norm has no gradient, and this map is the identity there.
    length = (outputs.square().sum(-1, keepdim=True) + _TINY).sqrt()
    return axes * outputs * (length.tanh() / length)


def policy_change(actions_tm1: Tensor, moved_tm1: Tensor, present_tm1: Tensor) -> Tensor:
    """Return how far policies move when their observations do, `E[|mu_i(o_i + d) - mu_i(o_i)|^2]`.

    Args:
        actions_tm1: actions at the observations, (M, B, A).
        moved_tm1: actions at the perturbed observations, (M, B, A).
        present_tm1: 1 where the agent was alive, (M, B).

    Returns:
        One number per network, (M,).

    Example:
        >>> import torch
        >>> policy_change(torch.zeros(1, 1, 2), torch.tensor([[[3.0, 4.0]]]), torch.ones(1, 1))
        tensor([25.])

    References:
        Bukharin, Li, Yu, Zhang, Chen, Zuo, Zhang, Zhang, Zhao (2023), Robust Multi-Agent Reinforcement Learning via
        Adversarial Regularization: Theoretical Foundation and Stable Algorithms, equation 2.
    """
    check_rank(3, actions_tm1=actions_tm1, moved_tm1=moved_tm1)
    check_rank(2, present_tm1=present_tm1)
    return mean_over((moved_tm1 - actions_tm1).square().sum(-1), present_tm1)


def nature_value_loss(q_tm1: Tensor, present_tm1: Tensor) -> Tensor:
    """Return the loss of natures that seek the lowest value, `E[Q_i]` at what they perturbed.

    Args:
        q_tm1: critics at the perturbed observations or actions, (M, B).
        present_tm1: 1 where the agent was alive, (M, B).

    Returns:
        One loss per nature, (M,).

    Example:
        >>> import torch
        >>> nature_value_loss(torch.tensor([[1.0, 3.0, 9.0]]), torch.tensor([[1.0, 1.0, 0.0]]))
        tensor([2.])
    """
    check_rank(2, q_tm1=q_tm1, present_tm1=present_tm1)
    return mean_over(q_tm1, present_tm1)


def inference_loss(log_likelihood_tm1: Tensor, entropy_tm1: Tensor, present_tm1: Tensor, weight: float) -> Tensor:
    """Return the loss of approximate policies, `-E[log p(a_j | o_j)] - weight E[H(p(. | o_j))]`.

    Args:
        log_likelihood_tm1: of the actions that the others played, (M, B).
        entropy_tm1: of the approximate policies there, (M, B).
        present_tm1: 1 where the other agent was alive, (M, B).
        weight: of the entropy, >= 0.

    Returns:
        One loss per approximate policy, (M,).

    Example:
        >>> import torch
        >>> inference_loss(torch.tensor([[-1.0]]), torch.tensor([[0.5]]), torch.ones(1, 1), 0.1)
        tensor([0.9500])

    References:
        Lowe, Wu, Tamar, Harb, Abbeel, Mordatch (2017), Multi-Agent Actor-Critic for Mixed Cooperative-Competitive
        Environments, equation 7.
    """
    check_rank(2, log_likelihood_tm1=log_likelihood_tm1, entropy_tm1=entropy_tm1, present_tm1=present_tm1)
    return mean_over(-log_likelihood_tm1 - weight * entropy_tm1, present_tm1)
