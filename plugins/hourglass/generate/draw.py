"""Where every random value comes from: the same seed and partition give the same values, whatever the clock."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

from hourglass.generate import words
from hourglass.partition import Partition

T = TypeVar("T")

# Longer delays are legal where max_lateness allows them, but real events hardly ever have them.
USUAL_LATENESS = timedelta(hours=4)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Person:
    """Who an index stands for; the same in every partition and source.

    Args:
        id: A lower-case uuid.
        first_name: Given name.
        last_name: Family name.
        username: Unique, ASCII.
        email: Unique; the domains are reserved for examples.
        country: ISO code.
        region: Part of the country.
        city: A city in it.
    """

    id: str
    first_name: str
    last_name: str
    username: str
    email: str
    country: str
    region: str
    city: str


class Draw:
    """Random values for one partition of one source.

    Args:
        seed: Any number.
        partition: The partition that the values are for.
        source_id: The source; two sources draw different values from one seed.
        late: The share of moments that lie before the partition, 0 to 1.
        lateness: How long before the partition's start such a moment lies at most.
    """

    def __init__(
        self,
        seed: int,
        partition: Partition,
        source_id: str = "",
        *,
        late: float = 0.0,
        lateness: timedelta = USUAL_LATENESS,
    ) -> None:
        self.partition = partition
        self.random = random.Random(f"{source_id}/{partition.key}/{seed}")
        self._late = late if lateness > timedelta(seconds=2) else 0.0
        self._lateness = lateness

    def moment(self) -> datetime:
        """When an event happened: inside the partition, or before it at the configured rate. Milliseconds."""
        start, end = self.partition.start, self.partition.end
        if not self.chance(self._late):
            return start + _MILLISECOND * self.random.randrange((end - start) // _MILLISECOND)
        # Most delays are short. A second is left over for sources that write whole seconds.
        longest = self._lateness.total_seconds() - 1
        delay = min(self.random.expovariate(4 / longest), longest)
        return start - max(_MILLISECOND, _MILLISECOND * int(delay * 1000))

    def after(self, moment: datetime, seconds: float) -> datetime:
        """A later moment, `seconds` later on average, not after the partition's end."""
        later = moment + _MILLISECOND * int(self.random.expovariate(1 / seconds) * 1000)
        return min(later, self.partition.end - _MILLISECOND)

    def chance(self, share: float) -> bool:
        """True for that share of the calls, 0 to 1."""
        return self.random.random() < share

    def choice(self, values: Sequence[T]) -> T:
        """One of the values, all alike."""
        return values[self.random.randrange(len(values))]

    def weighted(self, weights: Mapping[T, float]) -> T:
        """One of the keys, in proportion to its weight."""
        return self.random.choices(list(weights), list(weights.values()))[0]

    def whole(self, low: int, high: int) -> int:
        """A whole number; both bounds count."""
        return self.random.randint(low, high)

    def zipf(self, size: int, exponent: float = 1.1) -> int:
        """An index below `size`; small ones are far more frequent, as with popular items or busy users.

        Args:
            size: How many there are.
            exponent: The steepness, not 1.
        """
        power = 1 - exponent
        spread = (size + 1) ** power - 1
        rank = (self.random.random() * spread + 1) ** (1 / power)
        return min(int(rank), size) - 1

    def money(self, median: float, *, spread: float = 0.8, low: float = 0.01, high: float = 1e9) -> float:
        """A lognormal amount with two decimals.

        Args:
            median: Half of the amounts are below it; greater than 0.
            spread: Standard deviation of the logarithm.
            low: Smallest amount.
            high: Largest amount.
        """
        amount = median * self.random.lognormvariate(0, spread)
        return round(min(max(amount, low), high), 2)

    def uuid(self) -> str:
        """A new lower-case uuid of version 4."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def hex(self, length: int) -> str:
        """Lower-case hexadecimal digits."""
        return f"{self.random.getrandbits(4 * length):0{length}x}"

    @staticmethod
    def ident(kind: str, index: int) -> str:
        """The lower-case uuid of the `index`-th thing of a kind: the same in all partitions and sources."""
        digest = hashlib.sha256(f"{kind}/{index}".encode()).digest()
        return str(UUID(bytes=digest[:16], version=4))

    @staticmethod
    @lru_cache(maxsize=100_000)
    def person(index: int) -> Person:
        """The `index`-th person; `ident("user", index)` is the id."""
        own = random.Random(f"person/{index}")
        first, last = own.choice(words.FIRST_NAMES), own.choice(words.LAST_NAMES)
        country = own.choices(list(words.PLACES), [weight for weight, _ in words.PLACES.values()])[0]
        region, city = own.choice(words.PLACES[country][1])
        username = f"{first}.{last}{index}".lower()
        domain = own.choices(list(words.MAIL_DOMAINS), list(words.MAIL_DOMAINS.values()))[0]
        return Person(
            Draw.ident("user", index), first, last, username, f"{username}@{domain}", country, region, city
        )

    def ip(self) -> str:
        """An IPv4 address from the blocks that documentation may use."""
        block = self.choice(("192.0.2", "198.51.100", "203.0.113"))
        return f"{block}.{self.whole(1, 254)}"

    def user_agent(self) -> str:
        """What a browser says of itself."""
        return self.weighted(words.USER_AGENTS)

    def sentence(self, low: int = 3, high: int = 14) -> str:
        """Some words with a full stop."""
        text = " ".join(self.choice(words.WORDS) for _ in range(self.whole(low, high)))
        return f"{text[0].upper()}{text[1:]}."
