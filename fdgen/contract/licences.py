"""The terms under which photographs may be used and passed on, by the kind of source they come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be done with photographs, and so with all that is made from them.

    `tag` and `name` are as Hugging Face's front matter has them; `text` is for people; `shareable`: whether pictures
    made from them may be passed on.
    """

    tag: str
    name: str
    url: str
    text: str
    shareable: bool


_TERMS = {
    "celeba": Terms(
        "other",
        "celeba-non-commercial-research",
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        "CelebA may be used for non-commercial research alone. Its pictures were collected from the internet and are "
        "not the property of those who published it. Neither its pictures nor any part of what is derived from them "
        "may be passed on, published or exploited commercially; copies within one site of one organisation are "
        "allowed. A dataset made from CelebA falls under the same terms: share its card, its recipe and its digests, "
        "from which whoever has CelebA builds it again, and never its pictures.",
        shareable=False,
    ),
    "samples": Terms(
        "other",
        "us-government-work-and-mit",
        "https://www.law.cornell.edu/uscode/text/17/105",
        "The photographs are works of the United States federal government, in which there is no copyright in the "
        "United States (17 U.S.C. § 105). Two of them carry a notice that asks not to manipulate them and not to "
        "suggest endorsement; it is no condition of copyright. None of the people shown endorses this dataset.",
        shareable=True,
    ),
    "folder": Terms(
        "other",
        "terms-of-the-photographs",
        "",
        "The photographs come from a folder of whoever built the dataset, whose terms are not known to the generator. "
        "Until they are stated here, take it that nothing may be passed on.",
        shareable=False,
    ),
}


def terms_of(kind: str) -> Terms:
    """Return the terms of photographs of a kind of source: `celeba`, `samples`; for any other those of a folder."""
    return _TERMS.get(kind, _TERMS["folder"])
