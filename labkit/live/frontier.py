"""The frontier of everything that the sweeps found, as a widget: click a point, and it becomes a live model."""

from __future__ import annotations

from labkit.benchmark.frontier import best
from labkit.benchmark.spots import COSTS, Map, Spot, methods, networks, survey
from labkit.live import cell, mapstill
from labkit.live.opening import panel
from labkit.live.panel import Panel
from labkit.live.views import map as view
from labkit.live.wish import among, point

ALL = "all methods"


def frontier(network: str = "LeNet-5", data: str = "FashionMNIST", cost: str = "bytes") -> Frontier:
    """Open the map of all shipped results: accuracy against bytes, multiplications or measured time.

    `network` may have a variant behind a space, `cost` is one of "bytes", "macs", "one" and "many" (time for one
    picture and for 256). Accuracy is that of the validation split; each point says its test accuracy too.
    Raises ValueError for what is not there.

    >>> page = frontier("LeNet-300-100")
    >>> len(page.shown) > 100, page.best[0].accuracy < page.best[-1].accuracy
    (True, True)
    >>> page.close()
    """
    page = Frontier(network, data, cost)
    cell.adopt(page)
    return page


class Frontier:
    """The map as a widget; `choose` moves its controls as a finger does, and `open` does what a click does."""

    def __init__(self, network: str, data: str, cost: str):
        self._front = self._box = None
        self.panel: Panel | None = None
        self._network, self._data, self._cost, self._method = network, data, among("cost", cost, list(COSTS)), ALL
        self._chosen: str | None = None
        self._guess: tuple[float, float] | None = None
        self.alert = ""
        self._map = self._survey()

    @property
    def shown(self) -> list[Spot]:
        """The spots of the network, of one method alone where one is chosen."""
        return [spot for spot in self._map.spots if self._method in (ALL, methods(spot.point))]

    @property
    def best(self) -> list[Spot]:
        """The frontier over all methods, from the cheapest to the most accurate."""
        return best(self._map.spots, self._cost)

    def choose(
        self, network: str | None = None, cost: str | None = None, method: str | None = None, spot: str | None = None
    ) -> Frontier:
        """Choose a network ("VGG on FashionMNIST"), a cost, a method by its title, or a point by its key.

        Raises ValueError for what is not there.
        """
        if network is not None:
            name, _, data = among("network", network, list(self._networks())).rpartition(" on ")
            self._network, self._data, self._method, self._chosen = name, data, ALL, None
            self._map = self._survey()
        if cost is not None:
            self._cost = among("cost", cost, list(COSTS))
        if method is not None:
            self._method = among("method", method, self._methods())
        if spot is not None:
            self._chosen = self._map.spot(spot).key if spot else None
        self.alert = ""
        self._send()
        return self

    def guess(self, size: float, accuracy: float) -> Frontier:
        """Draw a prediction as a diamond: bytes of the file, and accuracy from 0 to 1."""
        self._guess = point(size, accuracy)
        self._send()
        return self

    def open(self, key: str) -> Panel:
        """Open a point as a live panel below the map, and return it; raise ValueError for a key that is not here."""
        spot = self._map.spot(key)
        self._chosen, self.alert = spot.key, ""
        if self._front is not None:
            self._front.update({"about": {"text": f"Opening {spot.title} …", "key": ""}})
        if self.panel is not None:
            self.panel.close()
        self.panel = panel(spot.point)
        if self._box is not None:
            self._box.children = (self._front, self.panel.widget())  # which waits for the first picture
        self._send()
        return self.panel

    def close(self) -> None:
        """End the map and the panel that it opened."""
        for part in (self.panel, self._front, self._box):
            if part is not None:
                part.close()

    @property
    def parts(self) -> dict:
        """What is shown, as plain data, one part for each region of the widget."""
        chosen = self._map.spot(self._chosen) if self._chosen else None
        ends = {spot.key: view.label(spot, self._cost) for spot in self.best}
        if chosen and chosen.key not in ends:
            ends = {chosen.key: view.label(chosen, self._cost)} | ends
        choices = {
            "network": (self._networks(), f"{self._network} on {self._data}"),
            "cost": (COSTS, self._cost),
            "method": ({name: name for name in self._methods()}, self._method),
            "spot": ({"": "choose one, or click a mark"} | ends, self._chosen or ""),
        }
        return {
            "choices": [
                {"name": name, "values": list(values), "shown": list(values.values()), "value": value}
                for name, (values, value) in choices.items()
            ],
            "map": view.plot(self._map, self.shown, self._cost, chosen, self._guess),
            "about": view.about(self._map, chosen, self._cost),
            "alert": self.alert,
        }

    def _survey(self) -> Map:
        name, _, variant = self._network.partition(" ")
        return survey(name, self._data, variant)

    def _networks(self) -> dict[str, str]:
        named = [f"{' '.join(filter(None, (name, variant)))} on {data}" for name, data, variant in networks()]
        return {name: name for name in named}

    def _methods(self) -> list[str]:
        return [ALL, *sorted({methods(spot.point) for spot in self._map.spots})]

    def _send(self) -> None:
        if self._front is not None:
            self._front.update(self.parts)

    def _asked(self, what, argument) -> None:
        """Do what the browser asks for; say in the page what cannot be done."""
        try:
            what(argument)
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            self.alert = str(error)
            self._send()

    def _repr_mimebundle_(self, **keywords) -> tuple[dict, dict]:
        """Show the widget where there is a front end, and one still picture where there is none."""
        if self._box is None:
            import ipywidgets

            from labkit.live.front import FRONTIER, Front  # plotly and anywidget are loaded when a map is shown

            asked = {
                "choose": lambda wish: self._asked(lambda chosen: self.choose(**chosen), wish),
                "open": lambda key: self._asked(self.open, key),
            }
            self._front = Front(lambda wish: None, asked, lambda: self.parts, FRONTIER)
            self._box = ipywidgets.VBox([self._front])
        bundle = self._box._repr_mimebundle_(**keywords)
        widget, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        still = mapstill.svg(self.parts["map"], f"The frontier of {self._network} on {self._data}")
        return widget | {"text/plain": repr(self), "image/svg+xml": still}, metadata

    def __repr__(self) -> str:
        lines = (view.label(spot, self._cost) for spot in self.best)
        return "\n".join([f"The frontier of {self._network} on {self._data}, {COSTS[self._cost]}:", *lines])
