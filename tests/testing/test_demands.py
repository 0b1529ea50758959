"""What other libraries demand is checked: an environment that breaks a demand fails that check."""

import pytest
from glassbox import TEAM, EchoParallel, Player

from robust_envs import Linf
from robust_envs.shells import RobustParallelEnv
from robust_envs.testing import check_robust_env


class Silent(EchoParallel):
    """Tells one agent no info."""

    def step(self, actions):
        *said, infos = super().step(actions)
        return *said, {agent: info for agent, info in infos.items() if agent != "a_0"}


class Curt(EchoParallel):
    """Gives an info that is no dict."""

    def step(self, actions):
        *said, infos = super().step(actions)
        return *said, dict.fromkeys(infos)


class Restless(EchoParallel):
    """Loses an agent when asked for a space."""

    def action_space(self, agent):
        if len(self.agents) > 2:
            self.agents = self.agents[:2]
        return super().action_space(agent)


class Vanishing(EchoParallel):
    """Ends without saying so."""

    def step(self, actions):
        observations, rewards, terminated, truncated, infos = super().step(actions)
        return observations, rewards, dict.fromkeys(terminated, False), dict.fromkeys(truncated, False), infos


class Undead(EchoParallel):
    """Terminates an agent that stays."""

    def step(self, actions):
        observations, rewards, terminated, truncated, infos = super().step(actions)
        return observations, rewards, {**terminated, "a_0": True}, truncated, infos


class Hoarding(EchoParallel):
    """Hands out the infos it goes on using."""

    def reset(self, seed=None, options=None):
        observations, _ = super().reset(seed=seed, options=options)
        self.kept = {agent: {} for agent in self.agents}
        return observations, self.kept

    def step(self, actions):
        *said, _ = super().step(actions)
        return *said, {agent: self.kept[agent] for agent in said[0]}


class Nameless(EchoParallel):
    """Does not say what it is called."""

    metadata = {"render_modes": []}  # noqa: RUF012 - as PettingZoo has it


def natural():
    return EchoParallel({"nature_0": Player(), **dict.fromkeys(TEAM, Player())})


BROKEN = {
    "an agent without info": (Silent, "everybody is told everything", "hold"),
    "an info that is none": (Curt, "everybody is told everything", "no dict"),
    "agents that change unasked": (Restless, "agents change in reset and step only", "between steps"),
    "an end without flags": (Vanishing, "who leaves has a flag, who has a flag leaves", "left with no flag"),
    "a flag without an end": (Undead, "who leaves has a flag, who has a flag leaves", "stay among agents"),
    "no name": (Nameless, "metadata and render_mode are there", "no name"),
    "nature's own name": (natural, "natures can join as agents", "must not start with 'nature_'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_environment_that_breaks_a_demand_fails_that_check(case):
    env_fn, check, words = BROKEN[case]
    report = check_robust_env(env_fn, reward=Linf(0.1), steps=30, suites=False)
    found = {one.name: one.reason for one in report.failed}
    assert words in found[check]


def test_infos_that_an_environment_goes_on_using_are_copied_and_the_check_sees_it_where_they_are_not(monkeypatch):
    check = "what is written into what was said changes nothing"
    report = check_robust_env(Hoarding, reward=Linf(0.1), steps=5, suites=False)
    assert check in {one.name for one in report.passed}
    monkeypatch.setattr(RobustParallelEnv, "_tell", lambda self, infos: dict(infos))
    report = check_robust_env(Hoarding, reward=Linf(0.1), steps=5, suites=False)
    assert "still there" in {one.name: one.reason for one in report.failed}[check]


def test_an_environment_that_keeps_them_passes_all():
    report = check_robust_env(EchoParallel, reward=Linf(0.1), steps=30, suites=False)
    assert {check for _, check, _ in BROKEN.values()} <= {one.name for one in report.passed}
