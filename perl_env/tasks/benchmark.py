"""What a loader declares about its data set, and the question that it makes of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from perl_env.errors import InputError
from perl_env.order_class import OrderClass
from perl_env.tasks.dataset_columns import Column

Row = Mapping[str, Any]
#: Of a row, the configuration that it is of; no column has such a name.
CONFIG = " configuration"


class UnusableRowError(InputError):
    """A sound row of which no question can be made that we could ask in other orders, or grade."""


@dataclass(frozen=True)
class SubTask:
    """A part of a data set whose questions an order treats alike.

    Attributes:
        order_class: the class of its questions; ``None`` where each question has to be looked at.
        rows: how many there are by the authors' account, where that is known.
    """

    order_class: OrderClass | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Benchmark:
    """A published data set.

    Attributes:
        task: the environment's id.
        hub_id: where it is published.
        columns: what the loader reads.
        splits: our name of a split → the hub's. "test" is the one that papers report.
        rows: rows of the split "test" (or "train" where there is none) by the authors' account.
        sub_tasks: by name, which is also ``Question.kind``.
        configs: the hub's configurations that are read, one after the other; none for its only one.
        revision: the commit, tag or branch of the hub.
        id_column: names a row; "row-N" does where there is none.
        sub_task_column: that, or "record.field", by which sub-tasks are selected where they are not
            configurations.
        picture_folders: where pictures are files, the folders to which their paths may be relative,
            with "{config}" and "{split}".
        files: where pictures are files beside the rows, the patterns of all that is needed.
        rule: name of the published scoring rule, if there is one.
        prompt: the published prompt, in outline.
        max_images: no row has more; a stream cannot look.
        licence: of the data.
        left_out: which rows are no questions of ours and why.
        source: where the facts are from.
    """

    task: str
    hub_id: str
    columns: tuple[Column, ...]
    splits: Mapping[str, str]
    rows: int | None
    sub_tasks: Mapping[str, SubTask]
    prompt: str
    max_images: int
    licence: str
    left_out: str
    source: str
    configs: tuple[str | None, ...] = (None,)
    revision: str = "main"
    id_column: str | None = None
    sub_task_column: str | None = None
    picture_folders: tuple[str, ...] = ("",)
    files: tuple[str, ...] = ()
    rule: str | None = None


@dataclass(frozen=True)
class Draft:
    """A question as a loader reads it off a row, its pictures as they are stored.

    The attributes are those of ``Question``; ``order_class`` is ``None`` where the loader does not
    know it.
    """

    pictures: tuple[Any, ...]
    text: str
    answer: str
    kind: str
    order_class: OrderClass | None
    options: tuple[str, ...] = ()
    pinned: tuple[int, ...] | None = None
    option_slots: tuple[int, ...] = ()
    index_list: Literal["rank", "sequence"] | None = None
    index_base: int = 1
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    instruction: str | None = None


#: Makes a draft of a row; its second argument asks for the published prompt. Raises ``InputError`` for
#: a malformed row, ``UnusableRowError`` for a sound one that is not for us.
Reader = Callable[[Row, bool], Draft]
