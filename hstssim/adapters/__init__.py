"""Chrome's HSTS in the Python clients that people use: one module per library, one `mount` in each.

```python
import requests
from hstssim.adapters.requests import mount

session = mount(requests.Session())
session.get("http://github.com/").history[0]  # <Response [307]>, which never left this process
```

Begin reading with `guard.py`, which all of them ask.
"""

from hstssim.adapters.guard import Guard, internal_redirect

__all__ = ["Guard", "internal_redirect"]
