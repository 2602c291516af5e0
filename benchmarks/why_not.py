"""Why a row of the table misses its target when it does, by the beginning of what the row says.

Owns the reasons, which are for the rows that a busy machine may make miss. Each rests on a profile kept in
benchmarks/profiles, made by `python -m benchmarks.profiles`; their shares are of wall time, waiting included.
"""

from typing import Final

WHY_NOT: Final[dict[str, str]] = {
    "unchanged cycle of one 10,000-node job: CPU / CPU of the azure-batch SDK": (
        "the measured cycle is a whole one: half of it are the five reads and one write of the table, which do not "
        "grow with the job (see the row of 100,000 nodes); the ten pages take less (profiles/unchanged.txt)."
    ),
    "cycle with 1 % of the nodes changed": (
        "the 100 changed nodes are spread so that every page and every chunk changes, which is the worst case: a sixth "
        "goes to telling 10,000 entries apart, a sixth to reading 16 chunks, a tenth to packing them; the rest is what "
        "an unchanged cycle does (profiles/changed.txt)."
    ),
    "10,000 nodes newly failed at once, two webhooks / unchanged": (
        "no part of it stands out: a fifth decodes, cleans and decides 10,000 statuses, a quarter spells and groups "
        "their events, an eighth cuts 10,000 records into slices and packs them, a quarter sends 1,821 rows in 20 "
        "transactions (profiles/mass_failure.txt); each is C called once a node, or a few lines around it."
    ),
}
