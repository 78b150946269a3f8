"""Make the sample faces from the original photographs.

Run it from the root of the project, with the folder that holds the originals under the names below:

    python fdgen/faces/sample_faces/make.py FOLDER

It writes the pictures, at twice CelebA's size, and `index.json` next to itself.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import PIL.Image

from fdgen.contract.frame import CELEBA_HEIGHT_PX, CELEBA_TOP_PX, CELEBA_WIDTH_PX, quantise, warp
from fdgen.faces.detector import Detector
from fdgen.io.pictures.images import decode

HERE = Path(__file__).parent
SCALE = 2  # crops of 256 px stay sharp, and each file stays under 80 kB
QUALITY = 92

ORIGINALS = {
    "barack_obama.jpg": ("train", ("Big_Ears", "Male", "Mouth_Slightly_Open", "Smiling", "Wearing_Necktie")),
    "eileen_collins.png": ("train", ("Arched_Eyebrows", "Brown_Hair", "Smiling", "Mouth_Slightly_Open", "Young")),
    # The face that wears glasses and a hat is the one to test on: it is unlike the others.
    "grace_hopper.jpg": ("test", ("Eyeglasses", "Gray_Hair", "Wearing_Hat")),
    "joe_biden.jpg": ("train", ("Gray_Hair", "Male", "Receding_Hairline", "Wearing_Necktie")),
}
"""Name of the original: split, and those of CelebA's attributes that we see in it."""


def main() -> None:
    """Cut the sample faces out of the originals."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="the folder of the originals")
    folder: Path = parser.parse_args().folder
    detector = Detector()
    width, height = SCALE * CELEBA_WIDTH_PX, SCALE * CELEBA_HEIGHT_PX
    index = []
    for name, (split, attributes) in sorted(ORIGINALS.items()):
        original_HWC = decode((folder / name).read_bytes(), name=name)
        square = detector.find(original_HWC, width, name=name).frame
        whole = square.copy()
        whole[1, 2] += SCALE * CELEBA_TOP_PX  # the square begins that many rows below the top
        portrait_HWC = warp(original_HWC, quantise(whole), width, height)
        path = HERE / f"{Path(name).stem}.jpg"
        PIL.Image.fromarray(portrait_HWC).save(path, quality=QUALITY, subsampling=0, optimize=True)
        index.append(
            {
                "file": path.name,
                "identity": path.stem.replace("_", "-"),
                "split": split,
                "attributes": sorted(attributes),
            }
        )
    (HERE / "index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
