"""The instructions that M2KR's authors put before questions, by data set."""

from __future__ import annotations

from plait.errors import InputError

_QUESTION = (
    "Using the provided image, obtain documents that address the subsequent question:",
    "Retrieve documents that provide an answer to the question alongside the image:",
    "Extract documents linked to the question provided in conjunction with the image:",
    "Utilizing the given image, obtain documents that respond to the following question:",
    "Using the given image, access documents that provide insights into the following question:",
    "Obtain documents that correspond to the inquiry alongside the provided image:",
    "With the provided image, gather documents that offer a solution to the question:",
    "Utilizing the given image, obtain documents that respond to the following question:",  # twice as likely
)
_DESCRIPTION = (
    "Provide a brief description of the image along with the following question:",
    "Provide a concise explanation of the image along with the following question:",
)
_PICTURE = (
    "Identify the document that is connected to this image.:",
    "Provide information about the document linked to this image.:",
    "Please describe the document that corresponds to this image.:",
    "What is the document that this image is related to?:",
    "Could you elucidate the document associated with this image?:",
    "Describe the document that accompanies this image.:",
    "Please give information on the document that goes with this image.:",
    "What document is represented by this image?:",
    "Identify the document that this image pertains to.:",
)
_OF = {
    **dict.fromkeys(("oven", "kvqa", "evqa", "okvqa", "infoseek"), _QUESTION),
    "llava": _DESCRIPTION,
    **dict.fromkeys(("wit", "iglue"), _PICTURE),
}


def instructions_of(dataset: str) -> tuple[str, ...]:
    """Return the instructions of a data set of M2KR, each as likely as the others, one of them twice.

    Args:
        dataset: "EVQA" or "E-VQA", "Infoseek", "WIT", ...; small and capital letters are the same.

    Raises:
        InputError: none are published for it.

    Source: the training configuration of FLMR (Lin et al., arXiv 2402.08327), as the rows of the data
    set carry them too.
    """
    found = _OF.get(dataset.lower().replace("-", "").replace("_", ""))
    if found is None:
        raise InputError(
            f"no instructions are published for {dataset!r}: expected one of "
            f"{', '.join(sorted(_OF))}, or keep the rows' own"
        )
    return found
