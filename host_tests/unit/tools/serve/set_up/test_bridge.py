"""A browser's port is a port for the tools here: one at a time, and gone when the page is."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from fieldpost.serve.set_up.bridge import Bridge


def test_bytes_pass_both_ways_to_one_tool_at_a_time_and_the_next_may_follow() -> None:
    async def run() -> None:
        written: asyncio.Queue[bytes] = asyncio.Queue()
        bridge = Bridge(written.put)
        await bridge.start()
        parts = urlsplit(bridge.url)
        assert parts.scheme == "socket" and parts.hostname == "127.0.0.1" and parts.port
        bridge.from_browser(b"nobody hears this")
        for turn in (b"first", b"second"):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(turn)
            assert await asyncio.wait_for(written.get(), 5) == turn
            other, other_writer = await asyncio.open_connection(parts.hostname, parts.port)
            assert await asyncio.wait_for(other.read(), 5) == b""
            other_writer.close()
            bridge.from_browser(b"answer")
            assert await asyncio.wait_for(reader.readexactly(6), 5) == b"answer"
            writer.close()
            while bridge._tool:
                await asyncio.sleep(0.01)
        reader, _ = await asyncio.open_connection(parts.hostname, parts.port)
        while not bridge._tool:
            await asyncio.sleep(0.01)
        bridge.close()
        assert await asyncio.wait_for(reader.read(), 5) == b""

    asyncio.run(run())
