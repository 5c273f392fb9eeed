"""Runs of the product in processes of their own, which may be killed at any moment.

The processes are forked from one that has imported everything (multiprocessing's fork server), because importing takes
longer than a run of a small town.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psutil

from integration_assets.settings import Settings
from integration_assets_tests.end_to_end.world import World, area_requests, played

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])
POLL_SECONDS = 0.005


def start_day(world: World, day: int, cursors: Path) -> BaseProcess:
    """Starts a business day of a world; the sensors' cursors are kept in a file, written when the day is done."""
    process = FORKS.Process(target=_run_day, args=(world.given_on(day), cursors), daemon=True)
    process.start()
    return process


def start_area(world: World, day: int, area: str, together: Barrier, times: Any) -> BaseProcess:
    """Starts a run of one supply area; `together` lets several begin at once, `times` gets (area, begin, end)."""
    process = FORKS.Process(target=_run_area, args=(world.given_on(day), area, together, times), daemon=True)
    process.start()
    return process


def cpu_seconds(process: BaseProcess, limit: float = float("inf")) -> float:
    """Waits until a process ends or has used so many seconds of CPU; returns how many it has used.

    Unlike the clock, the CPU says how far a run has come whatever else the machine does.
    """
    used = 0.0
    try:
        watched = psutil.Process(process.pid)
        while used < limit and process.is_alive():
            times = watched.cpu_times()
            used = max(used, times.user + times.system)
            time.sleep(POLL_SECONDS)
    except psutil.NoSuchProcess:  # it ended between two looks
        pass
    return used


def _run_day(given: Mapping[str, Any], cursors: Path) -> None:
    known: dict[str, str] = json.loads(cursors.read_text()) if cursors.exists() else {}
    with played(Settings(**given), known) as runner:
        runner.until_quiet()
    fresh = cursors.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(known))
    fresh.replace(cursors)


def _run_area(given: Mapping[str, Any], area: str, together: Barrier, times: Any) -> None:
    settings = Settings(**given)
    with played(settings, {}) as runner:
        together.wait(60)
        begin = time.monotonic()
        runner.carry_out(area_requests(area, settings))
        times.put((area, begin, time.monotonic()))
