"""``agentic serve``: the HTTP server."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from agentic.cli.output import end_with
from agentic.errors import AgenticError, BadRequest, ConfigurationError

if TYPE_CHECKING:
    import uvicorn

    from agentic.catalog.settings import Settings
    from agentic.kernel import Kernel

FIRST_ADMIN = "There are no users yet. Make the first admin with: agentic users add NAME --role admin"


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (SERVER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (SERVER_PORT).")] = None,
    safe_mode: Annotated[
        str | None, typer.Option(help="Load these plugins alone, comma separated.", metavar="NAMES")
    ] = None,
) -> None:
    """Serve the OpenAI API."""
    only = None if safe_mode is None else [name.strip() for name in safe_mode.split(",")]
    _open_standard_streams()
    try:
        with _collecting_later():
            _start(host, port, only)
    except AgenticError as error:
        end_with(error.message)


def _open_standard_streams() -> None:
    """Where a supervisor has closed one of the three, open it on nothing.

    Files and sockets would else take their numbers, and whoever writes to stderr, a child process too, write into them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _start(host: str | None, port: int | None, only: Sequence[str] | None) -> None:
    from agentic import logs
    from agentic.catalog.settings import read_settings

    settings = read_settings(server_host=host, server_port=port)
    stop_logging = logs.configure(settings)
    try:
        _run(settings, only)
    finally:
        stop_logging()


def _run(settings: Settings, only: Sequence[str] | None) -> None:
    """Serve until a signal ends it, on the event loop that uvicorn would choose."""
    from agentic.kernel import open_kernel
    from agentic.server.app import create_app
    from agentic.server.endings import PatientServer

    async def work() -> bool:
        await _refuse_address(settings.server_host, settings.server_port)
        async with open_kernel(settings, only=only) as kernel:
            await _greet(kernel)
            server = PatientServer(config, kernel.engine.suspend_all)
            config.app = create_app(kernel)
            # Sessions with a run that is to be gone on with keep their turn, so this comes before the first request.
            await kernel.restart.look()
            working = (_settle(kernel), kernel.restart.watch(), kernel.documents.watch(), kernel.departures.watch())
            beside = [asyncio.create_task(one) for one in working]
            await server.serve()
            for one in beside:
                one.cancel()
            kernel.engine.suspend_all()
            return server.started

    config = _configured(settings)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        if not runner.run(work()):
            raise typer.Exit(1)


def _configured(settings: Settings) -> uvicorn.Config:
    """How to listen, and whom to believe; the application comes later."""
    import uvicorn

    return uvicorn.Config(
        "",
        host=settings.server_host,
        port=settings.server_port,
        log_config=None,
        access_log=False,
        server_header=False,
        # No route takes websockets, and importing what speaks them takes its time.
        ws="none",
        # Whoever could set X-Forwarded-For would choose the address by which logins are throttled.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=10,
    )


async def _refuse_address(host: str, port: int) -> None:
    """Raises ConfigurationError where nothing can listen there: before anything is opened, and in words."""
    try:
        trial = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
    except OSError as error:
        raise ConfigurationError(_refused(host, port, error)) from error
    trial.close()
    await trial.wait_closed()


def _refused(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"SERVER_HOST: this machine has no address {host!r}. Example: SERVER_HOST=127.0.0.1, or ::1, or 0.0.0.0"
    told = os.strerror(error.errno).lower() if error.errno else type(error).__name__
    fix = "End what listens there, or choose another" if error.errno == errno.EADDRINUSE else "Choose another"
    return f"SERVER_PORT: {host} port {port}: {told}. {fix}. Example: agentic serve --port {max(port, 7999) + 1}"


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Leave the collector out of a start: it would look through what stays for good, again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _settle(kernel: Kernel) -> None:
    """Try the model servers, which the start does not wait for, and log what came of it."""
    try:
        await kernel.directory.probe()
    finally:
        # What is there now stays for good. Left to the collector, looking through it would hold up all answers for
        # some tens of milliseconds each time.
        gc.freeze()
        gc.enable()


async def _greet(kernel: Kernel) -> None:
    """Without users nobody can sign in: say how to make one, or make one if there is a person to ask."""
    if await kernel.identity.users.list():
        return
    question = "There are no users yet. Make the first admin now?"
    if not (sys.stdin.isatty() and await asyncio.to_thread(typer.confirm, question, default=True, err=True)):
        typer.echo(FIRST_ADMIN, err=True)
        return
    while not await _add_admin(kernel):
        continue


async def _add_admin(kernel: Kernel) -> bool:
    name, password = await asyncio.to_thread(_ask_for_admin)
    try:
        await kernel.identity.users.add(name, password, "admin")
    except BadRequest as error:
        typer.echo(error.message, err=True)
        return False
    typer.echo(f"Made {name}.", err=True)
    return True


def _ask_for_admin() -> tuple[str, str]:
    name = typer.prompt("User name", err=True)
    return name, typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
