"""What the site has besides docs/pages: documents that are elsewhere in the repository, and the reference.

mkdocs calls `on_files` and `on_page_markdown`. Links are written for a checkout (`../../../SECURITY.md`); here they
become those of the site, and a link to a file that the site does not have becomes its path.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = "docs/pages"

sys.path.insert(0, str(ROOT))
from docs.reference import REFERENCE  # noqa: E402

PUBLISHED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "extend/contributing.md",
    "SECURITY.md": "concepts/security.md",
    "data_cards/README.md": "cards/data-cards.md",
    "data_cards/faces-demo-1.0.0/README.md": "cards/faces-demo.md",
    "data_cards/celeba-occluded-1.0.0/README.md": "cards/celeba-occluded.md",
    "fdgen/analysis/models/parser.md": "cards/accessory-network.md",
    "fdgen/analysis/models/worn.md": "cards/accessories.md",
    "fdgen/faces/sample_faces/SOURCES.md": "cards/sample-faces.md",
    "fdtrain/training/starter/MODEL_CARD.md": "cards/starter.md",
}
"""Documents of the repository, and the pages that they become."""

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the published documents and the reference to the files of the site."""
    if str(ROOT) not in sys.path:  # mkdocs takes back what was added as this module was loaded
        sys.path.insert(0, str(ROOT))
    for source, page in PUBLISHED.items():
        text = FRONT_MATTER.sub("", (ROOT / source).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=text))
    for page, write in REFERENCE.items():
        files.append(File.generated(config, page, content=write()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a checkout into those of the site."""
    here = page.file.src_uri
    sources = {target: source for source, target in PUBLISHED.items()}
    return site_links(markdown, sources.get(here, f"{PAGES}/{here}"), here)


def site_links(markdown: str, source: str, page: str) -> str:
    """Return the text of `source`, a file of the repository, with the links of `page`, a page of the site."""

    def changed(link: re.Match[str]) -> str:
        picture, text, target, anchor = link.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if "://" in target or not (ROOT / path).exists():
            return link[0]  # of elsewhere, no link at all, or broken: mkdocs says so
        if path in PUBLISHED:
            there = PUBLISHED[path]
        elif path.startswith(f"{PAGES}/"):
            there = path.removeprefix(f"{PAGES}/")
        else:
            return f"{text} (`{path}`)" if text != f"`{path}`" else text
        return f"{picture}[{text}]({posixpath.relpath(there, posixpath.dirname(page) or '.')}{anchor or ''})"

    return LINK.sub(changed, markdown)
