"""The types and operations of the gateway's API, for `Client.request`.

from trainyard import api

project = client.request(api.PROJECT, {"id": "proj_…"})
"""

from ._generated import *  # noqa: F403
from ._operation import Operation as Operation
