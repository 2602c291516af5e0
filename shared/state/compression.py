"""Makes what is stored small: Zstandard, with a checksum.

Owns the level, and what a stored text may grow to. Does not own what is stored (`state.chunks`, `state.rows`).
"""

from threading import local
from typing import TYPE_CHECKING, Final

from shared.errors import UnreadableRowError

if TYPE_CHECKING:
    from zstandard import ZstdCompressor

_LEVEL: Final = 1  # nodes repeat each other so much that the fastest level saves nearly as much as the best
_MAX_BYTES: Final = 256 * 1024 * 1024  # many times what any chunk holds; a damaged row may promise anything


class _OfThread(local):
    """A compressor, which threads can't share and which takes longer to make than to compress an event."""

    compressor: "ZstdCompressor | None" = None


_of_thread = _OfThread()


def compress(data: bytes) -> bytes:
    """The data as stored."""
    if _of_thread.compressor is None:
        from zstandard import ZstdCompressor  # most cycles store nothing of the kind

        _of_thread.compressor = ZstdCompressor(level=_LEVEL, write_checksum=True)
    return _of_thread.compressor.compress(data)


def decompress(stored: bytes) -> bytes:
    """What was compressed.

    Raises:
        UnreadableRowError: These bytes are cut short, damaged, or nothing of ours.
    """
    import zstandard

    try:
        promised = zstandard.frame_content_size(stored)
        if not 0 <= promised <= _MAX_BYTES:
            raise UnreadableRowError(f"it would grow to {promised} bytes")
        return zstandard.ZstdDecompressor().decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise UnreadableRowError(str(error)) from error
