"""What a permutation of the images does to a question."""

from __future__ import annotations

from enum import StrEnum


class OrderClass(StrEnum):
    """The order classes; the letter in brackets is the short name used in the literature notes."""

    INVARIANT = "invariant"  #: (V) the question is about the set of images: nothing changes
    REFERENTIAL = "referential"  #: (R) the text names images: its references are rewritten
    SLOT_NAMING = "slot-naming"  #: (N) options or answer name images: rewritten with the same map
    INDEX_LIST = "index-list"  #: (N-list) options or answer are lists of image numbers or ranks
    IMAGE_OPTIONS = (
        "image-options"  #: (O) the options are images: only they move, the gold letter follows
    )
    TEMPORAL = "temporal"  #: (T) the order carries information: moves only where the text states it
    LAYOUT = "layout"  #: (P) the text speaks about the rendered page: never permuted
    SINGLE = "single"  #: (S) one image: there is nothing to permute
    MALFORMED = (
        "malformed"  #: (X) the row contradicts itself: counted, never asked in another order
    )


#: Classes whose answer stays the same whatever the order.
INVARIANT_CLASSES = frozenset({OrderClass.INVARIANT, OrderClass.REFERENTIAL, OrderClass.TEMPORAL})
#: Classes whose answer has to move with its picture.
EQUIVARIANT_CLASSES = frozenset(
    {OrderClass.SLOT_NAMING, OrderClass.INDEX_LIST, OrderClass.IMAGE_OPTIONS}
)
#: Classes that are only ever asked in their canonical order.
FIXED_CLASSES = frozenset({OrderClass.LAYOUT, OrderClass.SINGLE, OrderClass.MALFORMED})
