"""What a start costs: ``python -m bench.speed.cold [--rounds N]``, half a minute for seven rounds.

Starts the bare server and this project's in turns, asks each one question as soon as it listens, and prints the CPU
time of the process until the answer is there. It is steadier than seconds on a machine that has other work to do.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from agentic.testing.server import free_port
from bench.speed.load import cpu_seconds
from bench.speed.servers import (
    AGENTIC,
    UVICORN,
    first_answer,
    memory_mb,
    server,
    surroundings,
    user_with_key,
)


@dataclass(frozen=True, slots=True)
class Starts:
    """The CPU seconds of a server's starts: until it listened, and until its first answer; its memory in MB then."""

    listening: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def once(self, command: list[str], environment: dict[str, str], port: int, key: str = "") -> None:
        """Start, ask, end."""
        with server(command, environment, port) as pid:
            self.listening.append(cpu_seconds(pid))
            first_answer(port, key)
            self.answered.append(cpu_seconds(pid))
            self.memory.append(memory_mb(pid))

    def __str__(self) -> str:
        """The medians, and the range of the last one."""
        listening, answered = statistics.median(self.listening), statistics.median(self.answered)
        least, most, memory = min(self.answered), max(self.answered), statistics.median(self.memory)
        return f"{listening:.2f} s listening, {answered:.2f} s answered ({least:.2f} to {most:.2f}), {memory:.0f} MB"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=7, help="how often each server is started (7)")
    chosen = options.parse_args()
    bare, ours = Starts(), Starts()
    with tempfile.TemporaryDirectory(dir=".", prefix="build-speed-") as folder:
        model_port, bare_port, our_port = free_port(), free_port(), free_port()
        environment = surroundings(Path(folder), model_port, our_port)
        # Compiled once, as after an installation: the round before the first one does it, and is not counted.
        environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(Path(folder, "compiled").resolve())}
        key = user_with_key(environment)
        model = [*UVICORN, "bench.speed.model:app", "--port", str(model_port)]
        with server(model, environment, model_port):
            for number in range(chosen.rounds + 1):
                if number == 1:
                    bare, ours = Starts(), Starts()
                bare.once([*UVICORN, "bench.speed.bare:app", "--port", str(bare_port)], environment, bare_port)
                ours.once([*AGENTIC, "serve"], environment, our_port, key)
    ratio = statistics.median(ours.answered) / statistics.median(bare.answered)
    print(f"bare: {bare}\nagentic: {ours}\nCPU time to the first answer: {ratio:.2f} of bare's")


if __name__ == "__main__":
    main()
