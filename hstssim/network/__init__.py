"""What a browser talks to: scripted sites in memory, or the live network."""

from hstssim.network.message import NetError, Network, Request, Response
from hstssim.network.scripted import ScriptedNetwork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hstssim.network.live import LiveNetwork

__all__ = ["LiveNetwork", "NetError", "Network", "Request", "Response", "ScriptedNetwork"]


def __getattr__(name: str) -> object:
    if name != "LiveNetwork":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hstssim.network.live import LiveNetwork  # which brings urllib3 and ssl along

    return LiveNetwork
