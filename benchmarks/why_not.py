"""Why a row of the table misses its target, by the beginning of what the row says.

Owns the reasons. Each rests on a profile kept in benchmarks/profiles, made by `python -m benchmarks.profiles`; their
shares are of wall time, waiting included.
"""

from typing import Final

WHY_NOT: Final[dict[str, str]] = {
    "unchanged cycle of one 10,000-node job: CPU / CPU of the azure-batch SDK": (
        "the measured cycle is a whole one: more than half of it are the five reads and one write of the table through "
        "azure-data-tables, which do not grow with the job (see the row of 100,000 nodes); the ten pages take a third "
        "(profiles/unchanged.txt)."
    ),
    "cycle with 1 % of the nodes changed": (
        "the 100 changed nodes are spread so that every page and every chunk changes, which is the worst case: a "
        "quarter goes to telling 10,000 entries apart, a quarter to sending 16 chunks through azure-data-tables, a "
        "seventh to reading them, a tenth to zlib (profiles/changed.txt)."
    ),
    "10,000 nodes newly failed at once, two webhooks / unchanged": (
        "half is azure-data-tables, which makes a MIME part of each of 1,821 rows and parses as many answers; a "
        "seventh decodes and cleans 10,000 statuses, an eighth groups and spells events (profiles/mass_failure.txt)."
        " Writing the body of a transaction ourselves would be the next step."
    ),
}
