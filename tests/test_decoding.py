"""Decoders are safe for threads that meet a type at the same moment."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys, threading
sys.setswitchinterval(1e-6)
import msgspec
from shared.decoding import json_decoder
from shared.state import jobs, pools, telling
kinds = [
    kind for module in (jobs, pools, telling) for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not msgspec.Struct
]
documents = [(kind, ['{"%s": []}' % name for name in kind.__struct_encode_fields__]) for kind in kinds]
together = threading.Barrier(6)
def decode():
    together.wait()
    for kind, texts in documents:
        for text in texts:
            try:
                json_decoder(kind).decode(text)
            except msgspec.ValidationError:
                pass
threads = [threading.Thread(target=decode) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_threads_may_meet_a_type_at_once() -> None:
    """Six threads that decode every kind of row for the first time end well, in four fresh processes."""
    done = [
        subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
        for _ in range(4)
    ]
    assert [(each.returncode, each.stderr) for each in done] == [(0, "")] * 4


def test_no_struct_is_decoded_by_its_type() -> None:
    """Nothing but this module, and what is made at import, gives msgspec a type of ours."""
    direct = re.compile(
        r"msgspec\.(?:json|msgpack)\.decode\([^\n]*type=(?!list\[str\]|str \|)|^ +.*msgspec\.\w+\.Decoder\(",
        re.MULTILINE,
    )
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "shared").rglob("*.py")
        if direct.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"shared/decoding.py"}
