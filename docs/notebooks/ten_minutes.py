# %% [markdown]
# # From photographs to a restored face in ten minutes
#
# Photographs of clean faces become pairs of pictures, with and without something over the face. A network learns from
# the pairs, and then removes what covers a face that it has never seen. Two ordinary cores are enough; a GPU is used
# where there is one.
#
# What a network fills in is **invented**. It is no evidence of how a person looks and must not be used to identify
# anybody.

# %% [markdown]
# ## Install
#
# One file is needed, the wheel `fd_stackgan-*.whl`: a release has it, and `pip wheel --no-deps .` in the repository
# makes it. Photographs, occluders and weights are inside.
#
# - **Colab**: open the folder at the left and drop the wheel there.
# - **Kaggle**: *Add input*, *Upload*, and turn the internet on, since pip fetches the libraries that the image lacks.
# - **Here**: put the wheel next to this notebook, or install the package before you start Jupyter.
#
# If pip replaced a library that the session had loaded already, restart the session and run this cell again.

# %%
from importlib.util import find_spec
from pathlib import Path

if find_spec("fdtrain") is None:
    wheels = sorted([*Path().glob("fd_stackgan-*.whl"), *Path("/kaggle/input").rglob("fd_stackgan-*.whl")])
    if not wheels:
        raise FileNotFoundError(
            "put fd_stackgan-*.whl next to this notebook, as the text above says, and run this again"
        )
    wheel = f"{wheels[-1].resolve()}[train]"
    # %pip install --quiet "{wheel}"

# %% [markdown]
# ## What to work on
#
# The package has four portraits in the public domain. To work on photographs of your own, name their folder: fifty or
# more, so that some are left to test on.

# %% tags=["parameters"]
FACES = None  # a folder of photographs of clean faces; None takes the four portraits
PAIRS = 64  # pairs to make
IMAGES = 640  # pictures that training looks at: each of the 48 pairs to learn from comes thirteen times
WORK = "ten-minutes"  # the folder for everything that is made here

# %%
import os
import warnings

from PIL import Image

import fdgen
from fdgen.io.pictures.contact_sheet import contact_sheet

warnings.filterwarnings("ignore", message="IProgress not found")  # of tqdm, which libraries bring


def show(rows, **words):
    """Return rows of pictures as one, no wider than a page."""
    sheet = Image.fromarray(contact_sheet(rows, gap_px=6, **words))
    sheet.thumbnail((1100, 2400))
    return sheet


work = Path(WORK)
work.mkdir(exist_ok=True)
faces = fdgen.SampleFaces() if FACES is None else fdgen.open_faces(FACES)
photographs = {source.path: faces.read(source) for source in faces.sources()[:4]}
show([[*photographs.values()]], captions=[[*photographs]])

# %% [markdown]
# ## Something over the face
#
# `fdgen.occlude` finds the landmarks and the pose of a face, puts an occluder on it in three dimensions, and lights
# it with the light of the photograph. The second row has the masks: white is every pixel that changed, by the
# occluder or by its shadow.

# %%
KINDS = ("mask", "sunglasses", "hand", "scarf", "cup", "microphone")
face = [*photographs.values()][1 % len(photographs)]
triplets = [fdgen.occlude(face, kind, seed=3, size_px=256) for kind in KINDS]
show([[one.occluded_HWC for one in triplets], [one.mask_HW for one in triplets]], headings=KINDS)

# %% [markdown]
# ## A dataset
#
# `fdgen.build` does the same for many pairs, in several processes, as `fdgen build --out pairs --count 64` in a shell.
# The same recipe and photographs give the same bytes. Stop it at any time and run it again: it goes on. At its first
# use it compiles the renderer, for half a minute.

# %%
from fdgen.dataset.contact_sheet import dataset_sheet

manifest = fdgen.build(
    fdgen.Recipe.load("default"), faces, work / "pairs", count=PAIRS, workers=os.cpu_count() or 1, name="ten-minutes"
)
samples = manifest.samples()
print(f"{len(samples)} pairs: {samples['split'].value_counts().to_dict()}; content_id {manifest.dataset['content_id']}")
Image.fromarray(dataset_sheet(manifest.root, 9, 3))

# %% [markdown]
# Outside the mask the two pictures of a pair are equal in every pixel. That holds for each of them, and
# `fdgen.verify` also compares every byte with its checksum:

# %%
from fdgen.io.pictures.images import decode_png

for key in samples["key"]:
    clean, occluded, mask = (
        decode_png(manifest.read_member(key, f"{name}.png")) for name in ("clean", "occluded", "mask")
    )
    assert (clean == occluded)[mask == 0].all(), key
assert fdgen.verify(work / "pairs") == []
print(f"{len(samples)} pairs are equal outside their masks, and every file is what it was written as")

# %% [markdown]
# ## A model
#
# The stacked network has two stages: the first fills in a coarse face, the second refines it. Here it starts from the
# weights in the package, which learned from official portraits of 1,362 people (two of the four here among them, in
# other photographs), and learns on from our pairs. In a shell this is `fdtrain fit`. To start from nothing instead,
# leave out `training.start_from`: a useful model then takes hours on a CPU.

# %%
import fdtrain


def report(at):
    """Print how far training is, and how far the second stage's pictures are from the true ones."""
    if "stage2/l1" in at.values:  # else it is a validation
        print(f"{at.images:5} images, L1 of the second stage {at.values['stage2/l1']:.3f}")


config = fdtrain.FitConfig.load(
    "modern-64",
    overrides=[
        f"data.root={work / 'pairs'}",
        "data.size_px=96",
        "network.widths=[40,80,160,208,208]",  # those of the weights in the package
        "training.start_from=starter",
        f"training.images={IMAGES}",
        f"loss.adversarial_from_images={IMAGES}",  # pixels alone: a judge needs longer to learn
        "loss.perceptual=off",
        f"output.stats_images={max(16, IMAGES // 8)}",
    ],
)
fdtrain.fit(config, work / "run", on_note=print, on_progress=report)
Image.open(work / "run" / "before-after.png")

# %% [markdown]
# These are pictures that it learned from. What counts is who is in the test split, and was never shown to it: of the
# four, Grace Hopper, who is in no picture that the package's weights learned from either. PSNR within the mask
# (`psnr_hole`) is in dB; higher is nearer to the true picture. Pictures of one person are too few to compare methods
# by.

# %%
from fdtrain.evaluation.references import open_references
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.metrics.suite import open_suite

test = fdtrain.TripletDataset(work / "pairs", "test", size_px=config.data.size_px)
methods = [
    *open_references(["telea"], lambda: test),
    ModelMethod(fdtrain.load_model("starter"), name="weights of the package", stages=False),
    ModelMethod(fdtrain.load_model(work / "run"), name="after our pairs", stages=False),
]
measured = fdtrain.evaluate(methods, test, suite=open_suite(test.size_px, ["psnr", "ssim"]))
measured.groupby("method", sort=False)[["psnr_hole", "psnr_composited", "ssim_composited"]].mean().round(3)

# %% [markdown]
# ## A restored photograph
#
# Now the whole way, as `fdtrain restore photo.jpg --weights run --masker starter-mask` goes it: the face of a
# photograph is found, a second network finds what covers it, the model fills that in, and it is pasted back at the
# photograph's own size. The true picture is never shown to it.
#
# In the first row is a face that the pairs have too, behind sunglasses drawn anew. In the second is the person whom no
# network here has seen. She wears a cap and glasses of her own, which the second network takes for occluders as well:
# her mask is therefore given (`--mask`). The mouth is plausible, soft, and not hers: it is invented.

# %%
from fdgen.faces.face_finder import find_faces
from fdtrain.inference.finish import finished

model = fdtrain.open_generator(work / "run")
method = finished(model.method, "mirror+membrane")  # the mean with the mirrored face, and no step at the mask's edge
masker = fdtrain.open_masker("starter-mask")
sources = {source.path: source for source in faces.sources()}
seen, unseen = (faces.read(sources[manifest.samples(split)["source"].min()]) for split in ("train", "test"))

rows = []
for true, kind, seed, given in ((seen, "sunglasses", 2, False), (unseen, "mask", 5, True)):
    worn = fdgen.occlude(true, kind, seed=seed)
    photo = worn.occluded_HWC
    how = {"mask_HW": worn.mask_HW} if given else {"masker": masker}
    restored = fdtrain.restore_photograph(photo, find_faces(photo), method, model.size_px, **how)
    assert (restored.picture_HWC == photo)[restored.mask_HW == 0].all()  # what nothing covers stays as it was
    Image.fromarray(restored.picture_HWC).save(work / f"restored-{kind}.png")
    rows.append([photo, restored.mask_HW, restored.picture_HWC, true])
show(rows, headings=("photograph", "replaced", "restored", "true picture"))

# %% [markdown]
# ## On from here
#
# - More faces make a better model: four people are enough to try the tools, and too few to learn from.
#   `fdgen build --faces FOLDER --count 20000 --workers 8` makes pairs of your own photographs or of CelebA.
# - `fdtrain presets` lists what can be trained and what it costs; `modern` at 256 px is meant for a GPU.
# - `fdtrain compare` trains other methods alike, and `fdtrain report` puts everything onto one page.
# - `fdgen card` writes the data card of a dataset, by which anybody can build the same bytes again.
