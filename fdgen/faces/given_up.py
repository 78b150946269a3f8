"""Photographs that a build gave up on: a photograph that hangs or kills a worker twice is rejected and recorded.

They are recorded in dataset.json and in the lock, for a rebuild to leave them out unasked: whether a photograph takes
too long is a fact of a machine, which the next one need not share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fdgen.contract.records import Reject
from fdgen.faces.sources import CRASHED, TOOK_TOO_LONG, Source

_DETAILS = {
    TOOK_TOO_LONG: "a worker was at it for longer than the time limit, twice",
    CRASHED: "the worker that was at it died, twice",
}
"""Without the limit or the signal: those are of the machine, and rejects.csv is not."""


def giving_up(source: Source, variant: int, reason: str) -> Reject:
    """Return the reject of a photograph that is given up, for one of `GIVEN_UP_REASONS`."""
    return Reject(source.path, source.sha256, variant, reason, _DETAILS[reason])


@dataclass
class GivenUp:
    """Reasons: by photograph, of landmarks that were looked for; by photograph and variant, of samples."""

    faces: dict[str, str] = field(default_factory=dict)
    samples: dict[tuple[str, int], str] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Any) -> GivenUp:
        """Read what `rows` of dataset.json or a lock says; nothing, where it is not as we write it."""
        from fdgen.contract.dataset_facts import GivenUpRow  # pydantic, which workers can do without
        from fdgen.io.json_file import fits

        given_up = cls()
        for row in rows if isinstance(rows, list) else []:
            if fits(GivenUpRow, row) is None:
                if row["at"] == "landmarks":
                    given_up.faces[row["source_sha256"]] = row["reason"]
                else:
                    given_up.samples[row["source_sha256"], row["variant"]] = row["reason"]
        return given_up

    def __bool__(self) -> bool:
        return bool(self.faces or self.samples)

    def __or__(self, other: GivenUp) -> GivenUp:
        return GivenUp({**self.faces, **other.faces}, {**self.samples, **other.samples})

    def rejects(self, sources: Iterable[Source]) -> tuple[list[Reject], list[Reject]]:
        """Return the rejects of photographs, and of samples made from them."""
        wanted = {*self.faces, *(sha256 for sha256, _ in self.samples)}
        source_of = {source.sha256: source for source in sources if source.sha256 in wanted} if wanted else {}
        return (
            [giving_up(source_of[sha256], 0, reason) for sha256, reason in self.faces.items() if sha256 in source_of],
            [
                giving_up(source_of[one], variant, why)
                for (one, variant), why in self.samples.items()
                if one in source_of
            ],
        )

    def face(self, source: Source) -> Reject | None:
        """Return the reject of a photograph whose landmarks are not to be looked for."""
        reason = self.faces.get(source.sha256)
        return None if reason is None else giving_up(source, 0, reason)

    def sample(self, source: Source, variant: int) -> Reject | None:
        """Return the reject of a sample that is not to be made."""
        reason = self.samples.get((source.sha256, variant))
        return None if reason is None else giving_up(source, variant, reason)


def with_given_up(head: Mapping[str, Any], faces: Iterable[Reject], samples: Iterable[Reject] = ()) -> dict[str, Any]:
    """Return the head of a dataset.json with the rejects that are of `GIVEN_UP_REASONS`; as it is where none are."""
    rows = [
        {
            "source": reject.source,
            "source_sha256": reject.source_sha256,
            "variant": reject.variant,
            "at": at,
            "reason": reject.reason,
        }
        for at, rejects in (("landmarks", faces), ("sample", samples))
        for reject in sorted(rejects, key=lambda one: (one.source_sha256, one.variant))
        if reject.reason in _DETAILS
    ]
    return {**head, "given_up": rows} if rows else dict(head)
