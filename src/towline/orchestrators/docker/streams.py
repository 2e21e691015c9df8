"""Streams of bytes out of and into commands inside instances."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from typing import Final

from towline.errors import CommandFailed
from towline.orchestrators.docker.commands import end_command
from towline.orchestrators.docker.engine import Document, Engine
from towline.orchestrators.docker.instances import undisturbed
from towline.orchestrators.docker.logs import FrameReader
from towline.orchestrators.docker.upgrade import open_command
from towline.values import Instance

_LAST_WORDS: Final = 4096
_CHUNK: Final = 64 * 1024
_STDOUT: Final = 1


async def read_command(engine: Engine, instance: Instance, command: Sequence[str]) -> AsyncGenerator[bytes]:
    """Standard output of a command, as it comes; the transport's own buffer is all that is held."""
    exec_id = await _create(engine, instance, command, takes_input=False)
    frames, words, is_over = FrameReader(), b"", False
    try:
        async with engine.stream("POST", f"exec/{exec_id}/start", body={"Detach": False, "Tty": False}) as response:
            async for chunk in response.content.iter_any():
                for stream, payload in frames.feed(chunk):
                    if stream == _STDOUT:
                        yield payload
                    else:
                        words = (words + payload)[-_LAST_WORDS:]
        is_over = True
    finally:
        if not is_over:
            await undisturbed(end_command(engine, exec_id, instance.engine_id))
    code = await _get_exit_code(engine, exec_id)
    if code != 0:
        said = words.decode(errors="replace").strip() or "it printed no reason"
        raise CommandFailed(f"{command[0]} in {instance.name} ended with exit code {code}: {said}")


async def feed_command(
    engine: Engine, instance: Instance, command: Sequence[str], chunks: AsyncIterator[bytes]
) -> tuple[int, str]:
    """Run a command with `chunks` as its input; exit code and last output."""
    exec_id = await _create(engine, instance, command, takes_input=True)
    try:
        async with open_command(engine, exec_id) as (reader, writer):
            output = await _exchange(reader, writer, chunks)
    except BaseException:
        await undisturbed(end_command(engine, exec_id, instance.engine_id))
        raise
    return await _get_exit_code(engine, exec_id), output.decode(errors="replace")


async def _exchange(reader: StreamReader, writer: StreamWriter, chunks: AsyncIterator[bytes]) -> bytes:
    """Write everything and read everything at once; who reads nothing fills the pipe and holds the other up."""
    feeding = asyncio.ensure_future(_feed(writer, chunks))
    frames, words = FrameReader(), b""
    try:
        while chunk := await _read(reader, feeding):
            for _, payload in frames.feed(chunk):
                words = (words + payload)[-_LAST_WORDS:]
    finally:
        if not feeding.done():
            feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding
    return words


async def _read(reader: StreamReader, feeding: "asyncio.Future[None]") -> bytes:
    """The next output; what fails while the input is fetched is raised at once."""
    reading = asyncio.ensure_future(reader.read(_CHUNK))
    try:
        await asyncio.wait({reading, feeding}, return_when=asyncio.FIRST_COMPLETED)
        if feeding.done() and not feeding.cancelled():
            feeding.result()
        return await reading
    finally:
        reading.cancel()


async def _feed(writer: StreamWriter, chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        try:
            writer.write(chunk)
            await writer.drain()
        except (ConnectionError, BrokenPipeError):
            return  # the command has ended; its exit code says whether that is right
    with suppress(OSError):
        writer.write_eof()


async def _create(engine: Engine, instance: Instance, command: Sequence[str], *, takes_input: bool) -> str:
    body = {"Cmd": list(command), "AttachStdin": takes_input, "AttachStdout": True, "AttachStderr": True}
    created: Document = await engine.call("POST", f"containers/{instance.engine_id}/exec", body=body)
    return str(created["Id"])


async def _get_exit_code(engine: Engine, exec_id: str) -> int:
    ended: Document = await engine.call("GET", f"exec/{exec_id}/json")
    code = ended["ExitCode"]
    return 0 if code is None else int(code)
