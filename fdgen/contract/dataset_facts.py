"""The fields of dataset.json and of files that repeat them: types, patterns and ranges, as one schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fdgen.contract.records import MOST_WHOLE, SCHEMA

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=MOST_WHOLE)]
Split = Literal["train", "val", "test"]
ShardName = Annotated[str, Field(pattern=r"^(train|val|test)-[0-9]{5,9}$")]
Text = Annotated[str, Field(max_length=4_096)]
Word = Annotated[str, Field(max_length=256)]


class _Facts(BaseModel):
    """Fields that a later version adds are let through: what is here keeps its sense."""

    model_config = ConfigDict(extra="allow", frozen=True)


class ShardRow(_Facts):
    """A shard: its name, split, counts, bytes and digest."""

    name: ShardName
    split: Split
    samples: Count
    rejects: Count
    bytes: Count
    sha256: Digest


class Sources(_Facts):
    """What is known of the photographs."""

    count: Count
    digest: Digest
    kind: Word


class GivenUpRow(_Facts):
    """A photograph that hung or killed its worker, twice: as its landmarks were looked for, or as a sample was made."""

    source: Text
    source_sha256: Digest
    variant: Count
    at: Literal["landmarks", "sample"]
    reason: Literal["took-too-long", "crashed-worker"]


class AskedRecipe(_Facts):
    """Of a recipe what readers use; `fdgen.recipe.schema` knows the rest."""

    name: Word
    size_px: Annotated[int, Field(ge=1, le=4_096)]
    seed: Annotated[int, Field(ge=0)]


class SplitCounts(_Facts):
    """Samples of each split, and what the faces were split by."""

    basis: Word
    train: Count
    val: Count
    test: Count


class AllFacts(_Facts):
    """What a dataset.json and a lock.json have alike."""

    name: Word
    version: Word
    spec_id: Digest
    content_id: Digest
    schema_: Annotated[Literal[SCHEMA], Field(alias="schema")]  # type: ignore[valid-type]
    generator: Count
    count: Count | None
    landmarks: Text
    assets: dict[Word, Digest]
    sources: Sources
    environment: dict[Word, Text | None]
    made: Count
    splits: SplitCounts
    kinds: dict[Word, Count]
    rejects: dict[Word, Count]
    shards: list[ShardRow]
    warnings: list[Text]
    notes: list[Text]
    given_up: list[GivenUpRow] = []
    codec: Text | None = None


class DatasetFacts(AllFacts):
    """A finished dataset.json. Those of before there were names and versions have others than a lock takes."""

    recipe: AskedRecipe


class LockFacts(AllFacts):
    """A lock.json. Its name and version become the name of a folder: `fdgen.dataset.naming` has their laws."""

    lock: int
    release: Word
    files: dict[Word, Digest]
    command: Text
    landmark_models: dict[str, Any] | None = None
