"""Makes what is stored small: Zstandard, with a checksum.

Owns the level, and what a stored text may grow to. Does not own what is stored (`chunks`, `table_rows`).
"""

from typing import Final

from shared.errors import UnreadableRowError

_LEVEL: Final = 1  # nodes repeat each other so much that the fastest level saves nearly as much as the best
_MAX_BYTES: Final = 256 * 1024 * 1024  # many times what any chunk holds; a damaged row may promise anything


def compress(data: bytes) -> bytes:
    """The data as stored."""
    import zstandard  # most cycles store nothing of the kind

    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(data)  # threads can't share one


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
