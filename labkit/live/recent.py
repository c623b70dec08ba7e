"""A cache with a limit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Recent:
    """A cache that forgets what was not used for longest."""

    limit: int
    items: OrderedDict = field(default_factory=OrderedDict)

    def get(self, key, make: Callable[[], Any]) -> Any:
        """Return what is stored under the key, making it first where it is not."""
        if key not in self.items:
            self.items[key] = make()
        self.items.move_to_end(key)
        while len(self.items) > self.limit:
            self.items.popitem(last=False)
        return self.items[key]
