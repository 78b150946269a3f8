"""Write `index.json` from the asset tables in this folder. Run it after adding or changing one.

    python occlusion_assets/make_index.py

An asset is a TOML file `<kind>/<name>.toml` with `id`, `kind`, `title`, `licence`, `origin`, optionally `held_out`,
`weight` and `files` (names beside it), and a table `shape` that its occluder reads.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent


def index(root: Path = HERE) -> str:
    """Return the text of the index of the assets under `root`."""
    entries = []
    for path in sorted(root.glob("*/*.toml")):
        data = path.read_bytes()
        table = tomllib.loads(data.decode("utf-8"))
        members = [(path.name, data)] + [(name, (path.parent / name).read_bytes()) for name in table.get("files", [])]
        lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in members)
        entries.append(
            {
                "id": table["id"],
                "kind": table["kind"],
                "title": table["title"],
                "licence": table["licence"],
                "held_out": bool(table.get("held_out", False)),
                "path": path.relative_to(root).as_posix(),
                "sha256": hashlib.sha256(lines.encode()).hexdigest(),
            }
        )
    ids = [entry["id"] for entry in entries]
    if len(set(ids)) != len(ids):
        raise SystemExit(f"two assets share an id: {sorted(i for i in ids if ids.count(i) > 1)}")
    return json.dumps({"assets": entries}, indent=1) + "\n"


if __name__ == "__main__":
    (HERE / "index.json").write_text(index(), encoding="utf-8")
    sys.stderr.write(f"{HERE / 'index.json'} written\n")
