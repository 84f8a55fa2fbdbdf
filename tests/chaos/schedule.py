"""What happens in one rehearsal, drawn from a seed: deeds of people, faults of GitHub, deaths of ours."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

# What a head holds, and what its three checks must say; relative to the start, which is clean.
VARIANTS: Mapping[str, Mapping[str, str]] = {
    "clean": {"A4": "success", "A9": "success", "W1": "success"},
    "a4": {"A4": "failure", "A9": "success", "W1": "success"},
    "a9": {"A4": "success", "A9": "failure", "W1": "success"},
    "w1": {"A4": "success", "A9": "success", "W1": "neutral"},
    "many": {"A4": "failure", "A9": "success", "W1": "success"},
}
ANNOTATIONS: Mapping[str, Mapping[str, int]] = {
    "clean": {},
    "a4": {"A4": 1},
    "a9": {"A9": 1},
    "w1": {"W1": 1},
    "many": {"A4": 60},
}
DEEDS = ("main", "branch", "branch", "force", "delete", "pull", "fork", "group", "drop", "rerun", "suspend", "rename")

LOST_NAMES, SILENCE, TRANSFERS, VISIBILITY = 0.15, 0.1, 0.06, 0.3
SHOWN = ("privatize", "publicize", "privatize", "publicize", "remove", "main", "branch")
SIDE_QUESTIONS = ("/rules/branches/", "/branches")


@dataclass(frozen=True)
class Step:
    """A deed, what the head that it makes holds, and seconds until the next one."""

    deed: str
    variant: str
    wait_s: float


@dataclass(frozen=True)
class Schedule:
    """One rehearsal; the same seed gives the same."""

    seed: int
    steps: tuple[Step, ...]
    shares: Mapping[str, float]
    most_faults: int
    install_in_storm: bool
    skew_s: float
    token_lag_s: float
    commit_lag_s: float
    tight: bool
    # Deaths: of which process, after how many turns of its event loop.
    dooms: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    # Death of the worker when it has asked GitHub for the n-th time; None for none.
    death_at_request: int | None = None
    restart_database_at: int | None = None
    disk_full_s: float = 0.0
    # Parts of paths below the REST API that GitHub never answers.
    silent: tuple[str, ...] = ()


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = random.Random(seed)
    later = random.Random(f"{seed} names and silence")  # drawn apart, so that older seeds stay what they were
    storm = rng.random() < 0.15
    steps = tuple(_step(rng, clean_main=storm) for _ in range(rng.randint(1, 4)))
    if later.random() < LOST_NAMES:
        lost = Step(later.choice(("vanish", "usurp")), "clean", later.choice((0.0, 0.05, 0.2)))
        place = later.randint(0, len(steps))
        steps = (*steps[:place], lost, *steps[place:])
    apart = random.Random(f"{seed} transfers")
    if apart.random() < TRANSFERS:
        place = apart.randint(0, len(steps))
        steps = (*steps[:place], Step("transfer", "clean", apart.choice((0.0, 0.05, 0.2))), *steps[place:])
    steps = _with_visibility(steps, random.Random(f"{seed} visibility"))
    calm = rng.random() < 0.1
    dooms = {
        name: tuple(rng.randint(5, 900) for _ in range(rng.choice((0, 0, 1, 1, 2)))) for name in ("worker", "server")
    }
    asked_death = rng.random() < 0.25
    disk_full_s = rng.choice((0.5, 1.0)) if rng.random() < 0.06 else 0.0
    # Three deaths of the worker in one audit are its end, and meant; a disk that is healed is one death.
    dooms["worker"] = dooms["worker"][: 2 - asked_death - (disk_full_s > 0)]
    return Schedule(
        seed=seed,
        steps=steps,
        shares={
            "rest": 0.0 if calm else rng.choice((0.0, 0.1, 0.3)),
            "git": rng.choice((0.0, 0.0, 0.15, 0.3)),
            "delivery": rng.choice((0.0, 0.2, 0.5)),
        },
        most_faults=rng.randint(3, 25),
        install_in_storm=storm,
        skew_s=rng.choice((0.0, 0.0, 0.0, 0.0, 90.0, -90.0)),
        token_lag_s=rng.choice((0.0, 0.0, 0.0, 0.3)),
        commit_lag_s=rng.choice((0.0, 0.0, 0.0, 0.4)),
        tight=rng.random() < 0.2,
        dooms=dooms,
        death_at_request=rng.randint(1, 25) if asked_death else None,
        restart_database_at=rng.randrange(len(steps)) if rng.random() < 0.06 else None,
        disk_full_s=disk_full_s,
        silent=SIDE_QUESTIONS if later.random() < SILENCE else (),
    )


def _with_visibility(steps: tuple[Step, ...], rng: random.Random) -> tuple[Step, ...]:
    """Some schedules in which the repository becomes private and public, and leaves the installation for a moment."""
    if rng.random() < VISIBILITY:
        for _ in range(rng.randint(1, 5)):
            place, wait_s = rng.randint(0, len(steps)), rng.choice((0.0, 0.0, 0.05, 0.2))
            steps = (*steps[:place], Step(rng.choice(SHOWN), "clean", wait_s), *steps[place:])
    return steps


def _step(rng: random.Random, *, clean_main: bool) -> Step:
    deed = rng.choice(DEEDS)
    variants = ["clean", "a4", "a9", "many"] if deed == "main" else list(VARIANTS)
    variant = "clean" if deed == "main" and clean_main else rng.choice(variants)
    return Step(deed, variant, rng.choice((0.0, 0.0, 0.05, 0.2)))
