"""What the tests of all libraries ask: did the perturbation reach the environment, did training change the networks?"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch
from mpe2 import simple_spread_v3
from pettingzoo.utils.wrappers import BaseParallelWrapper
from torch.optim.optimizer import register_optimizer_step_pre_hook

from robust_envs import Linf, Uniform, robust

EXAMPLES = Path(__file__).parents[1] / "examples" / "integrations"


def example(library):
    """Import examples/integrations/with_<library>.py."""
    spec = importlib.util.spec_from_file_location(f"with_{library}", EXAMPLES / f"with_{library}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Watched:
    """Keep the largest move of nature while an example trains, and the weights it starts from."""

    def __init__(self, monkeypatch):
        self.monkeypatch, self.largest_move, self.first, self.optimizers = monkeypatch, 0.0, {}, []

    def train(self, module, steps, nature):
        if hasattr(module, "robust"):
            self.monkeypatch.setattr(module, "robust", self._robust)
        hook = register_optimizer_step_pre_hook(self._keep)
        try:
            return module.train(steps, nature)
        finally:
            hook.remove()

    def _robust(self, env, **options):
        made = robust(env, **options)
        step = made.step

        def watched(action):
            said = step(action)
            for move in made.last_move.values():
                self.largest_move = max(self.largest_move, float(np.abs(move.executed).max(initial=0.0)))
            return said

        made.step = watched
        return made

    def _keep(self, optimizer, *_):
        if optimizer not in self.optimizers:
            self.optimizers.append(optimizer)
        for group in optimizer.param_groups:
            for weight in group["params"]:
                self.first.setdefault(id(weight), (weight, weight.detach().clone()))

    def changed(self, network):
        """Tell whether a network's weights differ from those before the first update."""
        return self._differ([weight for weight in network.parameters() if id(weight) in self.first])

    def changed_by(self, optimizer):
        """Tell whether the weights of an optimizer differ from those before its first update."""
        return self._differ([weight for group in optimizer.param_groups for weight in group["params"]])

    def _differ(self, weights):
        assert weights, "no optimizer holds these weights"
        return any(not torch.equal(weight.detach(), self.first[id(weight)][1]) for weight in weights)


class Still(BaseParallelWrapper):
    """Begin every episode alike, whatever the seed: what two copies see differs by nature alone."""

    def reset(self, seed=None, options=None):
        return super().reset(seed=0, options=options)


def still(nature=Uniform()):  # noqa: B008
    """Build cooperative navigation that begins alike, with noise on what is seen."""
    game = Still(simple_spread_v3.parallel_env(max_cycles=25, continuous_actions=True))
    return robust(game, observation=Linf(1.0), nature=nature)
