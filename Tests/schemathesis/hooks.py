"""Each request comes from another address, as far as the bridge knows: schemathesis presents many wrong keys, and would
be locked out."""

import random

import schemathesis

# Hypothesis seeds the module's own generator anew for each example, so that the same few addresses would come again.
addresses = random.SystemRandom()


@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers = case.headers or {}
    case.headers["X-Forwarded-For"] = ".".join(str(addresses.randint(1, 254)) for _ in range(4))
