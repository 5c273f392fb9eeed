"""Commands that read a JSON file and answer with JSON."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

BAD_INPUT = 2
STANDARD_INPUT = Path("-")


def print_answer(file: Path, answer: Callable[[Any], object]) -> None:
    """Prints what the function answers to the JSON of the file; a sentence and exit code 2 where it cannot."""
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else file.read_text(encoding="utf-8")
        answered = answer(json.loads(text))
    except (OSError, ValueError) as error:
        print(f"{file} cannot be used: {error}", file=sys.stderr)
        raise typer.Exit(BAD_INPUT) from None
    json.dump(answered, sys.stdout, ensure_ascii=False, indent=1)
    print()
