"""One socket of public data: its topics, what is asked of it in order, and who decodes each frame."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from nexustrader.error import NotSent, WireError
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.spec import Venue
from nexustrader.venue.staleness import Silences
from nexustrader.venue.stream import Stream, pulse_of
from nexustrader.venue.transport import Transport

BAD_FRAMES_LOGGED_MAX = 20

Decode = Callable[[bytes], None]

_log = get_logger("Feed")


class MarketSocket:
    """One connection and the topics on it. Subscribe and unsubscribe share one FIFO, so their order is kept."""

    def __init__(
        self,
        name: str,
        url: str,
        venue: Venue,
        transport: Transport,
        tasks: TaskManager,
        entropy: Entropy,
        stale_ms_max: int | None,
        on_begun: Callable[[str], None],
        on_lost: Callable[[str, str], None],
    ) -> None:
        self._venue = venue
        self._url = url
        self._tasks = tasks
        self._on_begun = on_begun  # (topic): its subscription has gone out
        self._on_lost = on_lost  # (topic, why): what it brought does not count any more
        self._topic_of = venue.topic_of
        self._prefix = venue.spec.topic_prefix
        self._topic_start = len(self._prefix)
        self.decoders: dict[str, Decode] = {}
        self._by_bytes: dict[bytes, Decode] = {}  # the same decoders, by the topic as it stands in the frame
        self._commands: deque[tuple[str, bool]] = deque()
        self._pumping = False
        self._open = False
        self._request_id = 0
        self._heard: set[bytes] = set()  # topics that have come since the last look
        self._silences = Silences(stale_ms_max) if stale_ms_max is not None else None
        self.bad_frames = 0
        self.frames = 0
        self._stream = Stream(
            name,
            self._get_url,
            transport,
            tasks,
            entropy,
            on_frame=self._on_frame,
            on_up=self._on_up,
            on_down=self._on_down,
            pulse=pulse_of(venue.spec),
        )
        self._name = name

    async def _get_url(self) -> str:
        return self._url

    def add(self, topic: str, decode: Decode) -> None:
        """Want a topic, or have it decoded in another way from a new beginning on."""
        is_new = topic not in self.decoders
        self.decoders[topic] = decode
        self._by_bytes[topic.encode()] = decode
        if is_new:
            self._enqueue(topic, subscribe=True)
        else:
            self.begin_anew(topic)
        self._stream.start()

    def remove(self, topic: str) -> None:
        if self.decoders.pop(topic, None) is not None:
            del self._by_bytes[topic.encode()]
            if self._silences is not None:
                self._silences.forget(topic.encode())
            self._enqueue(topic, subscribe=False)

    def look_for_silence(self, now_ms: int) -> None:
        """Begin anew what has been silent for too long: the topic, or the connection when all of it is silent."""
        if self._silences is None or not self._open:
            return
        overdue, back = self._silences.look(now_ms, self._by_bytes, self._heard)
        self._heard.clear()
        for raw in back:
            _log.warning(f"{self._name}: {raw.decode()} speaks again")
        if not overdue:
            return
        topics = [raw.decode() for raw in overdue]
        _log.warning(f"{self._name}: nothing has come for too long, begun anew: {', '.join(topics)}")
        for topic in topics:
            self._on_lost(topic, "nothing has come for too long")
        if len(self._silences.silent) == len(self._by_bytes):
            self._stream.drop("all of it is silent")
            return
        for topic in topics:
            self.begin_anew(topic)

    def begin_anew(self, topic: str) -> None:
        self._enqueue(topic, subscribe=False)
        self._enqueue(topic, subscribe=True)

    def is_silent(self, topic: str) -> bool:
        return self._silences is not None and topic.encode() in self._silences.silent

    async def stop(self) -> None:
        await self._stream.stop()

    def _enqueue(self, topic: str, *, subscribe: bool) -> None:
        if not self._open:
            return  # the next connect subscribes whatever is wanted then
        self._commands.append((topic, subscribe))
        if not self._pumping:
            self._pumping = True
            self._tasks.create_task(self._pump(), name=f"subscribe {self._name}")

    async def _pump(self) -> None:
        """Send queued commands in batches of one kind, spaced as the venue wants it."""
        spec = self._venue.spec
        try:
            while self._commands:
                subscribe = self._commands[0][1]
                batch: list[str] = []
                while (
                    self._commands and self._commands[0][1] is subscribe and len(batch) < spec.subscribe_batch
                ):
                    batch.append(self._commands.popleft()[0])
                self._request_id += 1
                try:
                    self._stream.send(
                        self._venue.subscribe_frame(batch, self._request_id, subscribe=subscribe)
                    )
                except NotSent:
                    self._commands.clear()  # the next connect subscribes whatever is wanted then
                    return
                for topic in batch if subscribe else ():
                    self._on_begun(topic)
                if self._commands:
                    await asyncio.sleep(spec.subscribe_gap_ms / 1000)
        finally:
            self._pumping = False

    async def _on_up(self, _reconnected: bool) -> None:
        self._open = True  # from now on, not only when all batches are out: they take a while
        if self._silences is not None:
            self._silences.restart()
        self._commands.clear()
        self._commands.extend((topic, True) for topic in self.decoders)
        if self._commands and not self._pumping:
            self._pumping = True
            await self._pump()

    def _on_down(self, reason: str) -> None:
        self._open = False
        self._commands.clear()
        for topic in self.decoders:
            self._on_lost(topic, f"disconnected ({reason})")

    def _on_frame(self, raw: bytes) -> None:
        self.frames += 1
        try:
            if raw.startswith(self._prefix):  # the hot path: no call, no text made of the topic
                start = self._topic_start
                topic = raw[start : raw.find(b'"', start)]
                decode = self._by_bytes.get(topic)
                if decode is not None:
                    self._heard.add(topic)
                    decode(raw)
                    return
            self._on_other_frame(raw)
        except (WireError, msgspec.MsgspecError, ValueError) as error:
            self._on_bad_frame(error)

    def _on_other_frame(self, raw: bytes) -> None:
        """A control frame, a topic nobody wants any more, or a data frame that begins in an unusual way."""
        topic = self._topic_of(raw)
        if topic is None:
            self._on_control(raw)
        elif topic in self.decoders:
            self._heard.add(topic.encode())
            self.decoders[topic](raw)

    def _on_control(self, raw: bytes) -> None:
        problem = self._venue.control_problem(raw)
        if problem is not None:
            _log.error(f"{self._name}: {problem}")

    def _on_bad_frame(self, error: Exception) -> None:
        self.bad_frames += 1
        if self.bad_frames <= BAD_FRAMES_LOGGED_MAX:
            _log.error(
                f"{self._name}: a frame cannot be read and is left out ({type(error).__name__}: {error})"
            )
