"""`forgeguard doctor`: checks the configuration and each connection, and says how to fix what fails."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator

from rich.console import Console
from rich.text import Text

from forgeguard_app.app.examine import examine
from forgeguard_app.audit.masked_text import shown_lines
from forgeguard_app.flows.upkeep.doctor import Diagnosis
from forgeguard_app.logs import set_up_logs
from forgeguard_app.settings import Settings, load_settings

TIMEOUT_S = 120


def add_arguments(_: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_: argparse.Namespace) -> int:
    """0 where all is well, 1 where something is not."""
    set_up_logs(logging.ERROR, shown_lines)  # what is not well is said in its lines
    settings = load_settings()
    return asyncio.run(_examined(settings))


async def _examined(settings: Settings) -> int:
    async with asyncio.timeout(TIMEOUT_S):
        return await _tell(examine(settings))


async def _tell(diagnoses: AsyncIterator[Diagnosis]) -> int:
    console, ill = Console(highlight=False, soft_wrap=True), 0
    async for diagnosis in diagnoses:
        mark = Text("ok   ", style="green") if diagnosis.ok else Text("ILL  ", style="bold red")
        console.print(Text.assemble(mark, (f"{diagnosis.part}: ", "bold"), diagnosis.detail))
        if not diagnosis.ok:
            ill += 1
            console.print(Text(f"     → {diagnosis.remedy}"))
    console.print("All is well." if not ill else f"{ill} to fix.")
    return 1 if ill else 0
