"""A checklist whose items are answered by the facts of a run, or marked as unknown."""

from collections.abc import Callable, Sequence
import dataclasses
from typing import Any

from ctcov_tf.card.unknown import Unknown

Facts = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Item:
    """One item of a published checklist.

    Attributes:
      number: in the publication.
      asks: what it asks for, in words of our own.
      answer: from the facts of a run to the answer; text that holds for every run needs no facts.
      source: file of the run directory that the answer comes from; empty where none does.
    """

    number: str
    asks: str
    answer: Callable[[Facts], str]
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A published checklist.

    Attributes:
      title: its name.
      citation: where it was published.
      note: how to read the answers.
      items: in the publication's order.
    """

    title: str
    citation: str
    note: str
    items: Sequence[Item]

    def answered(self, facts: Facts) -> list[dict[str, str]]:
        """Answers of all items: `number`, `asks`, `answer` and `source`; the source is empty where unknown."""
        found = []
        for item in self.items:
            answer = item.answer(facts)
            source = "" if isinstance(answer, Unknown) else item.source
            found.append({"number": item.number, "asks": item.asks, "answer": answer, "source": source})
        return found


def author(what: str) -> Callable[[Facts], str]:
    """The answer to what no file of a run can hold.

    Args:
      what: that the author of a study has to supply.
    """
    return lambda _: Unknown(f"the author has to supply {what}")
