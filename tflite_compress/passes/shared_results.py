"""Results of steps that several passes and candidates share, so that none is repeated on the same network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar, cast

from tflite_compress.support.errors import ConversionError

if TYPE_CHECKING:
    from tflite_compress.models.network import Network

MAX_RESULTS = 48

T = TypeVar("T")


class SharedResults:
    """Results by step, network and settings. Those that were not used for longest are dropped.

    Networks are told apart by identity: passes never change one in place.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[Hashable, ...], tuple[Network, object]] = OrderedDict()

    def once(
        self,
        step: str,
        network: Network,
        settings: Hashable,
        compute: Callable[[], T],
        is_whole: Callable[[], bool] = lambda: True,
    ) -> T:
        """Return the result of a step; compute it the first time.

        Args:
            step: Name of the step.
            network: What it works on.
            settings: Everything else that decides the result.
            compute: Computes it.
            is_whole: Called afterwards; False if the result was cut short and must not be shared.

        Raises:
            ConversionError: The converter or the runtime refuses the network, now or the first time.
        """
        key = (step, id(network), settings)
        if key in self._found:
            self._found.move_to_end(key)
            _, known = self._found[key]
            if isinstance(known, ConversionError):
                raise known
            return cast("T", known)
        result: object
        try:
            result = compute()
        except ConversionError as error:
            self._keep(key, network, error)
            raise
        if is_whole():
            self._keep(key, network, result)
        return result

    def holds(self, step: str, network: Network, settings: Hashable) -> bool:
        """Return True if a result is known."""
        return (step, id(network), settings) in self._found

    def _keep(self, key: tuple[Hashable, ...], network: Network, result: object) -> None:
        self._found[key] = (network, result)  # holds the network, so that no other one gets its identity
        if len(self._found) > MAX_RESULTS:
            self._found.popitem(last=False)
